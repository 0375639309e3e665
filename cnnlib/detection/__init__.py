"""Object detection: boxes, anchors, losses, NMS, average precision, a single-stage detector, rendered scenes.

======================  ===========================================================================================
`boxes`                 areas, IoU, GIoU, formats, encoding against anchors
`anchors`               a grid of anchors, matching them to boxes, training targets
`losses`                focal, smooth-L1, GIoU loss, and the sum of two that trains a detector
`suppression`           non-maximum suppression: greedy, by class, soft
`evaluation`            precision and recall, AP, COCO's twelve numbers for boxes and masks
`pyramid`               the maps of a backbone, and a feature pyramid on them
`detector`              a single-stage detector on any backbone of the course, from image to boxes
`crowns`                small detectors with bundled weights: of rendered scenes and of tree crowns
`scenes`                rendered scenes with exact boxes, masks and keypoints
`roi`                   RoI align, as a function and as a layer
`heatmap`               keypoints as heatmaps, decoded to fractions of a pixel
`heads`                 class, box, mask and keypoint heads on one map: targets, losses, batches
`decoding`              from the maps of these heads to objects, and one score for each head
`multitask`             a network that several losses train, with fixed or learnt weights
======================  ===========================================================================================

Boxes are (x1, y1, x2, y2) in pixels of the image, everywhere. Lessons 11 and 13.
"""

from cnnlib._lazy import exports

_MODULES = {
    "anchors": ("anchor_grid", "match"),
    "evaluation": ("average_precision", "coco_evaluation", "mask_iou", "precision_recall"),
    "boxes": ("area", "as_boxes", "clip", "convert", "decode", "encode", "giou", "iou"),
    "decoding": ("find_objects", "head_scores", "paste_masks", "points_in_boxes", "pad_rois"),
    "crowns": ("crown_detector", "judged", "scene_detector", "small_detector"),
    "detector": ("Detections", "Detector"),
    "heads": ("SceneBatches", "head_targets"),
    "heatmap": ("decode_heatmaps", "draw_heatmaps"),
    "losses": ("DetectionLoss", "focal_loss", "giou_loss", "smooth_l1"),
    "multitask": ("MultiTask",),
    "pyramid": ("feature_maps", "feature_pyramid"),
    "roi": ("RoIAlign", "roi_align"),
    "suppression": ("batched_nms", "nms", "soft_nms"),
    "scenes": ("Scenes", "render", "small_scenes"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
