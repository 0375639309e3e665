"""Model families, one file each, from a configuration table as in the paper. Logits out, random weights unless asked.

=================  ============================================  ========================================  ======
family             names                                         paper                                     lesson
=================  ============================================  ========================================  ======
LeNet              LeNet5                                        LeCun, Bottou, Bengio, Haffner 1998       04
AlexNet            AlexNet                                       Krizhevsky, Sutskever, Hinton 2012        05
VGG                VGG, SmallVGG, vgg_block                      Simonyan, Zisserman 2015                  05
ResNet             ResNet, CifarResNet, residual_block           He, Zhang, Ren, Sun 2016                  06
Inception          SmallInception, inception_block               Szegedy et al. 2015                       07
DenseNet           DenseNet, dense_layer                         Huang, Liu, van der Maaten, Weinberger    07
                                                                 2017
MobileNet          MobileNetV2, inverted_residual                Sandler et al. 2018                       07
EfficientNet       EfficientNet, mbconv, squeeze_excite          Tan, Le 2019; Hu, Shen, Sun 2018          07
EfficientNet-Lite  EfficientNetLite, EfficientNetLite0 to Lite4  Tan, Le 2019                              00, 02
ConvNeXt           ConvNeXt, convnext_block                      Liu et al. 2022                           07
SSDLite            SSDLite                                       Liu et al. 2016; Sandler et al. 2018      11
DeepLab            DeepLabV3, aspp                               Chen et al. 2017; Sandler et al. 2018     12
=================  ============================================  ========================================  ======

>>> model = models.CifarResNet(depth=20, num_classes=10)

A family loads when it is first used. What they share is in ``models.common``, ImageNet's images and names of classes in
``models.imagenet``, what finds the layers of any model in ``models.parts``.
"""

from cnnlib._lazy import exports

_MODULES = {
    "alexnet": ("AlexNet",),
    "common": (),
    "convnext": ("ConvNeXt", "convnext_block"),
    "deeplab": ("DeepLabV3", "aspp"),
    "densenet": ("DenseNet", "dense_layer"),
    "endings": (),
    "efficientnet": ("EfficientNet", "mbconv", "squeeze_excite"),
    "efficientnet_lite": ("EfficientNetLite", *(f"EfficientNetLite{i}" for i in range(5))),
    "imagenet": (),
    "inception": ("SmallInception", "inception_block"),
    "lenet": ("LeNet5",),
    "parts": (),
    "mobilenet": ("MobileNetV2", "inverted_residual"),
    "resnet": ("ResNet", "CifarResNet", "residual_block"),
    "ssdlite": ("SSDLite",),
    "vgg": ("VGG", "SmallVGG", "vgg_block"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
