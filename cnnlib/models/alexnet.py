"""AlexNet (Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural networks").

"2012" splits three convolutions into two groups, as the two GPUs of the paper forced it to, and has 60,965,224
parameters; "2014" is the one-tower network of Krizhevsky's "One weird trick for parallelizing convolutional neural
networks" with 61,100,840, which torchvision builds. Local response normalisation is left out of both: nothing later
found a use for it. Padding is explicit, equal on all sides. Lesson 05.
"""

import keras
from keras import layers

from cnnlib.models import common

# per variant: filters, kernel, stride, padding on each side, groups, whether a 3x3 max pooling of stride 2 follows
CONVOLUTIONS = {
    "2012": ((96, 11, 4, 2, 1, True), (256, 5, 1, 2, 2, True), (384, 3, 1, 1, 1, False), (384, 3, 1, 1, 2, False),
             (256, 3, 1, 1, 2, True)),
    "2014": ((64, 11, 4, 2, 1, True), (192, 5, 1, 2, 1, True), (384, 3, 1, 1, 1, False), (256, 3, 1, 1, 1, False),
             (256, 3, 1, 1, 1, True)),
}  # fmt: skip
DENSE = (4096, 4096)


@common.bundled_weights()
def AlexNet(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    num_classes: int = 1000,
    variant: str = "2014",
    width: float = 1.0,
    dropout: float = 0.5,
    weights: str | None = None,
) -> keras.Model:
    """AlexNet with logits out. ``width`` multiplies channels and dense units. Needs inputs of 63 pixels or more.

    There are no bundled weights. TensorFlow trains the grouped variant only on a GPU or under XLA.
    """
    family = "AlexNet"
    common.one_of("variant", variant, CONVOLUTIONS, family)
    x = inputs = common.image_input(input_shape, num_classes, 63, family, fixed=True)
    for i, (filters, kernel, stride, padding, groups, pooled) in enumerate(CONVOLUTIONS[variant], start=1):
        x = layers.ZeroPadding2D(padding, name=f"pad{i}")(x)
        filters = common.scaled(filters, width, groups)
        x = layers.Conv2D(filters, kernel, stride, groups=groups, activation="relu", name=f"conv{i}")(x)
        if pooled:
            x = layers.MaxPooling2D(3, 2, name=f"pool{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate(DENSE, start=6):
        x = layers.Dropout(dropout, name=f"dropout{i}")(x)
        x = layers.Dense(common.scaled(units, width), activation="relu", name=f"fc{i}")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"alexnet_{variant}")
