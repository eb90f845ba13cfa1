"""What is public: the names in ``__all__`` of the package and of each room, and nothing else."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "wildstyle"


def doors() -> list[str]:
    """The package and its rooms, those that say what is public."""
    candidates = [SOURCE / "__init__.py", *sorted(SOURCE.glob("*/__init__.py"))]
    return [p.parent.relative_to(SOURCE.parent).as_posix().replace("/", ".") for p in candidates if p.is_file()]


def tree_of(module: str) -> ast.Module:
    return ast.parse((SOURCE.parent / module.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))


def stated(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(node, ast.Assign | ast.AnnAssign):
            return [str(name) for name in ast.literal_eval(node.value)] if node.value else None
    return None


def isort_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order the linter keeps."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def bound_names(tree: ast.Module) -> set[str]:
    """Names that importing the module binds at its top level, ``__future__`` aside."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@pytest.mark.parametrize("module", doors())
def test_door(module: str) -> None:
    tree = tree_of(module)
    if not tree.body:
        pytest.skip("the room has no door yet")
    names = stated(tree)
    assert names is not None, "no __all__"
    assert names == sorted(names, key=isort_order)
    assert len(names) == len(set(names))
    assert ast.get_docstring(tree), "no word on what the room is for"
    hidden = {name for name in bound_names(tree) - {"TYPE_CHECKING"} if not name.startswith("_")} - set(names)
    assert hidden == set(), "bound at the door but not public"


@pytest.mark.parametrize("module", doors())
def test_every_public_name_is_there(module: str) -> None:
    names = stated(tree_of(module)) or []
    room = importlib.import_module(module)
    assert [name for name in names if not hasattr(room, name)] == []


def test_checks_can_fail() -> None:
    tree = ast.parse('"""Doc."""\nimport os\nfrom a import b, c as _c\n__all__ = ["Z", "b"]\ndef f(): ...')
    assert stated(tree) == ["Z", "b"]
    assert bound_names(tree) == {"os", "b", "_c", "__all__", "f"}
    assert sorted(["run", "ZERO", "Zebra", "Ape"], key=isort_order) == ["ZERO", "Ape", "Zebra", "run"]
