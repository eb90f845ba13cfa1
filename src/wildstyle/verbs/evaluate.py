"""Measure one recogniser on labelled sets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wildstyle.errors import SettingError
from wildstyle.evaluation import Bootstrap, Result
from wildstyle.evaluation.paired_draws import StoredDraws, store_draws
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser
from wildstyle.report import FacePair
from wildstyle.verbs.embedded import read_embeddings
from wildstyle.verbs.errors_shown import worst_errors
from wildstyle.verbs.jobs import EvaluateJob, EvaluationSpec
from wildstyle.verbs.measuring import measure, open_labelled, outcomes_of
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent


@dataclass(frozen=True)
class Evaluated:
    """All that is known of a recogniser on the sets of a job.

    Attributes:
        results: figures with 95 % intervals over people, by set name, in the job's order.
        draws: the same figures under each draw of people, for differences to other recognisers.
        errors: worst errors as pairs of faces; empty unless they were asked for.
    """

    results: dict[str, Result]
    draws: dict[str, StoredDraws]
    errors: tuple[FacePair, ...] = ()


def evaluate(
    job: EvaluateJob, *, recogniser: Recogniser | None = None, progress: Progress | None = None
) -> dict[str, Result]:
    """Results of ``evaluate_fully``: with 95 % intervals over people, by set name, in the job's order."""
    return evaluate_fully(job, recogniser=recogniser, progress=progress).results


def evaluate_fully(
    job: EvaluateJob,
    *,
    recogniser: Recogniser | None = None,
    progress: Progress | None = None,
    include_faces: bool = False,
) -> Evaluated:
    """Measure ``job.recogniser`` (or a loaded ``recogniser``) on every set of the job.

    Args:
        include_faces: also pick the worst errors, as pictures of people.

    Raises:
        InputError: a set can't be read.
        ContractError: recogniser and faces disagree.
        SettingError: embeddings are missing for a set, or come with distractors.
    """
    progress = progress or Silent()
    loaded = recogniser
    specs = _with_embeddings(job) if loaded is None else job.evaluate
    if loaded is None and any(spec.embeddings is None for spec in specs):
        loaded = load_recogniser(job.recogniser, contract=job.contract)
    threshold = threshold_of(job.threshold, loaded)
    size = loaded.contract.input_size if loaded is not None else 112
    sets = [open_labelled(spec, size=size) for spec in specs]
    cache, bootstrap = EmbeddingCache(cache_folder()), Bootstrap(seed=job.seed)
    results: dict[str, Result] = {}
    draws: dict[str, StoredDraws] = {}
    errors: list[FacePair] = []
    for labelled in sets:
        if labelled.spec.embeddings is not None:
            outcomes = outcomes_of(labelled, read_embeddings(labelled.spec.embeddings), threshold=threshold)
        elif loaded is not None:
            outcomes = measure(
                labelled, loaded, cache=cache, workers=job.workers, progress=progress, threshold=threshold
            )
            if include_faces and labelled.benchmark is None:
                errors += worst_errors(labelled, loaded, cache=cache, workers=job.workers)
        for name, outcome in outcomes.items():
            values = outcome.values(bootstrap.weights(len(outcome.people)))
            results[name] = outcome.summary(bootstrap, values)
            draws[name] = store_draws(outcome, bootstrap, values)
        labelled.close()
    return Evaluated(results, draws, tuple(errors))


def _with_embeddings(job: EvaluateJob) -> tuple[EvaluationSpec, ...]:
    """The sets, with the embeddings that stand where a recogniser would."""
    specs = job.evaluate
    if job.recogniser.suffix == ".npy" and len(specs) == 1:
        specs = tuple(replace(spec, embeddings=spec.embeddings or job.recogniser) for spec in specs)
    lacking = [spec.name for spec in specs if spec.embeddings is None]
    if job.recogniser.suffix == ".npy" and lacking:
        raise SettingError(
            f"embeddings from a file belong to one set, there are none for {', '.join(lacking)}",
            where=job.recogniser,
            remedy="give each set its embeddings=, one set at a time, or the recogniser itself",
        )
    for spec in specs:
        if spec.embeddings is not None and spec.distractors is not None:
            raise SettingError(
                f"{spec.name}: distractors have no embeddings in the file",
                where=spec.embeddings,
                remedy="leave the distractors out, or give the recogniser itself",
            )
    return specs


def threshold_of(text: str | None, recogniser: Recogniser | None) -> float | None:
    """``0.31`` or ``contract:1e-3`` as a number.

    Raises:
        SettingError: it is neither.
        ContractError: the recogniser was not calibrated for that rate.
    """
    if text is None:
        return None
    kind, colon, target = text.partition(":")
    try:
        if not colon:
            return float(text)
        if kind == "contract" and recogniser is not None and float(target) > 0:
            return recogniser.contract.threshold(target)
    except ValueError:
        pass
    raise SettingError(f"threshold {text!r} is no score", remedy="give a number, or contract:1e-3 with a model file")
