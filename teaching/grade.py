"""Grade a folder of notebooks: run what learners handed in once more, in a sandbox, and say what the class knows.

    python teaching/grade.py SUBMITTED                      # SUBMITTED/<learner>/.../any name.ipynb
    python teaching/grade.py SUBMITTED --hidden             # marks that count: what cannot be forged, and nothing else
    python teaching/grade.py SUBMITTED --hidden --variants MINE
    python teaching/grade.py SUBMITTED --lesson 01 --workers 2

Writes marks.csv, exercises.csv and report.html to SUBMITTED-graded. A second start goes on where the first stopped.
`teaching/grading.md` says what is graded how, and what is not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for each in (ROOT / "teaching", ROOT):  # a script's folder is on the path already, the course's may not be
    if str(each) not in sys.path:
        sys.path.insert(0, str(each))

from grading import submissions, unit  # noqa: E402
from grading.jail import WARNING, Limits, Place, works  # noqa: E402

from cnnlib.exercises import course, exercises_of, source  # noqa: E402
from cnnlib.parallel import Campaign, CampaignError  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--unit"]:
        return run_unit(*arguments[1:])
    options = _parser().parse_args(arguments)
    if options.ways:
        print(ways())
        return 0
    try:
        return grade(options)
    except (CampaignError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130


def grade(options: argparse.Namespace) -> int:
    from grading import report  # draws, which no unit does

    folder = options.folder.resolve() if options.folder else None
    if folder is None or not folder.is_dir() or str(options.folder) == ".":
        raise ValueError("Which folder holds the submissions? A folder for each learner is expected in it.")
    out = (options.out or folder.with_name(folder.name + "-graded")).resolve()
    if out.is_relative_to(folder):
        raise ValueError("the results must not lie among the submissions: choose another --out")
    why = "" if options.no_sandbox else works()
    fence = not (why or options.no_sandbox)
    if not fence:
        print(WARNING.format(why=why or "--no-sandbox was given"), file=sys.stderr)
        if options.hidden:
            raise ValueError("--hidden needs the sandbox: without it an answer can be read, and a mark forged.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    found, refused = collect(folder, options.lesson)
    if not found:
        raise ValueError(f"no notebook of this course was found in {options.folder}")
    rules = {
        "secret": _secret(out),
        "draws": 3 if options.hidden else 1,
        "hidden": options.hidden,
        "fence": fence,
        "variants": str(options.variants.resolve()) if options.variants else None,
        "limits": asdict(Limits(all=options.seconds, memory=int(options.memory * 1024**3))),
    }
    given = out / "rules.json"
    given.touch(mode=0o600)
    given.write_text(json.dumps(rules), encoding="utf-8")
    units = {}
    for each in found:
        content = hashlib.sha256(each.path.read_bytes()).hexdigest()[:12]
        name = f"{each.path.relative_to(folder).as_posix().encode('utf-8', 'replace').decode()} {content}"
        units[name] = [
            "{python}", __file__, "--unit", str(given), each.learner.encode("utf-8", "replace").decode(), str(each.path)
        ]  # fmt: skip
    stamp = fingerprint(rules)
    ledger = out / f"ledger-{stamp}.jsonl"
    campaign = Campaign(units, ledger, stamp, attempts=2, timeout=1.5 * options.seconds + 120, folder=ROOT)
    ready = len(units) - len(campaign.missing)
    if ready:
        print(f"{ready} of {len(units)} notebooks are graded already", flush=True)
    campaign.run(options.workers or _at_a_time(options.memory), tell=_tell)
    done, failed = campaign.done, campaign.failed
    graded = [
        report.Graded(each.learner, each.path.relative_to(folder).as_posix(), done.get(name, {}).get("value"),
                      failed.get(name, {}).get("error", ""))
        for each, name in zip(found, units)
    ]  # fmt: skip
    titles = {n: source.titles(source.lesson_file(f"{n}.1")) for n in sorted({each.lesson for each in found})}
    told = report.told_by_learners(folder)
    written = report.write(out, graded, refused, titles, told, hidden=options.hidden, fence=fence)
    print("\n" + "\n".join(str(path) for path in written))
    return int(any(each.value is None for each in graded))


def collect(folder: Path, lessons: list[str] | None) -> tuple[list[submissions.Submission], list[tuple[str, str, str]]]:
    """The notebooks that can be graded; and learner, file and reason of everything else."""
    known = [path.name.partition("_")[0] for path in course.numbered(course.current().lessons_folder())]
    wanted = [course.number(each) for each in lessons or []]
    found, refused = [], []
    for learner, path in submissions.files(folder):
        name = path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()
        if submissions.is_progress(path):
            continue
        try:
            each = submissions.read(learner, path, known)
        except (submissions.NotReadable, OSError) as error:
            refused.append((learner, name, str(error)))
            continue
        if not wanted or each.lesson in wanted:
            found.append(each)
    return found, refused


def run_unit(rules: str, learner: str, path: str) -> int:
    """Grade one notebook; the last line says how it went."""
    given = json.loads(Path(rules).read_text(encoding="utf-8"))
    known = [each.name.partition("_")[0] for each in course.numbered(course.current().lessons_folder())]
    submission = submissions.read(learner, Path(path), known)
    value = unit.grade(submission, Place(ROOT), rules_of(given))
    print("\n" + json.dumps(value))
    return 0


def rules_of(given: dict) -> unit.Rules:
    variants = Path(given["variants"]) if given["variants"] else None
    return unit.Rules(**{**given, "variants": variants, "limits": Limits(**given["limits"])})


def ways() -> str:
    """Which exercises are judged outside of the sandbox, and which cannot be."""
    lines, counted = [], {unit.OUTSIDE: 0, unit.INSIDE: 0}
    for path in course.numbered(course.current().lessons_folder()):
        number = path.name.partition("_")[0]
        for id, each in exercises_of(number).items():
            counted[unit.way(each)] += 1
            if unit.way(each) == unit.INSIDE:
                lines.append(f"  {id:<6} {each.title}")
    head = f"{counted[unit.OUTSIDE]} exercises are judged outside and count; {counted[unit.INSIDE]} are not:"
    return "\n".join([head, *lines])


def fingerprint(rules: dict) -> str:
    """What the marks depend on beside the notebook: rules, checks, lessons, variants and the grader itself."""
    digest = hashlib.sha256(json.dumps(rules, sort_keys=True).encode())
    folders = [ROOT / name for name in ("cnnlib/checks", "cnnlib/exercises", "solutions", "teaching/grading")]
    for folder in folders + ([Path(rules["variants"])] if rules["variants"] else []):
        for path in sorted([*folder.glob("*.py"), *folder.glob("*.json")]):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _secret(out: Path) -> str:
    """What the draws come of: made once, so that all learners and a second start get the same."""
    path = out / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16))
    return path.read_text().strip()


def _at_a_time(gigabytes: float) -> int:
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available / min(gigabytes, 2.5) / 1024**3)))


def _tell(record: dict) -> None:
    if record["status"] == "done":
        rows = record["value"]["exercises"].values()
        said = f"{sum(row['outcome'] == 'RIGHT' for row in rows)} of {len(rows)} right"
    else:
        said = record["error"]
    print(f"{record['unit'].rpartition(' ')[0]}: {said} ({record['seconds']:.0f} s)", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="a folder for each learner, with notebooks in it")
    parser.add_argument(
        "--hidden", action="store_true", help="count only what is judged outside, by three secret draws"
    )
    parser.add_argument("--variants", type=Path, help="a folder of your own cases and exercises, lesson_NN.py")
    parser.add_argument("--lesson", action="append", help="only these; may be given more than once")
    parser.add_argument("--out", type=Path, help="where the results go; beside the folder if not given")
    parser.add_argument("--workers", type=int, help="notebooks at a time; as many as cores and memory allow")
    parser.add_argument("--seconds", type=float, default=1200.0, help="that one notebook may take, by the clock")
    parser.add_argument("--memory", type=float, default=4.0, help="GB that one notebook may take")
    parser.add_argument("--no-sandbox", action="store_true", help="run with your own rights, for notebooks you trust")
    parser.add_argument("--ways", action="store_true", help="grade nothing; say which exercise is judged where")
    return parser


if __name__ == "__main__":
    sys.exit(main())
