"""Find every fault of a job before an hour is spent on it; all of them in one list."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from wildstyle.adaptation.adapt import check_teacher
from wildstyle.errors import LabelError, UnreadableFace, WildstyleError
from wildstyle.faces import FaceSource, face_hash, open_faces, require_people, shared_subjects
from wildstyle.faces.aligned import alignment_error
from wildstyle.faces.detect import Detector, open_detector
from wildstyle.faces.footage import open_footage
from wildstyle.recognisers import Recogniser
from wildstyle.recognisers.probing import probe
from wildstyle.runs import RunFolder
from wildstyle.verbs.budgets import MARGIN, Estimate, images_per_second
from wildstyle.verbs.configuration import resolved
from wildstyle.verbs.jobs import MAY_DIFFER, AdaptJob
from wildstyle.verbs.measuring import LabelledSet, check_size, open_labelled, spread
from wildstyle.verbs.preparing import all_of_size, holds_video
from wildstyle.verbs.progress import Progress, Silent
from wildstyle.verbs.recogniser_of import PROBED_FACES, recogniser_of, strong_of

Severity = Literal["fault", "warning", "fine"]
Opened = TypeVar("Opened")

_DECODED = 64
_ALIGNED = 12
_TOLERANCE = 6.0
"""Mean distance in px of a 112 px crop from which a face counts as not aligned; detectors differ by 2 to 3."""
_SHARED_NAMED = 3
_RUN_BYTES = 400e6
"""Checkpoints, caches, weights and report of a run on a small recogniser, with room."""

_FRAMES_OF_A_VIDEO = 500
"""Where the file does not say how many frames it has."""

_SECONDS_PER_PICTURE = 0.25
"""Detection and alignment of a raw picture by the embedded detector on a slow core."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: what was looked at.
        severity: "fault": the run would fail or mean nothing; "warning": worth knowing; "fine".
        outcome: one sentence.
    """

    what: str
    severity: Severity
    outcome: str


@dataclass
class CheckReport:
    """All findings of a check, in the order in which they were looked at.

    Attributes:
        findings: what was found.
        estimate: predicted seconds, or None where too little could be opened to say.
        recogniser: the job's recogniser under its contract, or None where it can't be opened.
    """

    findings: list[Finding] = field(default_factory=list)
    estimate: Estimate | None = None
    recogniser: Recogniser | None = None

    @property
    def faults(self) -> list[Finding]:
        """What must be mended first."""
        return [finding for finding in self.findings if finding.severity == "fault"]


def check(job: AdaptJob, *, progress: Progress | None = None) -> CheckReport:
    """Look at everything a job names; takes seconds, writes nothing, never raises for a fault of the job."""
    progress = progress or Silent()
    progress.stage("check", "paths, contract, people, disk, time")
    with ExitStack() as closing:
        inquiry = _Inquiry(job, CheckReport(), closing)
        inquiry.run()
    return inquiry.report


@dataclass
class _Inquiry:
    """State of one check: what could be opened so far."""

    job: AdaptJob
    report: CheckReport
    closing: ExitStack
    recogniser: Recogniser | None = None
    found_by_trying: bool = False
    detector: Detector | None = None
    source: FaceSource | None = None
    targets: list[FaceSource] = field(default_factory=list)
    labelled: list[LabelledSet] = field(default_factory=list)
    raw_pictures: int = 0

    def run(self) -> None:
        """All checks; a later one works with what the earlier ones could open."""
        self.recogniser = self.report.recogniser = self._try("recogniser", self._open_recogniser)
        if self.job.detector is not None:
            self._try("detector", lambda: open_detector(self.job.detector).name)
        if self.job.strong is not None:
            self._try("stronger recogniser", self._open_strong)
        self.source = self._try("source", self._open_source)
        if not self.job.target:
            self._say("target", "fault", "no footage was given. Name a folder, tar or video with --target.")
        for path in self.job.target:
            self._try(f"target {path.name}", lambda path=path: self._open_target(path))  # type: ignore[misc]
        for spec in self.job.evaluate:
            self._try(f"evaluate {spec.name}", lambda spec=spec: self._open_labelled(open_labelled(spec)))  # type: ignore[misc]
        self._try("evaluation names", self._names_differ)
        self._try("source and target", self._source_is_not_target)
        self._try("people", self._people_are_apart)
        self._try("preprocessing", self._preprocessing)
        self._try("run folder", self._run_folder)
        self._try("disk", self._disk)
        self._try("time", self._time)

    # -- opening -----------------------------------------------------------------------------------------------

    def _open_recogniser(self) -> Recogniser:
        loaded, self.found_by_trying = recogniser_of(self.job.recogniser, self.job.contract, self.job.source)
        contract = loaded.contract
        self._say(
            "recogniser",
            "fine",
            f"{contract.model_id}: {contract.channel_order}, {contract.input_size} px, {contract.embedding_size}-d."
            + (" Its contract was found by trying all ways on the source's people." if self.found_by_trying else ""),
        )
        return loaded

    def _open_strong(self) -> None:
        found = strong_of(self.job)
        if found is None:
            return
        if self.recogniser is not None:
            check_teacher(self.recogniser, found)
        self._say("stronger recogniser", "fine", f"{found.contract.model_id}: {found.contract.embedding_size}-d.")

    def _open_source(self) -> FaceSource:
        source = self.closing.enter_context(open_faces(self.job.source))
        labels = require_people(source)
        people = len(set(labels[labels >= 0].tolist()))
        self._say("source", "fine", f"{len(source):,} faces of {people:,} people.")
        self._sample("source", source)
        self._state("source", source)
        return source

    def _open_target(self, path: Path) -> None:
        what = f"target {path.name}"
        if holds_video(path):
            shots = open_footage(path, self.job.detection.step).count() or _FRAMES_OF_A_VIDEO
            self.raw_pictures += shots
            self._say(what, "fine", f"videos, about {shots:,} frames; faces will be detected and aligned.")
            return
        target = self.closing.enter_context(open_faces(path))
        self.targets.append(target)
        self._say(what, "fine", f"{len(target):,} pictures.")
        self._sample(what, target)
        self._state(what, target)
        fewest = self.job.synthesis.fewest_faces
        if len(self.job.target) == 1 and len(target) < fewest:
            self._say(what, "fault", f"{len(target)} faces are too few to learn a camera from, {fewest} are needed.")

    def _open_labelled(self, labelled: LabelledSet) -> None:
        self.closing.callback(labelled.close)
        what = f"evaluate {labelled.spec.name}"
        if self.recogniser is not None:
            check_size(labelled.faces, self.recogniser)
        people = {subject for subject in labelled.faces.subjects() if subject is not None}
        if len(people) == 1:
            raise LabelError("all faces are of one person, errors can't be measured", remedy="add other people")
        self.labelled.append(labelled)
        self._say(what, "fine", f"{len(labelled.faces):,} faces of {len(people):,} people, a {labelled.spec.role} set.")
        self._sample(what, labelled.faces)

    def _sample(self, what: str, faces: FaceSource) -> None:
        chosen, unreadable = spread(len(faces), _DECODED), []
        for index in chosen:
            try:
                faces.read(index)
            except UnreadableFace as error:
                # A manifest row without a file is a failure to enrol, which is data, not a fault.
                if faces.record(index).id and "no file" not in error.what:
                    unreadable.append(str(error))
        if unreadable:
            share = f"{len(unreadable)} of {len(chosen)} sampled pictures can't be read, e.g. {unreadable[0]}"
            self._say(what, "fault" if len(unreadable) == len(chosen) else "warning", share)

    def _state(self, what: str, faces: FaceSource) -> None:
        if self.recogniser is None:
            return
        size = self.recogniser.contract.input_size
        if not all_of_size(faces, size):
            self.raw_pictures += len(faces)
            self._say(what, "fine", f"not all pictures are {size}x{size} px; faces will be detected and aligned.")
            return
        self._alignment(what, faces)

    def _alignment(self, what: str, faces: FaceSource) -> None:
        """Faces of the right size may be badly cut all the same; the detector's points tell."""
        if self.detector is None:
            self.detector = open_detector(self.job.detector)
        errors = []
        for index in spread(len(faces), _ALIGNED):
            try:
                error = alignment_error(faces.read(index).image, self.detector)
            except UnreadableFace:
                continue
            errors += [] if error is None else [error]
        off = sum(error > _TOLERANCE for error in errors)
        # Few faces are found in poor footage, and profiles fit badly: only a clear majority says something.
        if len(errors) >= _ALIGNED // 2 and off > len(errors) / 2:
            self._say(
                what,
                "warning",
                f"{off} of {len(errors)} sampled faces do not lie on the five-point template the recogniser was"
                " trained with. Align the original pictures with `wildstyle faces align`.",
            )

    # -- contradictions ----------------------------------------------------------------------------------------

    def _names_differ(self) -> None:
        names = [spec.name for spec in self.job.evaluate]
        for name in sorted({n for n in names if names.count(n) > 1}):
            self._say("evaluation names", "fault", f"{name!r} names two sets. Give each a name of its own.")

    def _source_is_not_target(self) -> None:
        for path in self.job.target:
            if path.resolve() == self.job.source.resolve():
                self._say("source and target", "fault", f"{path} is given as clean faces and as footage.")
                return
        if self.source is None:
            return
        clean = self._hashes(self.source, len(self.source) if len(self.source) <= 2000 else 2000)
        for target in self.targets:
            chosen = self._hashes(target, _DECODED)
            same = len(chosen & clean)
            if chosen and same >= max(1, len(chosen) // 4):
                self._say(
                    "source and target",
                    "fault",
                    f"{same} of {len(chosen)} sampled pictures of {target.location} are in the source too."
                    " Footage must come from the cameras, not from the clean faces.",
                )

    def _hashes(self, faces: FaceSource, sample: int) -> set[bytes]:
        found = set()
        for index in spread(len(faces), sample):
            try:
                found.add(face_hash(faces.read(index).image))
            except UnreadableFace:
                continue
        return found

    def _people_are_apart(self) -> None:
        if self.source is None:
            return
        for labelled in self.labelled:
            what = f"people in source and {labelled.spec.name}"
            shared = shared_subjects(self.source, labelled.faces)
            if shared:
                some = ", ".join(shared[:_SHARED_NAMED]) + (", …" if len(shared) > _SHARED_NAMED else "")
                self._say(
                    what,
                    "fault",
                    f"{len(shared)} people are in both ({some}); figures on people who were trained on"
                    " say nothing. Remove them from the source.",
                )
            else:
                self._say(what, "fine", "no name is in both.")
            self._footage_is_measured(labelled)

    def _footage_is_measured(self, labelled: LabelledSet) -> None:
        chosen = self._hashes(labelled.faces, _DECODED)
        for target in self.targets:
            same = len(chosen & self._hashes(target, 2000))
            if same:
                self._say(
                    f"footage and {labelled.spec.name}",
                    "warning",
                    f"{same} of {len(chosen)} sampled faces of {labelled.spec.name} are part of the footage."
                    " No label is used, but figures on other people are the stronger evidence.",
                )

    def _preprocessing(self) -> None:
        if self.recogniser is None or self.source is None or self.found_by_trying:
            return
        if not all_of_size(self.source, self._size()):
            return
        found = probe(self.recogniser.network, self.source, input_size=self._size(), most=PROBED_FACES)
        stated = self.recogniser.contract.preprocessing()
        ways = [(row, row.preprocessing.contract(model_id="probed", embedding_size=1)) for row in found.rows]
        ours = next((row for row, way in ways if _same_input(way.preprocessing(), stated)), None)
        if ours is None:
            self._say("preprocessing", "warning", f"an unusual value range, not compared. {found.statement}")
        elif ours.behind[1] > 0:
            self._say(
                "preprocessing",
                "fault",
                f"stated is {ours.preprocessing}, but {found.rows[0].preprocessing} tells the source's people apart"
                f" better (d' higher by {ours.behind[0]:.2f}). State --contract {found.rows[0].preprocessing}.",
            )
        else:
            self._say("preprocessing", "fine", f"{ours.preprocessing}, as stated, is not beaten by any other way.")

    def _size(self) -> int:
        return 112 if self.recogniser is None else self.recogniser.contract.input_size

    # -- room --------------------------------------------------------------------------------------------------

    def _run_folder(self) -> None:
        folder = RunFolder(self.job.out)
        if folder.is_run():
            RunFolder.create(self.job.out, resolved(self.job), may_differ=MAY_DIFFER)
            self._say("run folder", "fine", f"{self.job.out} holds this very run; it will be continued.")
        elif self.job.out.exists() and (not self.job.out.is_dir() or any(self.job.out.iterdir())):
            self._say("run folder", "fault", f"{self.job.out} holds something else. Name a new folder with --out.")

    def _disk(self) -> None:
        place = next(p for p in (self.job.out.absolute(), *self.job.out.absolute().parents) if p.exists())
        free = shutil.disk_usage(place).free
        model = self.job.recogniser.stat().st_size if self.job.recogniser.is_file() else 0
        # Weights, optimiser state and averages in two checkpoints, weights and ONNX; aligned faces; the rest.
        needed = 14 * model + 12e3 * self.raw_pictures + _RUN_BYTES
        text = f"about {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free."
        self._say("disk", "fault" if free < needed else "fine", text)

    def _time(self) -> None:
        if self.recogniser is None:
            return
        images = sum(labelled.images for labelled in self.labelled)
        speed = images_per_second(self.recogniser)
        estimate = Estimate(
            budget=self.job.budget_seconds,
            measuring=MARGIN * 2 * images / speed,
            detecting=MARGIN * self.raw_pictures * _SECONDS_PER_PICTURE,
        )
        self.report.estimate = estimate
        if not estimate.enough and self.job.fit_steps is None:
            self._say("time", "fault", estimate.shortage() + ". Raise --budget or measure on fewer faces.")
        else:
            self._say(
                "time",
                "fine",
                f"of {estimate.budget / 60:.0f} min, measuring takes about {estimate.measuring / 60:.1f} min"
                f" ({speed:.0f} images/s), detection {estimate.detecting / 60:.1f} min;"
                f" {estimate.learning / 60:.1f} min are left to learn.",
            )

    # -- saying ------------------------------------------------------------------------------------------------

    def _try(self, what: str, look: Callable[[], Opened]) -> Opened | None:
        try:
            return look()
        except WildstyleError as error:
            self._say(what, "fault", str(error))
        return None

    def _say(self, what: str, severity: Severity, outcome: str) -> None:
        self.report.findings.append(Finding(what, severity, outcome))


def _same_input(one: dict[str, object], other: dict[str, object]) -> bool:
    keys = ("channel_order", "mean", "std")
    return all(_rounded(one[key]) == _rounded(other[key]) for key in keys)


def _rounded(value: object) -> object:
    return tuple(round(float(v), 4) for v in value) if isinstance(value, list | tuple) else value
