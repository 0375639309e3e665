"""The program of the child process: runs PyTorch listings and writes down what they gave.

    python -m cnnlib.porting.torch_process answers.json < listings.json

It reads ``{"01": "text", ...}`` and writes ``{"version": ..., "listings": {"01": {...}, ...}}``. Nothing of Keras is
imported here, and nothing of PyTorch anywhere else.

What a listing sees: ``torch``, ``nn``, ``F`` (``torch.nn.functional``), ``np``, and ``fill(model)``, which sets the
weights to numbers that the other side can draw as well. ``torch.randn`` draws such numbers too.

What is written down of a listing: each tensor and number that it leaves under a name, and, if it leaves a ``model``
and its input ``x``, what that model computes: see :func:`examined`.
"""

from __future__ import annotations

import json
import sys
import traceback
import types
from pathlib import Path

import numpy as np

from cnnlib.porting.numbers import numbers, pack, state

RATE = 0.1  # of the one training step that is compared


def main(arguments: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    torch.randn = lambda *shape: torch.from_numpy(numbers(*(shape[0] if isinstance(shape[0], tuple) else shape)))
    given = json.loads(sys.stdin.read())
    answers = {name: answered(name, text) for name, text in given.items()}
    content = {"version": torch.__version__, "listings": answers}
    Path(arguments[0]).write_text(json.dumps(content), encoding="utf-8")


def answered(name: str, text: str) -> dict:
    """What a listing leaves; ``{"error": ...}`` with its line if it fails."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    namespace = {"torch": torch, "nn": nn, "F": nn.functional, "np": np, "fill": fill}
    before = set(namespace)
    try:
        exec(compile(text, f"<listing {name}>", "exec"), namespace)
        left = {each: value for each, value in namespace.items() if each not in before and not each.startswith("_")}
        found = {each: pack(array) for each, value in left.items() if (array := as_numbers(value)) is not None}
        found.pop("x", None)
        layouts = {each: layout(value) for each, value in left.items() if isinstance(value, nn.Module)}
        if isinstance(left.get("model"), nn.Module) and isinstance(left.get("x"), torch.Tensor):
            found.update(examined(left["model"], left["x"]))
            return {"values": found, "layouts": layouts, "x": list(left["x"].shape)}
    except Exception as error:  # whatever a listing does wrong is told, by its line
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if "<listing" in frame.filename]
        return {"error": f"line {lines[-1] if lines else '?'}: {type(error).__name__}: {error}"}
    return {"values": found, "layouts": layouts}


def as_numbers(value) -> np.ndarray | None:
    """A tensor, a number, or a list of numbers as an array; None for anything else."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    if isinstance(value, types.ModuleType | str) or callable(value):
        return None
    if isinstance(value, list | tuple) and value and all(isinstance(each, torch.Tensor) for each in value):
        value = [each.detach().numpy() for each in value]
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" and array.size else None


def layout(model) -> list:
    """Name and shape of each entry of the state dictionary but the counts of batches, which nobody needs."""
    entries = model.state_dict().items()
    return [[name, list(value.shape)] for name, value in entries if not name.endswith("num_batches_tracked")]


def fill(model):
    """Set all weights and statistics of a module to numbers that only names and shapes decide; gives it back."""
    import torch

    drawn = state([(name, tuple(shape)) for name, shape in layout(model)])
    model.load_state_dict({name: torch.from_numpy(array) for name, array in drawn.items()}, strict=False)
    return model


def examined(model, x) -> dict:
    """What a model with drawn weights computes.

    Returns:
        ``parameters`` and ``trainable``, their numbers; ``y``, its output for ``x`` in evaluation mode; and if it has
        parameters and no dropout, ``loss`` and the ``change:<name>`` of each weight in one step of plain SGD in
        training mode, for the mean squared distance to drawn numbers.
    """
    import torch
    from torch import nn

    fill(model)
    model.eval()
    with torch.no_grad():
        y = model(x)
    chosen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = {
        "parameters": pack(sum(parameter.numel() for parameter in model.parameters())),
        "trainable": pack(sum(parameter.numel() for parameter in chosen)),
        "y": pack(y.numpy()),
    }
    dropout = nn.modules.dropout._DropoutNd
    if not chosen or any(isinstance(module, dropout) for module in model.modules()):
        return found
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(chosen, lr=RATE)
    loss = nn.functional.mse_loss(model(x), torch.from_numpy(numbers(*y.shape, seed=1)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    found["loss"] = pack(loss.item())
    after = model.state_dict()
    found.update({f"change:{name}": pack((after[name] - before[name]).numpy()) for name, _ in layout(model)})
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
