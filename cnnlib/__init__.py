"""cnnlib: what the lessons of the course share.

Modules load when first used, so that ``import cnnlib`` costs next to nothing beyond Keras and no plotting library is
imported before a figure is drawn.
"""

from cnnlib._lazy import exports

__version__ = "0.1.0"

_MODULES = (
    "arithmetic",
    "audit",
    "beyond",
    "broken",
    "capstone",
    "claims",
    "datasets",
    "deploy",
    "detection",
    "exercises",
    "explain",
    "gradients",
    "models",
    "network",
    "parallel",
    "pipeline",
    "plotting",
    "porting",
    "reference",
    "reliability",
    "results",
    "runtime",
    "segmentation",
    "speed",
    "splits",
    "suspects",
    "trace",
    "training",
    "transfer",
)
_FUNCTIONS = {
    "claim": "claims",
    "exercise": "exercises",
    "predict": "exercises",
    "progress": "exercises",
    "reveal": "exercises",
}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _FUNCTIONS)
