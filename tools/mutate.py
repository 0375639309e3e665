"""Attack the checks of the exercises: change the reference answer in one place at a time, and see who lets it pass.

    python tools/mutate.py                        # every lesson
    python tools/mutate.py --lesson 01            # one lesson
    python tools/mutate.py --exercise 01.3 -v     # one exercise, each mutant shown
    python tools/mutate.py --lesson 01 --backend jax

What is changed, between the markers of the answer only: operators, comparisons, `and` and `or`, constants, bounds of
slices and ranges, keywords and their values, the order of arguments, functions that learners mix up (`min` and `max`,
`sum` and `mean`, ...), conditions, statements left out, and one variable in the place of another. Then what checks
overlook most: the type of the result (that of an argument, whole numbers only), aggregation over cases (one result for
all, results in reverse order, a mean or a median in the place of a sum), the order of ties and of loops, rounding up as
rounding down and one more, a part of the equations, and settings of layers that nobody asked for.

Every mutant is checked with several draws of cases. It is *killed* if every draw rejects it in the same way. Where the
draws do not agree, or none rejects it, many more are drawn: it *survives* if none of them rejects it, and it is *lucky*
if some do, with the number of draws that accept it: a learner with that mistake would pass now and then, so it counts
as a survivor. Some mutants are no mistakes: `a + b` for `b + a`. Those stand in `tests/data/equivalent_mutants.json`,
each with the reason, and are counted apart. The command fails if anything survives, or if the list names what is not a
survivor.
"""

import argparse
import ast
import contextlib
import copy
import difflib
import io
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = ROOT / "tests" / "data" / "equivalent_mutants.json"
SEEDS = 5
MANY = 40  # draws, where the first ones do not settle it
MANY_SECONDS = 20.0  # but no longer than that
TIME_LIMIT = 1.0


# --- mutants ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """An answer changed in one place: its source, and what was changed, as text."""

    source: str
    before: str
    after: str

    @property
    def name(self) -> str:
        """What the list of equivalent mutants calls it."""
        return f"{self.before}  ->  {self.after}"


BINARY: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div, ast.Pow),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div, ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE, ast.NotEq),
    ast.LtE: (ast.Lt, ast.Gt, ast.Eq),
    ast.Gt: (ast.GtE, ast.LtE, ast.NotEq),
    ast.GtE: (ast.Gt, ast.Lt, ast.Eq),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE),
    ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "min": ("max",), "max": ("min",), "minimum": ("maximum",), "maximum": ("minimum",), "sum": ("mean", "max"),
    "mean": ("sum",), "any": ("all",), "all": ("any",), "floor": ("ceil",), "ceil": ("floor",),
    "zeros": ("ones",), "ones": ("zeros",), "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",), "argmax": ("argmin",),
    "argmin": ("argmax",), "std": ("var",), "var": ("std",), "sin": ("cos",), "cos": ("sin",), "exp": ("log",),
    "log": ("exp",), "sqrt": ("square",), "append": ("clear",), "extend": ("append",), "tanh": ("sigmoid",),
    "flipud": ("fliplr",), "fliplr": ("flipud",), "enumerate": ("zip",),
}  # fmt: skip
SYMMETRIC = ("min", "max", "minimum", "maximum", "add", "multiply", "isclose", "allclose", "array_equal", "gcd")
TEXTS: dict[str, tuple[str, ...]] = {
    "valid": ("same",), "same": ("valid",), "full": ("valid",), "constant": ("edge",), "reflect": ("symmetric",),
    "edge": ("constant",), "symmetric": ("reflect",), "relu": ("linear",), "linear": ("relu",),
}  # fmt: skip


