"""The rooms know each other only along the arrows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "wildstyle"

EVERYTHING = {"report", "adaptation", "synthesis", "evaluation", "recognisers", "madeup", "faces", "training", "runs"}
ARROWS: dict[str, set[str]] = {
    "cli": {"verbs", *EVERYTHING},
    "verbs": EVERYTHING,
    "report": {"evaluation", "runs"},
    "madeup": {"faces"},
    "adaptation": {"synthesis", "recognisers", "faces", "training", "evaluation"},
    "synthesis": {"recognisers", "faces", "training"},
    "recognisers": {"faces", "training"},
    "evaluation": {"faces"},
    "training": set(),
    "faces": set(),
    "runs": set(),
}
LEAVES = ("errors", "randomness", "runs.atomic")
WITHOUT_TORCH = ("faces", "evaluation", "report", "runs")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first if first in ARROWS else ""


def imported(path: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Dotted names of everything imported anywhere in a module, with the line."""
    package = ["wildstyle", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module or "") if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def wrong_imports(path: Path, text: str) -> list[str]:
    room = room_of(path)
    if not room:
        return []
    allowed = (room, *ARROWS[room], *LEAVES)
    found = []
    for line, name in imported(path, ast.parse(text)):
        inside = name.removeprefix("wildstyle.")
        # The public door may be named for its version, never for its verbs.
        if inside == name or inside == "__version__":
            continue
        if not any(inside == a or inside.startswith(f"{a}.") for a in allowed):
            found.append(f"{path.relative_to(SOURCE)}:{line} {room} imports {inside}")
    return found


def torch_at_import(path: Path, text: str) -> list[int]:
    """Lines that import torch when the module is imported."""

    def lines(body: list[ast.stmt]) -> Iterator[int]:
        for node in body:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.Import) and any(a.name.split(".")[0] == "torch" for a in node.names):
                yield node.lineno
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
                yield node.lineno
            if isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
                yield from lines(node.body)

    return list(lines(ast.parse(text).body))


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_arrows(path: Path) -> None:
    assert wrong_imports(path, path.read_text(encoding="utf-8")) == []


def test_rooms_without_torch() -> None:
    found = {
        str(path.relative_to(SOURCE)): lines
        for path in modules()
        if room_of(path) in WITHOUT_TORCH and (lines := torch_at_import(path, path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_every_room_has_arrows() -> None:
    rooms = {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    assert rooms <= ARROWS.keys()


def test_an_arrow_against_the_stream_is_found() -> None:
    faces, report = SOURCE / "faces" / "x.py", SOURCE / "report" / "x.py"
    assert wrong_imports(faces, "from wildstyle.report import decide")
    assert wrong_imports(faces, "def f():\n    import wildstyle.training.loop")
    assert wrong_imports(faces, "from ..recognisers import contract")
    assert wrong_imports(report, "from wildstyle import recognisers")
    assert wrong_imports(SOURCE / "training" / "x.py", "from wildstyle.runs.folder import RunFolder")
    assert wrong_imports(report, "from wildstyle import adapt")
    assert not wrong_imports(report, "from wildstyle.evaluation.result import Result\nfrom . import svg")
    assert not wrong_imports(faces, "from wildstyle.runs.atomic import write_text\nimport wildstyle.errors")


def test_torch_inside_a_function_is_no_import_of_the_module() -> None:
    assert torch_at_import(SOURCE, "def f():\n    import torch") == []
    assert torch_at_import(SOURCE, "try:\n    import torch.nn\nexcept ImportError:\n    pass") == [2]
