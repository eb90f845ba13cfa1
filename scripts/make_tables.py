"""Fill the tables in README.md and docs/ from benchmarks/results/*.json.

A table stands between two marks and is never typed:

    <!-- table: reading -->
    <!-- /table -->

``reading`` names ``benchmarks/results/reading.json``; after it may follow the names of the records wanted,
in the order wanted. A result that is a table itself, ``{"head": [...], "rows": [[...], ...]}``, is shown as it is.
``python scripts/make_tables.py`` rewrites the blocks, ``--check`` only says which are stale and exits with 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?P<open><!-- table: (?P<what>[^>]*?) -->\n)(?P<body>.*?)(?P<close><!-- /table -->)", re.DOTALL)
HEAD = ("figure", "value", "interval", "compared with", "its value", "better", "measured on")


class TableError(Exception):
    """A block names results that are not there; the message says which."""


def pages(root: Path) -> list[Path]:
    """README.md and every Markdown file under docs/, sorted."""
    return [p for p in [root / "README.md", *sorted((root / "docs").rglob("*.md"))] if p.is_file()]


def filled(text: str, results: Path, where: str) -> str:
    """``text`` with every block made anew.

    Raises:
        TableError: a block is not closed, or names a topic or record that is not there.
    """
    opened, closed = text.count("<!-- table: "), text.count("<!-- /table -->")
    if opened != closed or opened != len(BLOCK.findall(text)):
        raise TableError(f"{where}: {opened} tables opened, {closed} closed")

    def replace(found: re.Match[str]) -> str:
        topic, *names = found["what"].split()
        whole = _whole(results / f"{topic}.json")
        if whole is not None:
            return f"{found['open']}{whole}{found['close']}"
        return f"{found['open']}{table(records(results, topic, names, where))}{found['close']}"

    return BLOCK.sub(replace, text)


def _whole(path: Path) -> str | None:
    """A result that is a table itself as Markdown, else None."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not isinstance(found, dict):
        return None
    lines = [found["head"], ["---"] * len(found["head"]), *found["rows"]]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def records(results: Path, topic: str, names: list[str], where: str) -> list[dict[str, Any]]:
    """Records of a topic, all of them or those named, in the order named."""
    path = results / f"{topic}.json"
    if not path.is_file():
        raise TableError(f"{where}: there are no results for the topic {topic!r}")
    found = {record["name"]: record for record in json.loads(path.read_text(encoding="utf-8"))}
    if missing := [name for name in names if name not in found]:
        raise TableError(f"{where}: {topic!r} has no record {', '.join(missing)}")
    return [found[name] for name in names] if names else list(found.values())


def table(rows: list[dict[str, Any]]) -> str:
    """Records as a Markdown table, columns left out where no record fills them."""
    cells = [_cells(row) for row in rows]
    used = [i for i in range(len(HEAD)) if any(row[i] for row in cells)]
    lines = ["| " + " | ".join(HEAD[i] for i in used) + " |", "|" + "---|" * len(used)]
    lines += ["| " + " | ".join(row[i].replace("|", "\\|") for i in used) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """Four significant digits at most, never in powers of ten below a billion.

    >>> number(0.95234), number(12345.6), number(50)
    ('0.9523', '12346', '50')
    """
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    interval = row.get("interval")
    return (
        str(row["name"]),
        f"{number(row['value'])} {row['unit']}".strip(),
        f"{number(interval[0])} to {number(interval[1])}" if interval else "",
        str(row.get("rival") or ""),
        number(row.get("rival_value")),
        str(row["better"]),
        f"{row['machine']}, {row['date']}",
    )


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Rewrite the pages, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fill the tables in the documentation from benchmark results.")
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 where a table is stale")
    check = parser.parse_args(arguments).check
    stale = []
    for page in pages(root):
        name = page.relative_to(root).as_posix()
        text = page.read_text(encoding="utf-8")
        try:
            new = filled(text, root / "benchmarks" / "results", name)
        except TableError as error:
            print(error, file=sys.stderr)
            return 2
        if new != text:
            stale.append(name)
            if not check:
                page.write_text(new, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale, run scripts/make_tables.py' if check else 'tables made anew'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
