"""Modules and functions stay small enough to be read at once; errors and output go the agreed ways."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from wildstyle import errors

SOURCE = Path(__file__).parents[2] / "src" / "wildstyle"
MODULE_LINES, FUNCTION_LINES, PARAMETERS = 400, 80, 7

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from ``def`` to the end, docstring left out."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def parameters(function: Function) -> int:
    """Parameters a caller may give, ``self`` and ``cls`` left out."""
    arguments = function.args
    named = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def narrows(node: ast.Assert) -> bool:
    """Whether an assert only tells the type checker what the code above has settled."""
    test = node.test
    is_instance = isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance"
    return is_instance or (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot))


def faults(text: str, name: str, *, screen: bool = False) -> list[str]:
    tree = ast.parse(text)
    found = [f"{name}: {text.count(chr(10))} lines"] if text.count("\n") > MODULE_LINES else []
    found += [
        f"{name}:{f.lineno} {f.name} has {length(f)} lines" for f in functions(tree) if length(f) > FUNCTION_LINES
    ]
    if not screen:
        found += [
            f"{name}:{f.lineno} {f.name} takes {parameters(f)} parameters"
            for f in functions(tree)
            if parameters(f) > PARAMETERS
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and not narrows(node):
            found.append(f"{name}:{node.lineno} assert")
        if not screen and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(f"{name}:{node.lineno} print")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_module(path: Path) -> None:
    # A command's options are its parameters, and it alone writes to the screen.
    screen = path.relative_to(SOURCE).parts[0] == "cli"
    assert faults(path.read_text(encoding="utf-8"), path.relative_to(SOURCE).as_posix(), screen=screen) == []


def test_faults_are_found() -> None:
    body = "\n".join("    x = 1" for _ in range(FUNCTION_LINES))
    assert faults(f"def f():\n{body}\n", "m") == [f"m:1 f has {FUNCTION_LINES + 1} lines"]
    assert faults('def f():\n    """Doc.\n' + "\n" * 90 + '    """\n    return 1\n', "m") == []
    assert faults("x = 1\n" * (MODULE_LINES + 1), "m") == [f"m: {MODULE_LINES + 1} lines"]
    assert len(faults("def f(a, b, c, d, *, e, f, g, h): ...\nassert f\nprint(1)\n", "m")) == 3
    assert faults("class A:\n    def f(self, a, b, c, d, e, f, g): ...\n", "m") == []


def exceptions(path: Path) -> list[str]:
    """Public classes of a module that derive, by name, from something that can be raised.

    Private ones carry a message inside a module and never reach a user.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {n for n, v in vars(builtins).items() if inspect.isclass(v) and issubclass(v, BaseException)}
    known |= {n for n, v in vars(errors).items() if inspect.isclass(v)}
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    public = [c for c in classes if not c.name.startswith("_")]
    return [c.name for c in public if any(ast.unparse(base).split(".")[-1] in known for base in c.bases)]


@pytest.mark.parametrize(
    "path", [p for p in modules() if exceptions(p)], ids=lambda p: p.relative_to(SOURCE).as_posix()
)
def test_errors_have_one_root(path: Path) -> None:
    module = importlib.import_module(".".join(("wildstyle", *path.relative_to(SOURCE).with_suffix("").parts)))
    strays = [name for name in exceptions(path) if not issubclass(getattr(module, name), errors.WildstyleError)]
    assert strays == []


def test_the_tree_of_errors_is_drawn_in_full() -> None:
    drawn = inspect.getdoc(errors) or ""
    kinds = [n for n, v in vars(errors).items() if inspect.isclass(v) and issubclass(v, errors.WildstyleError)]
    assert [name for name in kinds if name not in drawn] == []
