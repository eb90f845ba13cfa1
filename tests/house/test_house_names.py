"""No file of the repository names a machine's folders, a package registry's host or people's real data."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).name

FORBIDDEN = {
    "a folder of one machine": re.compile(r"(?<![\w.>}*)/-])/(?:work|root|home/\w+|Users/\w+|mnt|scratch)/\w"),
    "a Windows user folder": re.compile(r"[A-Z]:\\+Users\\+\w", re.IGNORECASE),
    "a registry host": re.compile(
        r"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|registry|mirror|proxy)[\w.-]*|--(?:extra-)?index-url",
        re.IGNORECASE,
    ),
    "a path that leads out of the repository": re.compile(r"\.\./shared"),
}
TEXT = {".py", ".md", ".toml", ".txt", ".cfg", ".json", ".yml", ".yaml", ".sh", ".html", ".css", ".csv", ""}
# The job that runs the tests must know where the data of its machine lie.
EXEMPT = {"a path that leads out of the repository": {".ci/run"}}


def files() -> list[Path]:
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout: the files of the repository can't be listed")
    found = [ROOT / name for name in done.stdout.split("\0") if name]
    return [p for p in found if p.is_file() and p.suffix in TEXT and p.name != HERE]


def faults(text: str, name: str) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1} names {what}: {found[0]}"
        for what, pattern in FORBIDDEN.items()
        if name not in EXEMPT.get(what, ())
        for found in pattern.finditer(text)
    ]


def test_nothing_names_a_machine() -> None:
    found = []
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += faults(text, path.relative_to(ROOT).as_posix())
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "cd " + "/".join(("", "work", "main")),
        'Path("/home/anna/data")',
        "at C:\\Users\\anna",
        "https://pypi.example.org/simple",
        "pip --extra-index-url x",
        "../shared/data",
    ],
)
def test_faults_are_found(text: str) -> None:
    assert faults(text, "some/file.py")


@pytest.mark.parametrize("text", ["<run>/work/stage", "self.work/x", "https://arxiv.org/abs/1", "a/home/anna/b"])
def test_innocent_text_passes(text: str) -> None:
    assert faults(text, "some/file.py") == []
