"""When to trust a network, and what to do when it fails. Lesson 15.

=============  =====================================================================================================
`calibration`  reliability diagram, expected calibration error and its bias, Brier score, temperature scaling
`decisions`    confusion, precision, recall, F1, specificity; ROC and precision-recall curves; a threshold from a cost,
               a capacity or a recall
`corruptions`  noise, blur, fog, exposure, contrast, pixels, JPEG, each at five severities
`attacks`      FGSM and PGD within a budget, and the random control
`drift`        population stability index, Kolmogorov-Smirnov, maximum mean discrepancy; a `Monitor` with a stated rate
               of false alarms
`shadow`       a new model beside the old one: agreement, paired difference, McNemar; when to promote or roll back
`diagnosis`    from symptoms to causes, each with a check that would confirm it and a fix; a table of nine symptoms
`briefs`       six production briefs, and which constraint a choice breaks
=============  =====================================================================================================

Probabilities and logits are (n, classes), labels are class numbers (n,), images (n, height, width, channels), float32
in [0, 1]. A module loads when first used.
"""

from cnnlib._lazy import exports

_MODULES = {
    "attacks": ("Attack", "fgsm", "pgd"),
    "briefs": ("BRIEFS", "Brief", "Objection", "OPTIONS", "review"),
    "calibration": (
        *("ReliabilityDiagram", "brier_score", "calibration_floor", "expected_calibration_error", "fit_temperature"),
        *("negative_log_likelihood", "reliability_diagram", "softmax", "squared_calibration_error"),
    ),
    "corruptions": ("CORRUPTIONS", "SEVERITIES", "corrupt", "psnr"),
    "decisions": (
        *("ClassScores", "Curve", "OperatingPoint", "Outcomes", "class_scores", "confusion", "outcomes"),
        *("precision_recall_curve", "roc_curve", "threshold_for_capacity", "threshold_for_cost"),
        "threshold_for_recall",
    ),
    "diagnosis": ("Diagnosis", "Finding", "Symptoms", "TROUBLESHOOTING", "diagnose", "troubleshoot"),
    "drift": (
        *("Monitor", "TestResult", "Verdict", "image_statistics", "ks_test", "mmd", "mmd_test"),
        "population_stability_index",
    ),
    "shadow": ("Comparison", "Decision", "Policy", "compare"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
