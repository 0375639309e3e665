"""Beyond classification: networks that give images, attention against convolution, and which tool to take. Lesson 18.

=============  =====================================================================================================
`restoration`  PSNR and SSIM; noise, the filters that a denoiser has to beat; a denoiser, and super-resolution
`diffusion`    a noise schedule, a small U-Net that tells noise from picture, and sampling with it
`vit`          patches, attention, a small vision transformer, and a CNN of its size
`study`        the trainings that the lesson compares: data efficiency, pretraining without labels, permuted pixels
`tools_`       what a project allows and what a choice breaks
=============  =====================================================================================================

A module loads when first used.
"""

from cnnlib._lazy import exports

_MODULES: dict[str, tuple[str, ...]] = {}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, ("restoration", "diffusion", "vit", "study"), _HOME)
