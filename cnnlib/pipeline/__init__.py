"""From an image file to a structured answer: decode, resize, normalise, compute, and back to pixels. Lesson 14.

>>> from cnnlib import pipeline
>>> detect = pipeline.ready("detect")          # or "classify", "segment", or a name of pipeline.READY
>>> detect("photo.jpg")["results"]

==================  ===============================================================================================
`decoding`          any path, bytes, Pillow image or array as RGB, or an `ImageError` with a code
`geometry`          stretch, letterbox, shortest side and crop, and the way back to pixels of the image
`preprocessing`     `Preprocessing`: resize, colour order and range in one object, the same in training and serving
`specification`     `Specification`: all that weights do not say, saved beside them with their sha256
`schema`            the JSON Schema of the answer, and `differences` between an answer and a golden file
`answer`            from logits to classes, boxes and masks, with what is uncertain
`box_decoders`      how the outputs of a detector become boxes
`pipeline`          `Pipeline`: one image, a batch, or a stream; saved and loaded
`latency`           percentiles of each stage
`bundled`           `ready`: pipelines of the bundled networks
`golden`            golden files: recorded once, compared ever after
`drawing`           `overlay`: an answer drawn on its image
`web`               a page of your own in the browser, and an API: ``python -m cnnlib.pipeline.web``
==================  ===============================================================================================

On the command line: ``python -m cnnlib.pipeline IMAGE... --task detect --json out.json --overlay out.png``.
"""

from cnnlib._lazy import exports

_MODULES = {
    "answer": (),
    "box_decoders": ("DECODERS", "from_anchors"),
    "bundled": ("READY", "bundled_specification", "ready"),
    "decoding": ("CODES", "Decoded", "ImageError", "decode"),
    "drawing": ("overlay",),
    "geometry": ("Placement", "place"),
    "golden": ("check_golden", "record_golden"),
    "latency": ("Latency", "measure_latency"),
    "pipeline": ("Pipeline",),
    "preprocessing": ("Preprocessing",),
    "schema": ("answer_schema", "differences"),
    "specification": ("Calibration", "Specification", "SpecificationError", "labels_sha256", "weights_sha256"),
    "web": (),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
