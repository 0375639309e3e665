"""The report: one HTML file that needs no other, from the artefacts alone. Lesson 19."""

from __future__ import annotations

import base64
import html
import io
import time

import numpy as np

from cnnlib.capstone.checks import check
from cnnlib.capstone.data import part
from cnnlib.capstone.project import Artefact, Project
from cnnlib.capstone.reading import FILE
from cnnlib.capstone.rubric import PHASES, RUBRIC, Verdict

__all__ = ["report"]

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #fff; --line: #c9c9ce; --soft: #f2f2f4; --mark: #0b6e4f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf0; --paper: #17171a; --line: #4a4a52; --soft: #232329; --mark: #6fd3ab; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.big { font-size: 1.15rem; border-left: 4px solid var(--mark); padding: .4rem 1rem; background: var(--soft); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
  border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; } figcaption { font-size: .9rem; }
.strip img { width: 6rem; image-rendering: auto; margin: .15rem; } .scroll { overflow-x: auto; }
.grade { white-space: nowrap; font-weight: 600; } small { opacity: .8; }
"""


def report(project: Project) -> Artefact:
    """Stage 13: ``report.html``, for whoever has to decide with the model, or takes it over."""
    started = time.perf_counter()
    names = [line.name for line in RUBRIC if line.name != "report"]
    verdict = check(project, *names)
    text = _page(project, verdict, pending=True)
    _write(project, text)
    text = _page(project, Verdict([*verdict, *check(project, "report")]), pending=False)
    _write(project, text)
    says = f"{FILE}: {len(text) / 1000:.0f} kB, needs no other file"
    return project.save("report", {"says": says, "file": FILE, "bytes": len(text.encode())}, started)


def _write(project: Project, text: str) -> None:
    (project.folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def _page(project: Project, verdict: Verdict, pending: bool) -> str:
    made = {name: project.load(name) for name in ("card", "audit", "split", "baseline", "training", "calibration")}
    made |= {
        name: project.load(name) for name in ("threshold", "explanation", "robustness", "test", "serving", "watch")
    }
    title = html.escape(project["title"])
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            f"<p>{html.escape(project['question'])}</p>",
            _summary(project, made),
            _classes(made),
            _cost(project, made),
            _confidence(project, made),
            _learning(made),
            _looks(project, made),
            _shift(made),
            _images(project, made),
            _service(project, made),
            _checklist(verdict, pending),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


# --- sections --------------------------------------------------------------------------------------------------------


def _data(name: str, value, text: str) -> str:
    return f'<data id="{name}" value="{html.escape(str(value))}">{html.escape(text)}</data>'


def _section(name: str, title: str, *parts: str) -> str:
    return f'<section id="{name}">\n<h2>{html.escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def _summary(project: Project, made: dict) -> str:
    test, rival = made["test"], made["test"]["baseline"]
    low, high = test["interval"]
    right, version = test["accuracy"], made["training"]["weights_sha256"][:8]
    times = f"{len(test['openings'])} time" + ("s" if len(test["openings"]) != 1 else "")
    lines = [
        f"On {_data('test-n', test['n'], str(test['n']))} test images it is right in "
        f"{_data('accuracy', right, f'{right:.1%}')}, that is between {_data('accuracy-low', low, f'{low:.0%}')} and "
        f"{_data('accuracy-high', high, f'{high:.0%}')} (95 % interval); the mean recall of the classes is "
        f"{test['balanced']:.1%}.",
        f"“{html.escape(rival['name'])}” is right in {rival['accuracy']:.1%} of the same images; the difference is "
        f"{rival['difference']:+.1%} ({rival['interval'][0]:+.0%} to {rival['interval'][1]:+.0%}).",
        f"The test part was opened {times}. Version {_data('version', version, version)}.",
    ]
    return '<div class="big">' + "".join(f"<p>{line}</p>" for line in lines) + "</div>"


def _table(head: list[str], rows: list[list[str]], numbers: int = 1) -> str:
    def cells(tag: str, row: list[str]) -> str:
        return "".join(f"<{tag}{' class=n' if i >= numbers else ''}>{c}</{tag}>" for i, c in enumerate(row))

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells("th", head)}</tr></thead><tbody>{lines}</tbody></table></div>'


def _classes(made: dict) -> str:
    rows = []
    for number, (name, facts) in enumerate(made["test"]["recalls"].items()):
        others = {made["training"]["classes"][j]: count for j, count in enumerate(made["test"]["confusion"][number])}
        others.pop(name)
        worst = max(others, key=others.get)
        low, high = facts["interval"]
        share = facts["right"] / facts["n"]
        rows.append(
            [
                html.escape(name),
                f"{facts['right']} of {facts['n']}",
                f"{share:.0%} ({low:.0%} to {high:.0%})",
                f"{html.escape(worst)} ({others[worst]})" if others[worst] else "–",
            ]
        )
    return _section("classes", "Class by class", _table(["class", "found", "recall", "most taken for"], rows))


def _cost(project: Project, made: dict) -> str:
    test, rule = made["test"], made["threshold"]
    names = " or ".join(map(html.escape, rule["positive"]))
    outcomes, n, cost = test["outcomes"], test["n"], test["cost"]
    text = (
        f"<p>An alarm is raised for {names} from a probability of {rule['threshold']:.3f} on. A miss costs "
        f"{rule['miss']:g}, a false alarm {rule['false_alarm']:g}. {html.escape(project['cost.why'])}</p>"
        f"<p>On the {n} test images: {outcomes['found']} found, {outcomes['missed']} missed, "
        f"{outcomes['false_alarms']} "
        f"false alarms. Cost {_data('cost', cost, f'{cost:.3f}')} an image "
        f"({test['cost_interval'][0]:.3f} to {test['cost_interval'][1]:.3f}), "
        + (f"where {rule['prevalence']:.1%} of images are positive. " if rule["prevalence"] else "as in the images. ")
        + "In comparison: "
        + ", ".join(f"{what} {value:.3f}" for what, value in test["constant"].items())
        + ".</p>"
    )
    return _section("costs", "Alarms, and what mistakes cost", text)


def _confidence(project: Project, made: dict) -> str:
    from cnnlib.reliability import reliability_diagram, softmax

    kept, temperature = project.arrays("test"), made["calibration"]["temperature"]
    diagram = reliability_diagram(softmax(kept["logits"], temperature), kept["truth"], 10)
    facts = made["test"]["calibration"]
    fig, axis = _figure(4.2, 3.2)
    axis.plot([0, 1], [0, 1], "--", color="0.5", linewidth=1)
    axis.plot(diagram.confidence, diagram.accuracy, "o-", color="#0072b2")
    for x, y, n in zip(diagram.confidence, diagram.accuracy, diagram.count):
        axis.annotate(str(n), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axis.set(xlabel="confidence", ylabel="share right", xlim=(0, 1.02), ylim=(0, 1.05))
    text = (
        f"<p>Temperature {temperature:.2f}, from {made['calibration']['n']} validation images. Calibration "
        f"error on the "
        f"{len(part(project, 'test')[0])} test images {facts['ece']:.3f}; chance alone gives up to "
        f"{facts['floor']:.3f} in "
        "95 of 100 such sets.</p>"
    )
    alt = f"Share of right answers against confidence in {len(diagram.count)} bins, and how many images each has."
    return _section("confidence", "Can its confidence be believed?", text, _picture(fig, alt))


def _learning(made: dict) -> str:
    training, baseline = made["training"], made["baseline"]
    names = {"balanced accuracy": "mean recall", "accuracy": "accuracy"}[training["metric"]]
    rows = [[html.escape(k), f"{v['score']:.3f}", "", ""] for k, v in baseline["rules"].items()]
    for c in training["candidates"]:
        name = c["kind"] + (" (chosen)" if c["kind"] == training["chosen"] else "")
        rows.append(
            [name, f"{np.mean(c['scores']):.3f}", f"{min(c['scores']):.3f} to {max(c['scores']):.3f}", f"{c['rate']:g}"]
        )
    wiring = training["wiring"]
    text = (
        f"<p>{training['n']} validation images; {len(training['seeds'])} seeds; each way at the best of its own "
        f"rates. "
        f"Control: with shuffled labels {wiring['shuffled']:.2f} is reached, chance is {wiring['chance']:.2f}.</p>"
    )
    return _section("learning", "What was tried", _table(["", names, "range over seeds", "rate"], rows), text)


def _looks(project: Project, made: dict) -> str:
    kept, facts = project.arrays("explanation"), made["explanation"]
    classes = made["training"]["classes"]
    count = min(6, len(kept["pictures"]))
    fig, axes = _figure(1.5 * count, 3.1, 2, count)
    for i in range(count):
        picture = kept["pictures"][i]
        for row in (0, 1):
            axes[row, i].imshow(picture)
            axes[row, i].axis("off")
        low = kept["maps"][i].astype("float32")
        side = (0, picture.shape[1], picture.shape[0], 0)
        axes[1, i].imshow(low, cmap="magma", alpha=0.55, extent=side, interpolation="bilinear")
        axes[0, i].set_title(classes[facts["labels"][i]][:14], fontsize=8)
    mean, low, high = facts["difference"]
    text = (
        f"<p>{html.escape(project['explanation.seen'])}</p><p>Hiding the fifth of a picture that its map marks costs "
        f"{mean:+.3f} more probability than hiding as much elsewhere ({low:+.3f} to {high:+.3f}, {facts['n']} "
        f"images). With "
        f"shuffled weights the maps agree to {facts['agreement_with_shuffled']:.2f}.</p>"
    )
    parts = [text, _picture(fig, f"{count} images, and on each where the evidence for its class lies.")]
    if len(kept["mistakes"]) and kept["mistakes"].shape[1] > 1:
        strip = []
        for image, told in zip(kept["mistakes"], facts["mistakes"]):
            said, label = classes[told["said"]], classes[told["label"]]
            strip.append(_small(image, f"{label}, taken for {said} with {told['sure']:.0%}"))
        parts.append('<h3>The surest mistakes</h3><div class="strip">' + "".join(strip) + "</div>")
    return _section("looks", "What it looks at", *parts)


def _shift(made: dict) -> str:
    facts = made["robustness"]
    severities = sorted({s for row in facts["corruptions"].values() for s in row}, key=int)
    rows = [
        [html.escape(k), *(f"{row[s]:.2f}" if s in row else "" for s in severities)]
        for k, row in facts["corruptions"].items()
    ]
    clean, rival = facts["clean"], facts["baseline"]
    text = f"<p>{facts['n']} validation images; as they are {clean:.2f}, the baseline {rival:.2f}.</p>"
    if facts["elsewhere"]:
        recalls = ", ".join(f"{html.escape(c)} {v:.0%}" for c, v in facts["elsewhere"]["recalls"].items())
        text += (
            f"<p>{facts['elsewhere']['n']} images from elsewhere: {facts['elsewhere']['score']:.2f} ({recalls}).</p>"
        )
    return _section("shift", "When images are worse", text, _table(["", *(f"severity {s}" for s in severities)], rows))


def _images(project: Project, made: dict) -> str:
    audit, card, split = made["audit"], made["card"], made["split"]
    rows = [
        [html.escape(name), *(str(split["counts"][p].get(name, 0)) for p in split["counts"])]
        for name in card["classes"]
    ]
    told = [
        f"{len(audit['duplicates'])} pairs of near-duplicates were kept together, "
        f"{len(card['unreadable'])} files could not be read, {len(audit['suspects'])} labels were doubtful.",
        f"Source: {project['card.source']}. Licence: {project['card.licence']}. {project['card.collected']}",
    ]
    thumbs, order = project.arrays("audit")["thumbs"], audit["files"]
    files, _ = part(project, "training")
    shown = [thumbs[order.index(files[i])] for i in np.linspace(0, len(files) - 1, min(24, len(files))).astype(int)]
    sheet = np.concatenate(
        [np.pad(np.kron(t, np.ones((3, 3, 1), "u1")), ((0, 0), (0, 4), (0, 0)), constant_values=255) for t in shown],
        axis=1,
    )
    half = sheet.shape[1] // 2 // 52 * 52
    sheet = np.concatenate([sheet[:, :half], sheet[:, half : 2 * half]], axis=0)
    flaws = "".join(f"<li>{html.escape(flaw)}</li>" for flaw in project["card.flaws"])
    return "\n".join(
        [
            _section(
                "images",
                "The images",
                _table(["class", *split["counts"]], rows),
                *(f"<p>{html.escape(text)}</p>" for text in told),
                f"<figure>{_image(sheet, 'A sheet of small training images.')}</figure>",
            ),
            _section("flaws", "What is wrong with them", f"<ul>{flaws}</ul>"),
            _section("unfit", "Not to be used for", f"<p>{html.escape(project['card.unfit'])}</p>"),
        ]
    )


def _service(project: Project, made: dict) -> str:
    facts, watch = made["serving"], made["watch"]
    ms = facts["milliseconds"]
    noticed = ", ".join(f"{k} {'yes' if v else 'no'}" for k, v in watch["noticed"].items())
    text = (
        f"<p>{ms['p50']:.0f} ms an image (median of {facts['timed']}, one at a time), {ms['p95']:.0f} ms for "
        f"the slowest "
        f"twentieth; budget {facts['budget']:g} ms. {facts['bytes'] / 1e6:.1f} MB. Preprocessing "
        f"{facts['preprocessing_version']}.</p><p>The watch compares windows of {watch['window']} images with "
        f"{watch['n']} validation images; false alarms on {watch['measured']:.1%} of windows of test images, "
        f"{watch['false_alarm_rate']:.1%} stated. Noticed at severity 3: {noticed}. Back to the version before if "
        f"{watch['policy']['least_labelled']} labelled images show a loss of more than "
        f"{watch['policy']['tolerated_loss']:.0%}. "
        f"Called: {html.escape(watch['calls'])}</p>"
        f"<p><code>python -m cnnlib.pipeline IMAGE --model artefacts/served</code></p>"
    )
    return _section("service", "In service", text)


def _checklist(verdict: Verdict, pending: bool) -> str:
    rows = []
    for phase in PHASES:
        rows.append(f'<tr><th colspan="4">{phase}</th></tr>')
        for finding in (f for f in verdict if f.line.phase == phase):
            missing = " ".join(html.escape(text) for text in finding.missing)
            rows.append(
                f'<tr data-line="{finding.line.number}"><td class="n">{finding.line.number}</td>'
                f'<td>{finding.line.name}</td><td class="grade">{finding.grade}</td><td>{missing}</td></tr>'
            )
    if pending:
        rows.append('<tr data-line="16"><td class="n">16</td><td>report</td><td></td><td></td></tr>')
    return _section(
        "checklist",
        "The checklist",
        f'<div class="scroll"><table>{"".join(rows)}</table></div>',
        "<p><small>What is missing for the next grade stands beside each line.</small></p>",
    )


# --- pictures --------------------------------------------------------------------------------------------------------


def _figure(width: float, height: float, rows: int = 1, columns: int = 1):
    from matplotlib.figure import Figure

    fig = Figure((width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=rows == columns == 1)


def _picture(fig, alt: str) -> str:
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=110)
    from PIL import Image

    image = Image.open(io.BytesIO(file.getvalue())).convert("RGB").quantize(128)
    return f"<figure>{_tag(image, 'PNG', alt)}</figure>"


def _image(pixels: np.ndarray, alt: str) -> str:
    from PIL import Image

    return _tag(Image.fromarray(pixels), "JPEG", alt)


def _small(pixels: np.ndarray, alt: str) -> str:
    told = f"<figcaption>{html.escape(alt)}</figcaption>"
    return f"<figure style='display:inline-block;vertical-align:top;width:8rem'>{_image(pixels, alt)}{told}</figure>"


def _tag(image, kind: str, alt: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 85} if kind == "JPEG" else {"optimize": True}))
    text = base64.b64encode(file.getvalue()).decode()
    sides = f'width="{image.size[0]}" height="{image.size[1]}"'
    return f'<img src="data:image/{kind.lower()};base64,{text}" alt="{html.escape(alt)}" {sides}>'
