"""Learn a camera from unlabelled footage, on its own: the first half of adapting, for whoever wants the generator."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from wildstyle.errors import InputError
from wildstyle.faces import FaceSource
from wildstyle.faces.cutting import IngestOptions
from wildstyle.faces.decode import encode_png
from wildstyle.faces.source import Subset
from wildstyle.recognisers import Recogniser
from wildstyle.report import store_diagnostics
from wildstyle.runs import RunFolder, describe_input, gather_provenance, inputs_hash
from wildstyle.runs.atomic import write_bytes
from wildstyle.synthesis import (
    FitSettings,
    Generator,
    StyleGenerator,
    fit_generator,
    fit_onto,
    save_generator,
    style_sheet,
)
from wildstyle.synthesis.checkpoint import load_generator
from wildstyle.synthesis.diagnostics import some_source
from wildstyle.synthesis.explaining import AxisExplanation
from wildstyle.synthesis.watching import Look, Watch
from wildstyle.training import LoopPlan
from wildstyle.verbs.configuration import resolved
from wildstyle.verbs.preparing import prepare
from wildstyle.verbs.progress import Progress, Silent, steps_to
from wildstyle.verbs.recogniser_of import recogniser_of
from wildstyle.verbs.recording import fit_diagnostics

GENERATOR = "generator.safetensors"
LOOKS = "looks"
AXES = "axes"
_SHEET_FACES = 4

MAY_DIFFER = ("workers", "out", "sheets", "every")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """A camera to be learnt.

    Attributes:
        recogniser: model file; a frozen copy measures identity.
        source: clean faces, no label needed.
        target: unlabelled footage.
        out: run folder; gets the generator, its axes in words, sample sheets and figures.
        contract, detector: as in ``AdaptJob``.
        budget_seconds: time for the fit.
        steps: exact number of steps instead.
        every: steps between looks at the generator.
        patience: looks without a new best after which the fit ends; 0: never early.
        sheets: write a sample sheet at every look; it shows people's faces.
        seed: of everything random.
        name: of the camera, among those a generator knows; None: that of its footage's set.
        onto: file of a fitted generator that is to know this footage's camera as well; None: a new generator.
        detection, synthesis: settings of the stages.
    """

    recogniser: Path
    source: Path
    target: tuple[Path, ...]
    out: Path
    contract: str | None = None
    detector: Path | None = None
    budget_seconds: float = 1500.0
    steps: int | None = None
    every: int = 200
    patience: int = 8
    sheets: bool = True
    seed: int = 0
    name: str | None = None
    onto: Path | None = None
    detection: IngestOptions = field(default_factory=IngestOptions)
    synthesis: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True)
class Fitted:
    """What a fit left.

    Attributes:
        folder: the run folder.
        generator: the fitted generator.
        axes: what each axis does.
        looks: distances to held-back footage on the way.
        figures: the diagnostics.
    """

    folder: RunFolder
    generator: StyleGenerator
    axes: tuple[AxisExplanation, ...]
    looks: tuple[Look, ...]
    figures: dict[str, Any]


def fit(job: FitJob, *, progress: Progress | None = None, arguments: tuple[str, ...] = ()) -> Fitted:
    """Learn the camera, or go on with an interrupted fit of the same job.

    Raises:
        InputError, ContractError, NotMeasurable: something the user gave can't be used.
        SettingError: ``job.out`` holds something else.
        Interrupted: stopped; the same call goes on.
    """
    progress = progress or Silent()
    recogniser, _ = recogniser_of(job.recogniser, job.contract, job.source)
    inputs = inputs_hash(
        recogniser.hash,
        describe_input(job.source),
        [describe_input(path) for path in (*job.target, *([job.onto] if job.onto else []))],
        {key: value for key, value in resolved(job).items() if key not in (*MAY_DIFFER, "recogniser")},
    )
    folder = RunFolder.create(job.out, resolved(job), command="fit", may_differ=MAY_DIFFER)
    folder.write_json("provenance", _provenance(job, arguments))
    if not folder.stage_done("fit", inputs):
        _run(job, recogniser, folder, inputs, progress)
    generator, notes = load_generator(folder.file(GENERATOR))
    axes = tuple(_axis(value) for value in folder.read_json(AXES))
    return Fitted(folder, generator, axes, tuple(_looks(folder)), dict(notes))


def _run(job: FitJob, recogniser: Recogniser, folder: RunFolder, inputs: str, progress: Progress) -> None:
    sides = [
        prepare(
            paths,
            recogniser,
            folder.work("prepare") / name,
            name=name,
            detector=job.detector,
            settings=job.detection,
            progress=progress,
        ).faces
        for name, paths in (("source", (job.source,)), ("target", job.target))
    ]
    source, target = sides
    if job.name is not None:
        target = Subset(target, range(len(target)), name=job.name)
    started, work = time.monotonic(), folder.work("fit")
    progress.stage("learn the camera", f"{len(target):,} faces of footage")
    settings = replace(job.synthesis, seed=job.seed)
    plan = LoopPlan(
        steps=job.steps,
        budget_seconds=None if job.steps is not None else job.budget_seconds,
        seed=job.seed,
        identity=inputs,
    )
    watch = Watch(
        every=job.every,
        patience=job.patience,
        seen=_Keeper(folder, source, settings, job.sheets, progress),
        before=_looks(folder),
        on_step=steps_to(progress),
        on_complaint=progress.note,
    )
    onto = _onto(job)
    if onto is None:
        fitted = fit_generator(source, target, recogniser, settings, work, plan=plan, watch=watch)
    else:
        fitted = fit_onto(onto, (source, target), recogniser, settings, work, plan=plan, watch=watch)
    save_generator(fitted.generator, folder.file(GENERATOR), fitted.diagnostics.as_record())
    folder.write_json(AXES, [axis.as_record() for axis in fitted.axes])
    store_diagnostics(folder, fit_diagnostics(fitted, work))
    for complaint in fitted.complaints:
        progress.note(str(complaint))
    outputs = [GENERATOR, f"{AXES}.json"]
    summary = f"learnt the camera from {len(target):,} unlabelled faces in {fitted.loop.steps:,} steps"
    folder.finish_stage("fit", inputs, summary=summary, seconds=time.monotonic() - started, outputs=outputs)
    if job.sheets:
        _sheet(folder, fitted.generator, source, settings, "axes")
    progress.note(summary)


def _onto(job: FitJob) -> Generator | None:
    if job.onto is None:
        return None
    generator, _ = load_generator(job.onto)
    if not isinstance(generator, Generator):
        raise InputError(
            f"a generator of the kind {generator.kind!r} knows one camera only",
            where=job.onto,
            remedy="give one of the default kind",
        )
    return generator


class _Keeper:
    """Writes down what was seen at each look."""

    def __init__(
        self, folder: RunFolder, source: FaceSource, settings: FitSettings, sheets: bool, progress: Progress
    ) -> None:
        self.folder, self.source, self.settings, self.sheets, self.progress = folder, source, settings, sheets, progress

    def __call__(self, look: Look, generator: StyleGenerator) -> None:
        # A run that was set back to an older checkpoint looks again at steps it has seen.
        kept = [one for one in _looks(self.folder) if one.step < look.step]
        self.folder.write_json(LOOKS, [asdict(one) for one in (*kept, look)])
        self.progress.note(f"step {look.step:,}: distance to held-back footage {look.distance:.3f}")
        if self.sheets:
            _sheet(self.folder, generator, self.source, self.settings, f"step-{look.step:06d}")


def _sheet(folder: RunFolder, generator: StyleGenerator, source: FaceSource, settings: FitSettings, name: str) -> None:
    """Rows: signed axes; columns: magnitudes."""
    images = some_source(source, settings, _SHEET_FACES)
    write_bytes(folder.file(f"sheets/{name}.png"), encode_png(style_sheet(generator, images)))


def _looks(folder: RunFolder) -> Sequence[Look]:
    if not folder.file(f"{LOOKS}.json").is_file():
        return []
    try:
        return [Look(int(one["step"]), float(one["distance"])) for one in folder.read_json(LOOKS)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("can't be read", where=folder.file(f"{LOOKS}.json"), remedy="delete it") from error


def _axis(value: dict[str, Any]) -> AxisExplanation:
    factors = {name: (float(a), float(b)) for name, (a, b) in value["factors"].items()}
    words = value["plus"], value["minus"], value["always"]
    return AxisExplanation(value["axis"], *words, factors, value["moved"], value["shifted"])


def _provenance(job: FitJob, arguments: tuple[str, ...]) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "recogniser": job.recogniser,
        "source": job.source,
        "target": list(job.target),
        "detector": job.detector,
    }
    return gather_provenance(seeds={"run": job.seed}, inputs=inputs, arguments=arguments)