# Settings that a layer has by default -> others, which make it another layer.
SETTINGS: dict[str, tuple[tuple[str, object], ...]] = {
    "Conv2D": (("activation", "tanh"), ("activation", "relu"), ("use_bias", False), ("padding", "same"), ("groups", 2)),
    "DepthwiseConv2D": (("activation", "relu"), ("use_bias", False), ("padding", "same")),
    "Dense": (("activation", "tanh"), ("activation", "relu"), ("use_bias", False)),
    "BatchNormalization": (("scale", False), ("center", False)),
    "LayerNormalization": (("scale", False), ("center", False)),
    "MaxPooling2D": (("padding", "same"), ("strides", 1)),
    "AveragePooling2D": (("padding", "same"), ("strides", 1)),
    "GlobalAveragePooling2D": (("keepdims", True),),
    "GlobalMaxPooling2D": (("keepdims", True),),
    "ReLU": (("max_value", 6.0), ("negative_slope", 0.1)),
    "UpSampling2D": (("interpolation", "bilinear"),),
}
AGGREGATES = {"mean": ("max", "median"), "median": ("mean",), "sum": ("median",)}
RECEIVED = ("astype", "clip", "round", "copy")  # methods without which the object itself is left
SOLVERS = ("lstsq", "solve")


def mutants(source_with_markers: str, subtle: bool = True) -> list[Mutant]:
    """All mutants of an answer, given its cell with the markers; each differs from the answer and from the others.

    The subtle ones (types, aggregation, ties, ...) come last, and can be left out.
    """
    from cnnlib.exercises import source

    tree = ast.parse(source_with_markers)
    spans = [(block.begin + 1, block.end) for block in source.blocks(source_with_markers)]
    original = ast.unparse(tree)
    found: list[Mutant] = []
    seen = {original}
    for changed in _changes(tree, spans, subtle):
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text in seen:
            continue
        seen.add(text)
        with contextlib.suppress(SyntaxError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<mutant>", "exec")
            found.append(Mutant(text, *_difference(original, text)))
    return _numbered(found)


def _difference(original: str, text: str) -> tuple[str, str]:
    """The lines that differ, before and after, without their indentation."""
    before, after = [], []
    for line in difflib.ndiff(original.splitlines(), text.splitlines()):
        if line.startswith("- "):
            before.append(line[2:].strip())
        elif line.startswith("+ "):
            after.append(line[2:].strip())
    return " | ".join(before), " | ".join(after) or "(nothing)"


def _numbered(found: list[Mutant]) -> list[Mutant]:
    """The same, where two mutants of equal lines are told apart by a number."""
    counts: dict[str, int] = {}
    result = []
    for mutant in found:
        counts[mutant.name] = counts.get(mutant.name, 0) + 1
        number = counts[mutant.name]
        result.append(mutant if number == 1 else Mutant(mutant.source, mutant.before, f"{mutant.after} ({number})"))
    return result


@dataclass
class _Place:
    """A node of the tree that may be changed, and how to reach it in a copy."""

    node: ast.AST
    path: tuple[tuple[str, int | None], ...]
    names: tuple[tuple[str, ...], ...] = field(default=())  # groups of names that stand for like things
    parameters: tuple[str, ...] = ()  # of the function it stands in


def _changes(tree: ast.Module, spans: list[tuple[int, int]], subtle: bool) -> Iterator[ast.Module]:
    """Copies of the tree, each changed in one place within the spans of lines."""
    for replacements in (_replacements, _subtle_replacements) if subtle else (_replacements,):
        for place in _places(tree, (), (), (), spans):
            for replacement in replacements(place):
                yield _with(tree, place.path, replacement)


def _places(
    node: ast.AST,
    path: tuple,
    names: tuple[tuple[str, ...], ...],
    parameters: tuple[str, ...],
    spans: list[tuple[int, int]],
) -> Iterator[_Place]:
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        parameters = tuple(each.arg for each in (*node.args.args, *node.args.kwonlyargs))
        names = (parameters, *_groups(node), *names)
    if path and _within(node, spans):
        yield _Place(node, path, names, parameters)
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.Raise) or name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue  # the text of an error is not checked
        if isinstance(value, ast.AST):
            yield from _places(value, (*path, (name, None)), names, parameters, spans)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, ast.AST) and not _is_docstring(node, name, position, item):
                    yield from _places(item, (*path, (name, position)), names, parameters, spans)


def _groups(function: ast.AST) -> tuple[tuple[str, ...], ...]:
    """Names assigned together, `height, width = ...`."""
    groups = []
    for node in ast.walk(function):
        if isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Store):
            group = tuple(each.id for each in node.elts if isinstance(each, ast.Name))
            if len(group) > 1:
                groups.append(group)
    return tuple(groups)


