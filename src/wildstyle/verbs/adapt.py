"""The whole way: recogniser + clean faces + footage → an adapted recogniser, figures, and a verdict.

    prepare → measure before → fit → (teach a quality) → adapt (and gate) → export → measure after → report

Each stage leaves its result in the run folder and a marker behind it, so the same command goes on where
an interrupted one stopped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wildstyle.adaptation import Material, adapt_recogniser
from wildstyle.errors import InputError
from wildstyle.evaluation import Outcome, compare
from wildstyle.faces import FaceSource
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser, save_recogniser
from wildstyle.recognisers.export import export_onnx
from wildstyle.recognisers.quality import QualityNetwork
from wildstyle.report import (
    EvaluatedSet,
    Verdict,
    decide_run,
    render_model_card,
    render_report,
    store_diagnostics,
    store_evaluation,
    store_ingested,
    store_licences,
    store_recogniser,
)
from wildstyle.report.verdict import read_verdict
from wildstyle.runs import RunFolder, describe_input, gather_provenance, inputs_hash
from wildstyle.runs.folder import ONNX, WEIGHTS
from wildstyle.synthesis import StyleGenerator, fit_generator, load_generator, save_generator
from wildstyle.synthesis.watching import Watch
from wildstyle.training import Company, LoopPlan
from wildstyle.verbs.budgets import EXPORT_SECONDS, GATED_COST, MARGIN, Shares, images_per_second, learning_shares
from wildstyle.verbs.check import CheckReport, check
from wildstyle.verbs.configuration import resolved
from wildstyle.verbs.costing import serving_cost
from wildstyle.verbs.gated import (
    Sides,
    gate_clause,
    gate_diagnostics,
    gated,
    put_aside,
    store_quality,
    stored_quality,
    taught,
)
from wildstyle.verbs.jobs import MAY_DIFFER, AdaptJob, EvaluationRole
from wildstyle.verbs.licences_found import brought_to, licences_of
from wildstyle.verbs.measuring import LabelledSet, measure, open_labelled
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.preparing import prepare
from wildstyle.verbs.progress import Progress, Silent, steps_to
from wildstyle.verbs.recogniser_of import recogniser_of, strong_of
from wildstyle.verbs.recording import (
    adaptation_diagnostics,
    adapted_record,
    aligned_record,
    fit_diagnostics,
    ingested_record,
    sheet_of_styles,
    store_check,
)

GENERATOR = "work/fit/generator.safetensors"
QUALITY = "work/quality/quality.safetensors"


@dataclass(frozen=True)
class AdaptOutcome:
    """What a run left.

    Attributes:
        folder: the run folder.
        verdict: whether to deploy, in one sentence.
        evaluations: labelled sets, before and after; empty where none was given.
        recogniser: the adapted recogniser.
    """

    folder: RunFolder
    verdict: Verdict
    evaluations: tuple[EvaluatedSet, ...]
    recogniser: Recogniser


def adapt(job: AdaptJob, *, progress: Progress | None = None, arguments: tuple[str, ...] = ()) -> AdaptOutcome:
    """Run the whole way, or go on with an interrupted run of the same job.

    Under ``torchrun`` all processes learn together; the first alone checks, measures and writes.

    Args:
        job: what to do.
        progress: hears of stages and steps; silent where None.
        arguments: the command line, for the record.

    Raises:
        InputError, ContractError: something the user gave can't be used; nothing was started.
        SettingError: ``job.out`` holds something else.
        Interrupted: the run was stopped; the same call goes on.
        Diverged, StorageError: see their messages; what was finished is kept.
    """
    company = Company.join()
    run = _Run.begin(job, (progress if company.first else None) or Silent(), arguments, company)
    sides = run.prepare()
    before = run.measure(run.untouched)
    generator = run.fit(sides)
    adapted = run.adapt(sides, generator, run.teach(sides, generator))
    run.export(adapted)
    evaluations = run.judge(before, run.measure(adapted))
    verdict = run.report(adapted)
    run.close()
    return AdaptOutcome(run.folder, verdict, evaluations, adapted)


def refuse(looked: CheckReport) -> Recogniser:
    """Stop before anything is written where a check found faults; else the recogniser it opened.

    Raises:
        InputError: lists all faults.
    """
    faults = [f"{fault.what}: {fault.outcome}" for fault in looked.faults]
    if len(faults) == 1:
        raise InputError(faults[0].removesuffix("."))
    if faults or looked.recogniser is None:
        raise InputError(f"{len(faults)} faults. " + " ".join(f"({i}) {text}" for i, text in enumerate(faults, 1)))
    return looked.recogniser


def _provenance(job: AdaptJob, arguments: tuple[str, ...]) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "recogniser": job.recogniser,
        "source": job.source,
        "target": list(job.target),
        "detector": job.detector,
        **{f"evaluate {spec.name}": spec.path for spec in job.evaluate},
    }
    return gather_provenance(seeds={"run": job.seed}, inputs=inputs, arguments=arguments)


@dataclass
class _Run:
    """State of one call: the opened inputs and the clock."""

    job: AdaptJob
    progress: Progress
    folder: RunFolder
    untouched: Recogniser
    labelled: tuple[LabelledSet, ...]
    cache: EmbeddingCache
    base: str
    company: Company
    started: float = field(default_factory=time.monotonic)
    measuring_seconds: float = 0.0
    roles: dict[str, EvaluationRole] = field(default_factory=dict)

    # -- beginning ---------------------------------------------------------------------------------------------

    @classmethod
    def begin(cls, job: AdaptJob, progress: Progress, arguments: tuple[str, ...], company: Company) -> _Run:
        """Check and open everything before anything is written."""
        with company.first_goes_ahead():
            if company.first:
                looked = check(job, progress=progress)
                untouched = refuse(looked)
                folder = RunFolder.create(job.out, resolved(job), command="adapt", may_differ=MAY_DIFFER)
                store_check(folder, looked)
                folder.write_json("provenance", _provenance(job, arguments))
                folder.append_event("started", arguments=list(arguments), processes=company.world)
            else:
                untouched, _ = recogniser_of(job.recogniser, job.contract, job.source)
                folder = RunFolder.open(job.out)
        size = untouched.contract.input_size
        labelled = tuple(open_labelled(spec, size=size) for spec in job.evaluate)
        base = inputs_hash(
            untouched.hash, job.seed, describe_input(job.source), [describe_input(path) for path in job.target]
        )
        cache = EmbeddingCache(cache_folder())
        return cls(job, progress, folder, untouched, labelled, cache, base, company)

    def close(self) -> None:
        """Release files."""
        for labelled in self.labelled:
            labelled.close()

    @property
    def spent(self) -> float:
        """Seconds since this call began."""
        return time.monotonic() - self.started

    # -- stages ------------------------------------------------------------------------------------------------

    def prepare(self) -> Sides:
        """Aligned clean faces, those for the gate put aside, and aligned footage."""
        with self.company.first_goes_ahead():
            source = self._prepared("source", (self.job.source,))
            target = self._prepared("target", self.job.target)
        return put_aside(source, target, self.job.gate, self.job.seed)

    def _prepared(self, name: str, paths: tuple[Path, ...]) -> FaceSource:
        prepared = prepare(
            paths,
            self.untouched,
            self.folder.work("prepare") / name,
            name=name,
            detector=self.job.detector,
            settings=self.job.detection,
            progress=self.progress,
        )
        for report in prepared.reports:
            record = ingested_record(f"{name} {report.folder.name}", report, self.folder.path)
            store_ingested(self.folder, record)
        if name == "target" and not prepared.reports:
            store_ingested(self.folder, aligned_record(name, prepared.faces))
        return prepared.faces

    def measure(self, recogniser: Recogniser) -> dict[str, Outcome]:
        """Run every protocol with one recogniser, by name; only the first process does."""
        if not self.company.first:
            return {}
        started = time.monotonic()
        outcomes: dict[str, Outcome] = {}
        for labelled in self.labelled:
            found = measure(labelled, recogniser, cache=self.cache, workers=self.job.workers, progress=self.progress)
            outcomes |= found
            self.roles |= dict.fromkeys(found, labelled.spec.role)
        self.measuring_seconds = time.monotonic() - started
        return outcomes

    def fit(self, sides: Sides) -> StyleGenerator:
        """Learn the footage's camera, or load what was learnt."""
        inputs = inputs_hash(self.base, resolved(self.job.synthesis), self.job.fit_steps, self.job.budget_seconds)
        self.company.wait()
        if self.folder.stage_done("fit", inputs):
            return load_generator(self.folder.file(GENERATOR))[0]
        source, target = sides.learn, sides.footage
        work, started = self.folder.work("fit"), time.monotonic()
        self.progress.stage("learn the camera", f"{len(target):,} faces of footage")
        plan = self._plan(self.job.fit_steps, self._shares().fit)
        settings = replace(self.job.synthesis, seed=self.job.seed)
        fitted = fit_generator(
            source, target, self.untouched, settings, work, plan=plan, watch=Watch(on_step=steps_to(self.progress))
        )
        if self.company.first:
            save_generator(fitted.generator, self.folder.file(GENERATOR), fitted.diagnostics.as_record())
            store_diagnostics(self.folder, fit_diagnostics(fitted, work))
            if self.job.include_faces:
                sheet_of_styles(self.folder, fitted.generator, source)
            summary = f"learnt the camera from {len(target):,} unlabelled faces in {fitted.loop.steps:,} steps"
            self._finish("fit", inputs, summary, started, (GENERATOR,))
        return fitted.generator

    def teach(self, sides: Sides, generator: StyleGenerator) -> QualityNetwork | None:
        """Teach the quality of the gate, or load it; None where there is no gate."""
        settings = self.job.gate
        if not settings.enabled:
            return None
        self.company.wait()
        inputs = inputs_hash(self.base, resolved(settings), self._output_hash("fit"))
        if not self.folder.stage_done("quality", inputs):
            with self.company.first_goes_ahead():
                if self.company.first:
                    self._teach(sides, generator, inputs)
        path = self.folder.file(QUALITY)
        return stored_quality(path) if path.is_file() else None

    def _teach(self, sides: Sides, generator: StyleGenerator, inputs: str) -> None:
        """Teach the quality and keep it, or say why there is none."""
        started, path = time.monotonic(), self.folder.file(QUALITY)
        self.progress.stage("teach quality", f"{len(sides.learn):,} clean faces")
        path.unlink(missing_ok=True)
        found = taught(self.untouched, generator, sides, self.job.gate, self.job.seed, self.progress.step)
        if isinstance(found, str):
            store_diagnostics(self.folder, gate_diagnostics(found))
            self._finish("quality", inputs, f"no quality could be taught, so there is no gate: {found}", started, ())
            return
        store_quality(found.network, path)
        told = f"taught a quality on {found.faces:,} faces, within {found.octaves_off:.2f} octaves of size"
        self._finish("quality", inputs, told, started, (QUALITY,))

    def adapt(self, sides: Sides, generator: StyleGenerator, quality: QualityNetwork | None) -> Recogniser:
        """Train the student and put the gate before it, or load both."""
        settings = self.job.adaptation
        self.company.wait()
        inputs = inputs_hash(
            self.base,
            resolved(settings),
            resolved(self.job.gate),
            self.job.adapt_steps,
            self.job.budget_seconds,
            None if self.job.strong is None else describe_input(self.job.strong),
            self._output_hash("fit"),
            self._output_hash("quality"),
        )
        if self.folder.stage_done("adapt", inputs):
            return load_recogniser(self.folder.file(WEIGHTS))
        work, started = self.folder.work("adapt"), time.monotonic()
        self.progress.stage("adapt", f"with {len(sides.learn):,} clean faces")
        plan = self._plan(self.job.adapt_steps, self._shares().adapt)
        material = Material(sides.learn, sides.footage, strong_of(self.job), quality, sides.held)
        if quality is not None:
            settings = replace(settings, most_drift=None)
        adapted = adapt_recogniser(
            self.untouched, generator, material, settings, work, plan=plan, on_step=steps_to(self.progress)
        )
        result = adapted.recogniser
        if self.company.first:
            store_diagnostics(self.folder, adaptation_diagnostics(adapted, work))
            summary = f"adapted on {len(sides.learn):,} clean faces in {adapted.loop_result.steps:,} steps"
            if quality is not None:
                self.progress.note("choosing the knees of the gate")
                found = gated(self.untouched, result, quality, generator, sides, self.job.gate, self.job.seed)
                store_diagnostics(self.folder, gate_diagnostics(found))
                result = result if isinstance(found, str) else found.recogniser
                summary += gate_clause(found)
            save_recogniser(result, self.folder.file(WEIGHTS))
            self._finish("adapt", inputs, summary, started, (WEIGHTS,))
        return result

    def export(self, adapted: Recogniser) -> None:
        """Write the ONNX file and check it against onnxruntime."""
        inputs, started = inputs_hash(adapted.hash), time.monotonic()
        if not self.company.first or self.folder.stage_done("export", inputs):
            return
        self.progress.stage("export", ONNX)
        written = export_onnx(adapted, self.folder.file(ONNX))
        summary = f"{written.size / 1e6:.1f} MB, at most {written.difference:.1e} off the weights in unit embeddings"
        self._finish("export", inputs, summary, started, (ONNX,))

    def judge(self, before: dict[str, Outcome], after: dict[str, Outcome]) -> tuple[EvaluatedSet, ...]:
        """Compare before and after under the same drawn people."""
        if not self.company.first:
            return ()
        if self.labelled:
            self.progress.stage("compare", "before and after, with intervals over people")
        evaluated = tuple(
            EvaluatedSet(name=name, role=self.roles[name], comparison=compare(before[name], new))
            for name, new in after.items()
        )
        for one in evaluated:
            store_evaluation(self.folder, one)
        return evaluated

    def report(self, adapted: Recogniser) -> Verdict:
        """Decide, and write the report and the model card."""
        with self.company.first_goes_ahead():
            if not self.company.first:
                return read_verdict(self.folder)
            cost = serving_cost(self.untouched, self.folder.file(ONNX))
            store_recogniser(self.folder, replace(adapted_record(self.untouched, adapted, self.job), cost=cost))
            store_licences(self.folder, licences_of(brought_to(self.job)))
            verdict = decide_run(self.folder)
            render_report(self.folder, include_faces=self.job.include_faces)
            render_model_card(self.folder)
            self.folder.append_event("finished", verdict=verdict.decision)
        return verdict

    # -- time --------------------------------------------------------------------------------------------------

    def _shares(self) -> Shares:
        """Seconds of the learning stages: what measuring and exporting the adapted recogniser will leave."""
        images = sum(labelled.images for labelled in self.labelled)
        measuring = MARGIN * max(images / images_per_second(self.untouched), self.measuring_seconds) if images else 0.0
        if self.job.gate.enabled:
            measuring *= GATED_COST
        left = self.job.budget_seconds - self.spent - measuring - EXPORT_SECONDS
        with self.company.first_goes_ahead():
            return learning_shares(self.folder.work("fit"), left, gated=self.job.gate.enabled)

    def _plan(self, steps: int | None, seconds: float) -> LoopPlan:
        return LoopPlan(
            steps=steps,
            budget_seconds=None if steps is not None else seconds,
            seed=self.job.seed,
            tensorboard=self.job.tensorboard,
            identity=self.base,
        )

    def _finish(self, stage: str, inputs: str, summary: str, started: float, outputs: tuple[str, ...]) -> None:
        self.folder.finish_stage(
            stage, inputs, summary=summary, seconds=time.monotonic() - started, outputs=list(outputs)
        )
        self.folder.append_event("stage finished", stage=stage, summary=summary)
        self.progress.note(summary)

    def _output_hash(self, stage: str) -> str:
        marker = self.folder.stage(stage)
        return "" if marker is None else inputs_hash(marker.inputs, dict(marker.outputs))
