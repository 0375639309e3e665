"""One project over the whole course, on a folder of your own images. Lesson 19.

``python -m cnnlib.capstone new FOLDER`` makes a project of two files: ``project.toml`` holds what you decide in words
and numbers, ``stages.py`` what is computed, one cell a stage. A stage reads the artefacts of earlier ones and writes
its own into ``artefacts/``; cells hand over nothing else, so that each can be run alone, and `check` looks at what lies
there, not at how it came about.

===========  =======================================================================================================
`project`    `Project`: the folder, its settings, its artefacts
`folder`     class folders of images, whatever is in them
`data`       the stages before training: card, audit, split, baseline
`learning`   the stage of training: wiring, candidates, the choice
`networks`   a backbone, a head, a small network of its own
`judging`    calibration, threshold, explanation, robustness, and the test
`service`    the pipeline of lesson 14 with what belongs to it, and the watch over it
`rubric`     the 16 lines of the checklist, and what each grade asks for
`checks`     one check for each line, by the artefacts
`page`       the report: one HTML file that needs no other
`reading`    what such a report says
`bundled`    images to begin with: crowns, photographs
`skeleton`   a new project, and running its stages
===========  =======================================================================================================

On the command line: ``python -m cnnlib.capstone new|run|check|rubric``.
"""

from cnnlib._lazy import exports

_MODULES = {
    "bundled": ("IMAGES", "write_images"),
    "checks": ("check",),
    "data": ("audit", "baseline", "card", "split"),
    "folder": ("FolderError",),
    "judging": ("calibration", "explanation", "robustness", "test", "threshold"),
    "learning": ("Candidate", "training"),
    "networks": (),
    "page": ("report",),
    "project": ("Project", "ProjectError"),
    "reading": (),
    "rubric": ("GRADES", "RUBRIC", "Finding", "Verdict"),
    "service": ("decide", "serving", "watch"),
    "skeleton": ("STAGES", "new", "run"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__, __all__ = exports(__name__, _MODULES, _HOME)