def _is_docstring(node: ast.AST, name: str, position: int, item: ast.AST) -> bool:
    first = name == "body" and position == 0 and isinstance(node, (ast.FunctionDef, ast.ClassDef))
    return first and isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)


def _within(node: ast.AST, spans: list[tuple[int, int]]) -> bool:
    line = getattr(node, "lineno", None)
    return line is not None and any(begin < line <= end for begin, end in spans)


def _with(tree: ast.Module, path: tuple, replacement: Any) -> ast.Module:
    """A copy of the tree in which the node at the path is replaced, or left out (a statement, if None)."""
    result = owner = copy.copy(tree)
    for name, position in path[:-1]:  # only what leads there is copied; the branches beside it are shared
        owner = _own(owner, name, position)
    name, position = path[-1]
    if position is None:
        setattr(owner, name, replacement)
        return result
    children = list(getattr(owner, name))
    if replacement is None:
        del children[position]
        if not children and name == "body":
            children.append(ast.Pass())
    else:
        children[position] = replacement
    setattr(owner, name, children)
    return result


def _own(node: ast.AST, name: str, position: int | None) -> Any:
    """The child of a node, made a copy that the node alone has."""
    value = getattr(node, name)
    if position is None:
        child = copy.copy(value)
        setattr(node, name, child)
        return child
    children = list(value)
    children[position] = child = copy.copy(children[position])
    setattr(node, name, children)
    return child


def _replacements(place: _Place) -> Iterator[Any]:
    """What can stand in the place of a node."""
    node = place.node
    for kind, change in _OPERATORS:
        if isinstance(node, kind):
            yield from change(copy.deepcopy(node))
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from _other_names(node, place.names)


def _changed(node: ast.AST, **fields: Any) -> ast.AST:
    result = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(result, name, value)
    return result


def _binary(node: ast.BinOp) -> Iterator[ast.AST]:
    for other in BINARY.get(type(node.op), ()):
        yield _changed(node, op=other())
    yield node.left
    yield node.right
    if not isinstance(node.op, (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)):
        yield _changed(node, left=node.right, right=node.left)


def _augmented(node: ast.AugAssign) -> Iterator[ast.AST]:
    for other in BINARY.get(type(node.op), ()):
        yield _changed(node, op=other())
    yield ast.Assign(targets=[node.target], value=node.value)


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if not isinstance(node.operand, ast.Constant) or isinstance(node.op, ast.Not):
        yield node.operand


def _comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for position, op in enumerate(node.ops):
        for other in COMPARISONS.get(type(op), ()):
            yield _changed(node, ops=[other() if n == position else each for n, each in enumerate(node.ops)])


def _boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for position in range(len(node.values)):
        rest = [each for n, each in enumerate(node.values) if n != position]
        yield rest[0] if len(rest) == 1 else _changed(node, values=rest)


def _condition(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.AST]:
    yield _changed(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
    if not isinstance(node, ast.While):
        yield _changed(node, test=ast.Constant(True))
    yield _changed(node, test=ast.Constant(False))


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 1.1 if value else 1.0)
        yield ast.Constant(-value)
    elif isinstance(value, str):
        for other in TEXTS.get(value, (value[:-1],) if value else ()):
            yield ast.Constant(other)


