"""The whole examination: draw, try, look, count, and say it in one sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser, read_contract
from wildstyle.verbs.budgets import images_per_second
from wildstyle.verbs.doctoring.concentrating import concentrations
from wildstyle.verbs.doctoring.counting import counting_findings
from wildstyle.verbs.doctoring.cutting import CAUSE as ALIGNMENT
from wildstyle.verbs.doctoring.cutting import alignment_findings
from wildstyle.verbs.doctoring.finding import Diagnosis, Finding, ranked
from wildstyle.verbs.doctoring.labelling import MISLABELLED, TWO_NAMES, labelling_findings
from wildstyle.verbs.doctoring.looking import look_at
from wildstyle.verbs.doctoring.patient import Patient
from wildstyle.verbs.doctoring.pooling import pooling_findings
from wildstyle.verbs.doctoring.preparing import (
    BOTH,
    GREY,
    MIRROR,
    ORDER,
    RANGE,
    picture_findings,
    preparation_findings,
)
from wildstyle.verbs.doctoring.sample import draw_sample, named
from wildstyle.verbs.doctoring.sharing import sharing_findings, training_finding
from wildstyle.verbs.jobs import EvaluationSpec
from wildstyle.verbs.measuring import LabelledSet, check_size, open_labelled
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent

ASSUMED = "rgb,pm1"
"""Contract of a recogniser of which nobody says any; the wrong one is found by trying."""

PASSES = 16
"""Embeddings of the sub-sample: of some thirty changes half are sorted out on few faces, some warps are refined."""

FEWEST, MOST, LOOKED_AT = 160, 800, 4000
SECONDS = 100.0
"""Spent on embedding where the number of faces is left to the doctor."""

_HIGH = 0.97
_TRIED_CAUSES = frozenset((ORDER, RANGE, BOTH, GREY, MIRROR, ALIGNMENT))
_JUDGED_BY_EMBEDDINGS = frozenset((MISLABELLED, TWO_NAMES))


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorJob:
    """A recogniser whose figures are low, and the sets they are low on.

    Attributes:
        recogniser: model file.
        evaluate: labelled sets, as for ``evaluate``.
        contract: as for ``evaluate``; where neither the file nor the user says, ``rgb,pm1`` is assumed.
        faces: sub-sample that causes are tried on; None takes what this machine does in about two minutes, 160 to 800.
        looked_at: faces at most whose labels and pictures are looked at.
        fmr: rate the user wants to state, or None.
        train: faces the recogniser was trained on, to see whom the sets share with them, or None.
        seed: of the sub-sample and the draws of people.
        workers: reading threads.
    """

    recogniser: Path
    evaluate: tuple[EvaluationSpec, ...]
    contract: str | None = None
    faces: int | None = None
    looked_at: int = LOOKED_AT
    fmr: float | None = None
    train: Path | None = None
    seed: int = 0
    workers: int = 2


def doctor(job: DoctorJob, *, progress: Progress | None = None) -> dict[str, Diagnosis]:
    """Try the usual causes of a low figure on every set of the job.

    Raises:
        InputError: a set or the model can't be read.
        ContractError: recogniser and faces disagree in size, or stated and stored contract disagree.
        LabelError: no two faces of one person can be compared.
    """
    progress = progress or Silent()
    stored = read_contract(job.recogniser) is not None
    assumed = job.contract is None and not stored
    recogniser = load_recogniser(job.recogniser, contract=ASSUMED if assumed else job.contract)
    if assumed:
        progress.note(f"nobody says how this recogniser wants its input; {ASSUMED} is taken as given")
    faces = job.faces or affordable(images_per_second(recogniser), len(job.evaluate))
    found = {}
    for spec in job.evaluate:
        labelled = open_labelled(spec)
        try:
            check_size(labelled.faces, recogniser)
            found[spec.name] = _examine(labelled, _Model(recogniser, stored), job, faces, progress)
        finally:
            labelled.close()
    return found


def affordable(speed: float, sets: int) -> int:
    """Faces that can be embedded ``PASSES`` times in the time for one set, 160 to 800."""
    return int(min(MOST, max(FEWEST, SECONDS / max(1, sets) * speed / PASSES)))


@dataclass(frozen=True)
class _Model:
    """A recogniser, and whether its file states the contract itself."""

    recogniser: Recogniser
    stored: bool


def _examine(labelled: LabelledSet, model: _Model, job: DoctorJob, faces: int, progress: Progress) -> Diagnosis:
    started, name, recogniser = time.monotonic(), labelled.spec.name, model.recogniser
    cache = EmbeddingCache(cache_folder())
    sample = draw_sample(labelled, faces, job.seed, recogniser.contract.input_size)
    progress.stage("doctor", f"{name}: causes are tried on {len(sample)} faces of {sample.comparisons.count} people")
    patient = Patient(recogniser, sample, cache=cache, workers=job.workers, seed=job.seed, stored=model.stored)
    steps = 4
    progress.step(1, steps, "colour order and value range")
    findings = preparation_findings(patient)
    progress.step(2, steps, "pictures")
    findings += picture_findings(patient)
    progress.step(3, steps, "alignment")
    findings += alignment_findings(patient)
    progress.step(4, steps, "labels")
    looked = look_at(labelled, recogniser, job.looked_at, cache=cache, workers=job.workers)
    findings += labelling_findings(patient, looked, named=named(labelled))
    findings += pooling_findings(labelled, looked, job.seed)
    findings += sharing_findings(labelled, looked)
    findings.append(training_finding(labelled, looked, job.train, job.workers))
    findings += counting_findings(labelled, patient, looked, job.fmr)
    order = ranked(_one_at_a_time(findings))
    places = concentrations(patient)
    return Diagnosis(
        data=name,
        findings=order,
        sentence=sentence(order, places, patient.hits),
        figures={"d'": float(patient.before[0]), "TAR at FMR 1e-2 (sub-sample)": patient.hits},
        faces=len(sample),
        people=sample.comparisons.count,
        looked_at=len(looked.rows),
        concentrated=places,
        seconds=time.monotonic() - started,
    )


def _one_at_a_time(findings: Sequence[Finding]) -> list[Finding]:
    """Of the causes that were tried and surely help, only the one that helps most is named.

    A change can make up for another fault (grey for a wrong colour order); once that is mended it may help no longer.
    Labels are judged by embeddings, so they are doubtful too while the preparation is wrong.
    """
    tried = [f for f in findings if f.verdict == "this is it" and f.cause in _TRIED_CAUSES]
    if not tried:
        return list(findings)
    best = max(tried, key=lambda f: f.weight)
    return [f if f is best or f.verdict != "this is it" else _after(f, best) for f in findings]


def _after(finding: Finding, best: Finding) -> Finding:
    if finding.cause not in _TRIED_CAUSES | _JUDGED_BY_EMBEDDINGS:
        return finding
    again = f"{finding.evidence} Mend the {best.cause} first and ask again."
    return replace(finding, verdict="maybe", evidence=again)


def sentence(findings: Sequence[Finding], places: Sequence[str], hits: float) -> str:
    """The answer in one plain sentence, or two where a figure is also too good."""
    lowering = [f for f in findings if f.verdict == "this is it" and f.effect == "lowers"]
    others = [f for f in findings if f.verdict == "this is it" and f.effect != "lowers"]
    if lowering:
        best = lowering[0]
        rest = f"; then look at {', '.join(f.cause for f in lowering[1:])}" if len(lowering) > 1 else ""
        text = f"It is the {best.cause}: {best.remedy}{rest}."
    else:
        where = f" {places[0]}" if places else ""
        text = (
            "None of the usual mistakes explains the figure, what is left is the recogniser on these faces:"
            f" adapt it to them (wildstyle adapt).{where}"
        )
        if hits > _HIGH:
            text = f"Nothing is wrong that the doctor knows of, and {100 * hits:.1f} % TAR at FMR 1e-2 is not low."
    if others:
        text += f" Besides, don't trust the figure before this is mended: {', '.join(f.cause for f in others)}."
    return text
