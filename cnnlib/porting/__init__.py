"""From PyTorch to Keras 3 and back: weights in the other layout, and listings of both that are checked to agree.

Appendix A of the course is written with it. :mod:`.weights` moves weights between a state dictionary of PyTorch and a
Keras model, and :mod:`.listings` runs the PyTorch listings of the page in a process of its own and compares.

PyTorch is never imported here: TensorFlow and PyTorch each bring libraries of their own (for threads, for CUDA), and a
process that loads both works with some builds and dies with others. One child process runs all listings
(:mod:`.torch_process`); what goes in is text, and what comes back are numbers. Where PyTorch is not installed, stored
numbers take its place.
"""

from cnnlib._lazy import exports

_MODULES = ("listings", "numbers", "torch_process", "weights")
_FUNCTIONS = {
    "TorchSide": "listings",
    "channels_first": "weights",
    "channels_last": "weights",
    "from_keras": "weights",
    "start": "listings",
    "to_keras": "weights",
}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _FUNCTIONS)