def _slice(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is not None:
            yield _changed(node, **{name: None})
            for other in _shifted(bound):
                yield _changed(node, **{name: other})
    if node.step is not None:
        yield _changed(node, step=None)


def _shifted(node: ast.expr) -> Iterator[ast.expr]:
    """One more and one less; constants are changed as constants."""
    if not isinstance(node, ast.Constant):
        yield ast.BinOp(left=node, op=ast.Add(), right=ast.Constant(1))
        yield ast.BinOp(left=node, op=ast.Sub(), right=ast.Constant(1))


def _call(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    for other in FUNCTIONS.get(name, ()):
        func = copy.deepcopy(node.func)
        setattr(func, "id" if isinstance(func, ast.Name) else "attr", other)
        yield _changed(node, func=func)
    for position in range(len(node.keywords)):
        yield _changed(node, keywords=[each for n, each in enumerate(node.keywords) if n != position])
    for position in range(len(node.args) - 1 if name not in SYMMETRIC else 0):
        args = list(node.args)
        args[position], args[position + 1] = args[position + 1], args[position]
        yield _changed(node, args=args)
    if len(node.args) > 1:
        yield _changed(node, args=node.args[:-1])
    if node.args and not isinstance(node.args[0], (ast.Starred, ast.GeneratorExp)):
        yield node.args[0]
    elif not node.args and isinstance(node.func, ast.Attribute):
        yield node.func.value
    if name == "range":
        for position, argument in enumerate(node.args):
            for other in _shifted(argument):
                yield _changed(node, args=[other if n == position else each for n, each in enumerate(node.args)])


# --- subtle mutants --------------------------------------------------------------------------------------------------


def _subtle_replacements(place: _Place) -> Iterator[Any]:
    """What can stand in the place of a node and is overlooked by checks: see the text of this module."""
    node = copy.deepcopy(place.node)
    if isinstance(node, ast.Return) and node.value is not None:
        yield from _other_results(node, place.parameters)
    elif isinstance(node, ast.Call):
        yield from _subtle_calls(node)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        yield _made("-(-(left) // (right))", left=node.left, right=node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = node.operand
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.FloorDiv):
            top = inner.left.operand if isinstance(inner.left, ast.UnaryOp) else ast.UnaryOp(ast.USub(), inner.left)
            yield _made("(top) // (below) + 1", top=top, below=inner.right)
    elif isinstance(node, ast.For):
        yield _changed(node, iter=_turned(node.iter))
    elif isinstance(node, (ast.ListComp, ast.DictComp, ast.GeneratorExp)):
        for number, generator in enumerate(node.generators):
            turned = _changed(generator, iter=_turned(generator.iter))
            yield _changed(node, generators=[turned if n == number else each for n, each in enumerate(node.generators)])


def _subtle_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if isinstance(node.func, ast.Attribute):
        for other in AGGREGATES.get(name, ()):
            yield _renamed(node, other)
        if name in RECEIVED and node.args:
            yield node.func.value
    for keyword, value in SETTINGS.get(name, ()):
        if keyword not in [each.arg for each in node.keywords]:
            yield _changed(node, keywords=[*node.keywords, ast.keyword(keyword, ast.Constant(value))])
    yield from _other_ties(node, name)
    if name == "ceil":
        yield _made("floored + 1", floored=_renamed(node, "floor"))
    if name == "floor":
        yield _made("ceiled - 1", ceiled=_renamed(node, "ceil"))
    if name in SOLVERS and len(node.args) >= 2:
        cut = [_made("(rows)[: (first).shape[1]]", rows=each, first=node.args[0]) for each in node.args[:2]]
        yield _changed(node, args=[*cut, *node.args[2:]])


def _turned(items: ast.expr) -> ast.expr:
    return _made("list(items)[::-1]", items=items)


def _renamed(node: ast.Call, name: str) -> ast.Call:
    func = copy.deepcopy(node.func)
    setattr(func, "id" if isinstance(func, ast.Name) else "attr", name)
    return _changed(node, func=func)


def _made(text: str, **parts: ast.expr) -> ast.expr:
    """The expression of that text, with parts of the answer in the place of names."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return copy.deepcopy(parts.get(node.id, node))

    return Fill().visit(ast.parse(text, mode="eval").body)


def _other_ties(node: ast.Call, name: str) -> Iterator[ast.AST]:
    """The same call, where the last of equals wins in the place of the first."""
    by_key = any(each.arg == "key" for each in node.keywords)
    if isinstance(node.func, ast.Name) and node.args and (name == "sorted" or name in ("min", "max") and by_key):
        yield _changed(node, args=[_turned(node.args[0]), *node.args[1:]])
    if name not in ("argmax", "argmin", "argsort") or not isinstance(node.func, ast.Attribute):
        return
    owner = node.func.value
    method = not (isinstance(owner, ast.Name) and owner.id in ("np", "numpy", "ops"))
    given = {each.arg: each.value for each in node.keywords}
    rest = list(node.args if method else node.args[1:])
    values = owner if method else node.args[0] if node.args else given.get("a", owner)
    axis = rest[0] if rest else given.get("axis", ast.Constant(-1 if name == "argsort" else None))
    if name == "argsort":
        text = "(lambda each, axis: each.shape[axis] - 1 - np.argsort(np.flip(each, axis), axis=axis, kind='stable'))"
        text += "(np.asarray(values), which)"
    else:
        text = f"(lambda each, axis: (each.size if axis is None else each.shape[axis]) - 1 - np.{name}("
        text += "np.flip(each, axis), axis=axis))(np.asarray(values), which)"
    yield _made(text, values=values, which=axis)


def _other_results(node: ast.Return, parameters: tuple[str, ...]) -> Iterator[ast.AST]:
    """The result in another type, and aggregated over its first axis."""
    if isinstance(node.value, (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Compare, ast.BoolOp)):
        return
    if not _is_whole(node.value):
        yield ast.Return(_made("np.asarray(result).astype(int)", result=node.value))
        for each in parameters[:2]:
            if each != "self":
                text = "np.asarray(result).astype(np.asarray(argument).dtype)"
                yield ast.Return(_made(text, result=node.value, argument=ast.Name(each, ast.Load())))
    for text in (
        "np.asarray(result)[::-1]",
        "np.broadcast_to(np.mean(result, axis=0, keepdims=True), np.shape(result))",
        "np.broadcast_to(np.asarray(result)[:1], np.shape(result))",
    ):
        yield ast.Return(_made(text, result=node.value))


def _is_whole(node: ast.expr) -> bool:
    """Whether an expression looks like a whole number, which another type does not change."""
    parts = list(ast.walk(node))
    whole = any(isinstance(each, (ast.FloorDiv, ast.Mod)) for each in parts)
    whole |= any(isinstance(each, ast.Name) and each.id in ("int", "len", "round") for each in parts)
    return whole and not any(isinstance(each, ast.Div) for each in parts)


# --- the operators ---------------------------------------------------------------------------------------------------


def _attribute(node: ast.Attribute) -> Iterator[ast.AST]:
    if node.attr in ("T", "mT"):
        yield node.value


def _sequence(node: ast.Tuple | ast.List) -> Iterator[ast.AST]:
    for position in range(len(node.elts) - 1):
        elements = list(node.elts)
        elements[position], elements[position + 1] = elements[position + 1], elements[position]
        yield _changed(node, elts=elements)


def _subscript(node: ast.Subscript) -> Iterator[ast.AST]:
    if isinstance(node.slice, (ast.Name, ast.BinOp)) and isinstance(node.ctx, ast.Load):
        for other in _shifted(node.slice):
            yield _changed(node, slice=other)


def _comprehension(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Iterator[ast.AST]:
    for number, generator in enumerate(node.generators):
        for position in range(len(generator.ifs)):
            less = _changed(generator, ifs=[each for n, each in enumerate(generator.ifs) if n != position])
            yield _changed(node, generators=[less if n == number else each for n, each in enumerate(node.generators)])


def _raise(node: ast.Raise) -> Iterator[ast.AST]:
    error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(error, ast.Name):
        other = "TypeError" if error.id != "TypeError" else "ValueError"
        yield ast.Raise(exc=ast.Name(id=other, ctx=ast.Load()), cause=None)


def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None:
        yield ast.Return(value=None)


def _jump(node: ast.Break | ast.Continue) -> Iterator[ast.AST]:
    yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()


def _statement(node: ast.stmt) -> Iterator[None]:
    if not isinstance(node, (ast.Return, ast.Pass, ast.FunctionDef, ast.ClassDef)):
        yield None


def _other_names(node: ast.Name, groups: Iterable[tuple[str, ...]]) -> Iterator[ast.AST]:
    others = dict.fromkeys(other for group in groups if node.id in group for other in group)
    for other in others:
        if other not in (node.id, "self"):
            yield ast.Name(id=other, ctx=ast.Load())


_OPERATORS: tuple[tuple[Any, Callable[[Any], Iterator[Any]]], ...] = (
    (ast.BinOp, _binary),
    (ast.AugAssign, _augmented),
    (ast.UnaryOp, _unary),
    (ast.Compare, _comparison),
    (ast.BoolOp, _boolean),
    ((ast.If, ast.IfExp, ast.While), _condition),
    (ast.Constant, _constant),
    (ast.Slice, _slice),
    (ast.Call, _call),
    (ast.Attribute, _attribute),
    ((ast.Tuple, ast.List), _sequence),
    (ast.Subscript, _subscript),
    ((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _comprehension),
    (ast.Raise, _raise),
    (ast.Return, _return),
    ((ast.Break, ast.Continue), _jump),
    (ast.stmt, _statement),
)


# --- the attack ------------------------------------------------------------------------------------------------------


@dataclass
class Report:
    """What came of the mutants of one exercise."""

    exercise: str
    title: str
    tried: int = 0
    killed: int = 0
    equivalent: int = 0
    survived: list[Mutant] = field(default_factory=list)
    lucky: list[tuple[Mutant, int, int]] = field(default_factory=list)  # and in how many draws of how many
    unneeded: list[str] = field(default_factory=list)  # entries of the list that are no survivors
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing that is truly wrong passed, and the list of equivalents is right."""
        return not (self.survived or self.lucky or self.unneeded)

    def line(self) -> str:
        """One row of the table."""
        passed = len(self.survived) + len(self.lucky)
        return (
            f"{self.exercise:<6} {self.title[:38]:<38} {self.tried:>5} {self.killed:>7} {self.equivalent:>11} "
            f"{passed:>9} {self.seconds:>6.1f} s"
        )


def equivalents(path: Path = EQUIVALENT) -> dict[str, dict[str, str]]:
    """The reviewed list: exercise -> mutant -> why it is no mistake."""
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {id: {each["mutant"]: each["reason"] for each in listed} for id, listed in content.items()}


def attack(
    exercise: Any,
    lesson: Any,
    known: dict[str, str],
    seeds: int = SEEDS,
    only: Callable[[int], bool] = lambda number: True,
    many: int = MANY,
    show: Callable[[str], None] = lambda text: None,
) -> Report:
    """Check every mutant of an exercise's reference answer.

    Args:
        exercise: of ``cnnlib.exercises``.
        lesson: a ``cnnlib.exercises.replay.Lesson`` that holds its answer.
        known: mutant -> why it is no mistake.
        seeds: how many draws of cases.
        only: which mutants are tried, by their number.
        many: how many draws where the first do not settle it.
        show: called with a line for each mutant.
    """
    from cnnlib.exercises import source

    report = Report(exercise.id, exercise.title)
    started = time.monotonic()
    cells = source.answer_cells(exercise.id, lesson.path)
    texts = [cell.source for cell in cells]
    names = []
    lesson.before(exercise.id)  # once, and without a limit: a mutant is not killed by what the lesson takes
    with _quick(exercise):
        for position, text in enumerate(texts):
            for number, mutant in enumerate(mutants(text)):
                names.append(mutant.name)
                if not only(number):
                    continue
                others = [source.without_markers(each) for each in texts]
                whole = "\n\n".join([*others[:position], mutant.source, *others[position + 1 :]])
                passed, draws = _passes(exercise, lesson, whole, seeds, seeds if mutant.name in known else many)
                report.tried += 1
                said = f"accepted in {passed} of {draws} draws" if passed else "killed"
                show(f"  {said:<28} {mutant.name}")
                _count(report, mutant, passed, draws, known)
    report.unneeded += [name for name in known if name not in names]
    report.seconds = time.monotonic() - started
    return report


def _count(report: Report, mutant: Mutant, passed: int, seeds: int, known: dict[str, str]) -> None:
    if mutant.name in known:
        if passed:
            report.equivalent += 1
        else:
            report.killed += 1
            report.unneeded.append(mutant.name)
    elif not passed:
        report.killed += 1
    elif passed == seeds:
        report.survived.append(mutant)
    else:
        report.lucky.append((mutant, passed, seeds))


def _passes(exercise: Any, lesson: Any, text: str, seeds: int, many: int) -> tuple[int, int]:
    """In how many draws of cases an answer is right, and of how many."""
    from cnnlib.exercises import Outcome
    from cnnlib.exercises.sandbox import Sandbox

    with Sandbox(10 * TIME_LIMIT) as sandbox:
        defined = sandbox.run(lambda: lesson.answers(exercise.id, text))
    if defined.failed:
        return 0, seeds
    passed, draws, said = 0, 0, set()
    started = time.monotonic()
    while draws < max(seeds, many):
        os.environ["CNNLIB_CHECK_SEED"] = str(draws)
        result = exercise.check(*defined.value)
        draws += 1
        passed += result.outcome == Outcome.RIGHT
        said.add(result.message)
        if "was stopped" in result.message:
            break  # it will not end with other numbers either
        if draws >= seeds and (len(said) == 1 and not passed or time.monotonic() - started > MANY_SECONDS):
            break  # always the same case rejects it
    return passed, draws


@contextlib.contextmanager
def _quick(exercise: Any) -> Iterator[None]:
    """No looking for misconceptions, a short time limit, no progress."""
    changed = {"misconceptions": (), "time_limit": max(TIME_LIMIT, exercise.time_limit / 5)}
    before = {name: getattr(exercise, name) for name in changed if hasattr(exercise, name)}
    environment = {name: os.environ.get(name) for name in ("CNNLIB_PROGRESS", "CNNLIB_CHECK_SEED")}
    os.environ["CNNLIB_PROGRESS"] = "off"
    for name in before:
        setattr(exercise, name, changed[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(exercise, name, value)
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


# --- the command -----------------------------------------------------------------------------------------------------

HEAD = f"{'':<6} {'exercise':<38} {'tried':>5} {'killed':>7} {'equivalent':>11} {'survived':>9}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if anything survives."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lesson", action="append", help="number of a lesson, 01; several times for several")
    parser.add_argument("--exercise", action="append", help="id of an exercise, 01.2; several times for several")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of cases for each mutant")
    parser.add_argument("--many", type=int, default=MANY, help="draws where the first ones do not settle it")
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"))
    parser.add_argument("-v", "--verbose", action="store_true", help="show each mutant")
    options = parser.parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("CNNLIB_STATIC", "1")

    from cnnlib import runtime
    from cnnlib.exercises import catalogue, replay
    from cnnlib.exercises.course import number

    with contextlib.redirect_stdout(io.StringIO()):
        runtime.setup()
    ids = [
        id
        for id in catalogue.listed()
        if (not options.lesson or id.split(".")[0] in [number(each) for each in options.lesson])
        and (not options.exercise or id in options.exercise)
    ]
    if not ids:
        parser.error("there is no such lesson or exercise")
    known = equivalents()
    print(HEAD)
    reports = []
    for id in ids:
        show = print if options.verbose else lambda text: None
        exercise = catalogue.exercise(id)
        with contextlib.redirect_stdout(sys.stdout if options.verbose else io.StringIO()):
            report = attack(
                exercise,
                replay.lesson(id.split(".")[0]),
                known.get(id, {}),
                options.seeds,
                many=options.many,
                show=show,
            )
        reports.append(report)
        print(report.line(), flush=True)
    total = Report("", "all")
    for report in reports:
        total.tried, total.killed = total.tried + report.tried, total.killed + report.killed
        total.equivalent, total.seconds = total.equivalent + report.equivalent, total.seconds + report.seconds
        total.survived, total.lucky = total.survived + report.survived, total.lucky + report.lucky
    print(total.line())
    for report in reports:
        _print_passed(report)
    return 0 if all(report.clean for report in reports) else 1


def _print_passed(report: Report) -> None:
    if report.clean:
        return
    print(f"\n{report.exercise} · {report.title}")
    for mutant in report.survived:
        print(f"  survives\n    - {mutant.before}\n    + {mutant.after}")
    for mutant, passed, seeds in report.lucky:
        print(f"  accepted in {passed} of {seeds} draws\n    - {mutant.before}\n    + {mutant.after}")
    for name in report.unneeded:
        print(f"  in {EQUIVALENT.name}, but no survivor\n    {name}")


if __name__ == "__main__":
    sys.exit(main())
