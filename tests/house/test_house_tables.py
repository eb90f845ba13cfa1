"""Tables in the documentation come from benchmark results."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def make_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "scripts" / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(name: str, **changes: Any) -> dict[str, Any]:
    base = {"name": name, "value": 0.97123, "unit": "ratio", "better": "higher", "rival": None, "rival_value": None}
    return {**base, "interval": [0.95, 0.99], "machine": "a|b", "date": "2026-01-01", **changes}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "reading.json").write_text(json.dumps([record("one"), record("two", interval=None)]))
    (tmp_path / "README.md").write_text("# Title\n\n<!-- table: reading -->\nold\n<!-- /table -->\nend\n")
    return tmp_path


def test_documentation_is_fresh(make_tables: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    status = make_tables.main(["--check"])
    assert status == 0, capsys.readouterr()


def test_block_is_filled_and_stays(make_tables: ModuleType, checkout: Path) -> None:
    assert make_tables.main(["--check"], checkout) == 1
    assert "old" in (checkout / "README.md").read_text()
    assert make_tables.main([], checkout) == 0
    text = (checkout / "README.md").read_text()
    assert "| one | 0.9712 ratio | 0.95 to 0.99 | higher | a\\|b, 2026-01-01 |" in text
    assert "| two | 0.9712 ratio |  | higher |" in text
    assert text.startswith("# Title\n")
    assert text.endswith("<!-- /table -->\nend\n")
    assert make_tables.main(["--check"], checkout) == 0


def test_changed_result_makes_it_stale(make_tables: ModuleType, checkout: Path) -> None:
    make_tables.main([], checkout)
    (checkout / "benchmarks" / "results" / "reading.json").write_text(json.dumps([record("one", value=0.5)]))
    assert make_tables.main(["--check"], checkout) == 1


def test_named_records_come_in_the_order_named(make_tables: ModuleType, checkout: Path) -> None:
    (checkout / "README.md").write_text("<!-- table: reading two one -->\n<!-- /table -->\n")
    make_tables.main([], checkout)
    text = (checkout / "README.md").read_text()
    assert text.index("| two |") < text.index("| one |")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- table: nothing -->\n<!-- /table -->\n",
        "<!-- table: reading three -->\n<!-- /table -->\n",
        "<!-- table: reading -->\nnever closed\n",
    ],
)
def test_wrong_block_is_refused(make_tables: ModuleType, checkout: Path, text: str) -> None:
    (checkout / "docs" / "page.md").write_text(text)
    assert make_tables.main([], checkout) == 2
    assert (checkout / "docs" / "page.md").read_text() == text
