"""Golden files: answers to a few images, stored once and compared ever after. Lesson 14.

A network that is fed wrongly raises no error. It answers, a little worse. What finds it is an answer that was stored
when all was well: `record_golden` writes it beside its image, `check_golden` asks again and says what differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cnnlib.pipeline.pipeline import Pipeline
from cnnlib.pipeline.schema import differences

__all__ = ["check_golden", "record_golden"]


def record_golden(pipeline: Pipeline, sources: Mapping[str, object] | Iterable, file: str | Path) -> dict[str, dict]:
    """Store a pipeline's answers as JSON; look at them before you trust them.

    Args:
        pipeline: in the state that is known to be right.
        sources: images by name, or paths.
        file: where to.

    Returns:
        The answers by name.
    """
    answers = {name: pipeline(source) for name, source in _named(sources).items()}
    Path(file).write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return answers


def check_golden(
    pipeline: Pipeline, sources: Mapping[str, object] | Iterable, file: str | Path, **tolerances
) -> dict[str, list[str]]:
    """What differs between a pipeline's answers and the stored ones: by name, only where something does.

    Args:
        pipeline: the one to be tested.
        sources: the same images by the same names.
        file: what `record_golden` wrote.
        tolerances: of `differences`.

    Raises:
        ValueError: the file holds other images.
    """
    stored, sources = json.loads(Path(file).read_text(encoding="utf-8")), _named(sources)
    if set(stored) != set(sources):
        raise ValueError(
            f"the golden file has answers to {', '.join(sorted(stored))}; given were {', '.join(sorted(sources))}."
        )
    found = {name: differences(pipeline(source), stored[name], **tolerances) for name, source in sources.items()}
    return {name: said for name, said in found.items() if said}


def _named(sources: Mapping[str, object] | Iterable) -> dict[str, object]:
    return dict(sources) if isinstance(sources, Mapping) else {Path(source).name: source for source in sources}
