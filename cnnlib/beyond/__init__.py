"""Convolution where it is not about photographs, and what comes beside and after it. Lesson 18.

=============  =====================================================================================================
`signals`      voices on the telephone: pieces of sound, a spectrogram, networks for both; receptive fields in seconds
`text`         letters as a signal of 27 channels: which language is it?
`volumes`      a brain in three dimensions, noise and its ground truth, networks of 2-D and of 3-D convolutions
`graphs`       adjacency matrices of grids, and a convolution on any graph
`fields`       terrain that wears down: a time step is a convolution, and what equation a kernel stands for
`restoration`  PSNR and SSIM; noise, the filters that a denoiser has to beat; a denoiser, and super-resolution
`diffusion`    a noise schedule, a small U-Net that tells noise from picture, and sampling with it
`vit`          patches, attention, a small vision transformer, and a CNN of its size
`study`        the trainings that the lesson compares: data efficiency, pretraining without labels, permuted pixels
`tools`        what a project allows and what a choice breaks
`stored`       of stored runs with several rates those of the best one
=============  =====================================================================================================

A module loads when first used.
"""

from cnnlib._lazy import exports

_MODULES = (
    *("signals", "text", "volumes", "graphs", "fields", "restoration", "diffusion", "vit", "study", "tools", "stored"),
)

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, {})
