"""The whole way on made-up people: nothing of the user's is needed, nothing is downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.verbs.adapt import AdaptOutcome, adapt
from wildstyle.verbs.jobs import AdaptJob, EvaluationSpec
from wildstyle.verbs.progress import Progress, Silent


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSize:
    """How much is drawn and how long is learnt.

    Attributes:
        clean_people, clean_shots: labelled clean faces.
        footage_people, footage_shots: unlabelled faces through the bad camera.
        held_back_people: people measured on; nobody else sees them.
        budget_seconds: time for fitting, adapting and measuring.
    """

    clean_people: int = 80
    clean_shots: int = 8
    footage_people: int = 80
    footage_shots: int = 6
    held_back_people: int = 100
    budget_seconds: float = 240.0


def demo(
    out: Path,
    *,
    size: DemoSize | None = None,
    seed: int = 0,
    show_faces: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
    arguments: tuple[str, ...] = (),
) -> AdaptOutcome:
    """Draw made-up people, adapt the small built-in recogniser to a bad camera, and judge the result.

    Args:
        out: folder; ``out/data`` gets the faces, ``out/run`` the run.
        size: how much; the default takes some 5 minutes on two cores.
        seed: of everything random.
        show_faces: the faces are nobody's, so the report shows them unless told otherwise.
        workers: processes that draw; all cores where None.

    Raises:
        Interrupted: stopped; the same call goes on.
        StorageError: the disk is full.
    """
    progress, size = progress or Silent(), size or DemoSize()
    plans = (
        MadeUpSet(kind="clean", people=size.clean_people, shots=size.clean_shots, seed=seed),
        MadeUpSet(kind="footage", people=size.footage_people, shots=size.footage_shots, seed=seed),
        MadeUpSet(kind="held-back", people=size.held_back_people, seed=seed),
    )
    written = []
    for plan in plans:
        progress.stage("draw made-up people", f"{plan.kind}, {len(plan.items()):,} pictures")
        cores = workers or os.cpu_count() or 1
        written.append(write_made_up_set(plan, out / "data", workers=cores, on_progress=progress.step))
    clean, footage, held_back = written
    job = AdaptJob(
        recogniser=demo_recogniser_path(),
        source=clean.faces,
        target=(footage.faces,),
        out=out / "run",
        evaluate=(
            EvaluationSpec(name="bad camera", path=held_back.manifests["camera"], faces=held_back.faces, role="target"),
            EvaluationSpec(name="clean faces", path=held_back.manifests["clean"], faces=held_back.faces, role="guard"),
        ),
        budget_seconds=size.budget_seconds,
        seed=seed,
        include_faces=show_faces,
    )
    return adapt(job, progress=progress, arguments=arguments)
