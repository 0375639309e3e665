"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition").

The network as it is usually counted: 61,706 parameters at 32x32x1. The paper's own has a sparse connection table in C3
and two trainable numbers per pooled map; both are left out here, as in most later accounts. No convolution
has a stride or padding; images of 28 pixels get two zeros on each side first, as LeCun did. Lesson 04.
"""

import keras
from keras import layers

from cnnlib.models import common

# name, filters or units, kernel
CONVOLUTIONS = (("c1", 6, 5), ("c3", 16, 5))
DENSE = (("c5", 120), ("f6", 84))


@common.bundled_weights(
    fashion_mnist=("lenet5_fashion_mnist", {"input_shape": (28, 28, 1), "variant": "modern"}),
)
def LeNet5(
    input_shape: tuple[int, int, int] = (32, 32, 1),
    num_classes: int = 10,
    variant: str = "1998",
    width: float = 1.0,
    activation: str | None = None,
    pooling: str | None = None,
    batch_norm: bool | None = None,
    dropout: float | None = None,
    weights: str | None = None,
) -> keras.Model:
    """LeNet-5 with logits out; images of 28 pixels are padded to 32 inside. ``width`` multiplies every channel count.

    Args:
        variant: "1998" (tanh, average pooling) or "modern" (ReLU, max pooling, batch normalisation after the
            convolutions, dropout of 0.25 before the last layer).
        activation: "tanh" or "relu"; pooling: "average" or "max"; batch_norm: True or False; dropout: a share. Each
            that is given changes that one choice of the variant, for ablations.
        weights: None, or "fashion_mnist" for the "modern" variant at (28, 28, 1).
    """
    family = "LeNet5"
    common.one_of("variant", variant, ("1998", "modern"), family)
    modern = variant == "modern"
    activation = common.one_of("activation", activation or ("relu" if modern else "tanh"), ("tanh", "relu"), family)
    pooling = common.one_of("pooling", pooling or ("max" if modern else "average"), ("max", "average"), family)
    batch_norm = modern if batch_norm is None else batch_norm
    dropout = (0.25 if modern else 0.0) if dropout is None else dropout
    pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
    x = inputs = common.image_input(input_shape, num_classes, 28, family, fixed=True)
    if min(input_shape[:2]) < 32:
        x = layers.ZeroPadding2D(2, name="pad")(x)
    for index, (name, filters, kernel) in enumerate(CONVOLUTIONS):
        x = layers.Conv2D(common.scaled(filters, width), kernel, use_bias=not batch_norm, name=name)(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        x = layers.Activation(activation, name=f"{name}_{activation}")(x)
        x = pool(2, name=f"s{2 * index + 2}")(x)
    x = layers.Flatten(name="flatten")(x)
    for name, units in DENSE:
        x = layers.Dense(common.scaled(units, width), activation=activation, name=name)(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=f"lenet5_{variant}")
