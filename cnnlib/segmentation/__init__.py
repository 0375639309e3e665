"""A class, or an object, for every pixel: networks, losses, metrics, tiling and instances. Lessons 12 to 14.

=============  =====================================================================================================
`unet`         `UNet` from a depth and a width (Ronneberger, Fischer, Brox 2015), with or without its skips
`decoders`     `upsample` by transposed convolution, or by resize and convolution; `checkerboard` measures what is
               left of its grid; `aspp`, DeepLab's pyramid of dilations
`losses`       `PixelCrossEntropy`, `DiceLoss`, `TverskyLoss`, on logits and whole-number labels; `SumOfLosses`
`metrics`      `confusion_matrix`, `iou`, `mean_iou`, `dice`, `boundary_f_score`, on label maps
`tiling`       `predict_tiled`: an image larger than the network's input, in tiles that overlap, without seams;
               `random_crops` for training
`instances`    `connected_components`, `split_touching`, `match_instances`, `count_error`: from a mask to objects;
               `otsu`, a threshold; `seams` and `rims`, classes of few pixels
`rle`          `rle_encode`, `rle_decode`, `rle_area`, `run_lengths`: masks as COCO stores them
=============  =====================================================================================================

Label maps are whole numbers (n, h, w) or (h, w); 255 marks pixels that count for nothing, as in PASCAL VOC. Networks
give logits (n, h, w, classes); with a single channel the question is yes or no. A module loads when first used.
"""

from cnnlib._lazy import exports

_MODULES = {
    "decoders": ("aspp", "checkerboard", "overlap_counts", "upsample"),
    "instances": (
        *("average_precision", "connected_components", "count_error", "match_instances", "otsu"),
        *("rims", "seams", "separated", "split_touching"),
    ),
    "losses": ("DiceLoss", "PixelCrossEntropy", "SumOfLosses", "TverskyLoss"),
    "metrics": ("boundary_f_score", "confusion_matrix", "dice", "iou", "mean_iou", "pixel_accuracy"),
    "rle": ("rle_area", "rle_decode", "rle_encode", "run_lengths"),
    "tiling": ("blend_window", "pad_to_multiple", "predict_tiled", "random_crops", "tile_starts"),
    "unet": ("UNet",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
