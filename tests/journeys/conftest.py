"""A small world of made-up people for whole runs in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from wildstyle.cli import main
from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.synthesis import FitSettings
from wildstyle.verbs.jobs import AdaptJob, EvaluationSpec


@dataclass(frozen=True)
class World:
    """Files of the small world."""

    recogniser: Path
    clean: Path
    footage: Path
    held_back: Path
    camera: Path

    def job(self, out: Path, **changes: object) -> AdaptJob:
        """A run of a few steps."""
        job = AdaptJob(
            recogniser=self.recogniser,
            source=self.clean,
            target=(self.footage,),
            out=out,
            evaluate=(EvaluationSpec(name="camera", path=self.camera, faces=self.held_back, role="target"),),
            fit_steps=3,
            adapt_steps=3,
            synthesis=FitSettings(batch=8, fewest_faces=20),
        )
        job = replace(job, adaptation=replace(job.adaptation, batch=8))
        return replace(job, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    clean = write_made_up_set(MadeUpSet(kind="clean", people=6, shots=5, seed=9), folder)
    footage = write_made_up_set(MadeUpSet(kind="footage", people=8, shots=4, seed=9), folder)
    held_back = write_made_up_set(MadeUpSet(kind="held-back", people=6, gallery=2, probes=2, seed=9), folder)
    return World(
        recogniser=demo_recogniser_path(),
        clean=clean.faces,
        footage=footage.faces,
        held_back=held_back.faces,
        camera=held_back.manifests["camera"],
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WILDSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: exit code, output, errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wildstyle", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run
