"""Measure one recogniser on labelled sets."""

from __future__ import annotations

from dataclasses import dataclass

from wildstyle.evaluation import Bootstrap, Result
from wildstyle.evaluation.paired_draws import StoredDraws, store_draws
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser
from wildstyle.report import FacePair
from wildstyle.verbs.errors_shown import worst_errors
from wildstyle.verbs.jobs import EvaluateJob
from wildstyle.verbs.measuring import measure, open_labelled
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
    """
    progress = progress or Silent()
    loaded = recogniser or load_recogniser(job.recogniser, contract=job.contract)
    sets = [open_labelled(spec) for spec in job.evaluate]
    cache = EmbeddingCache(cache_folder())
    results: dict[str, Result] = {}
    draws: dict[str, StoredDraws] = {}
    errors: list[FacePair] = []
    for labelled in sets:
        name, bootstrap = labelled.spec.name, Bootstrap(seed=job.seed)
        outcome = measure(labelled, loaded, cache=cache, workers=job.workers, progress=progress)
        values = outcome.values(bootstrap.weights(len(outcome.people)))
        results[name] = outcome.summary(bootstrap, values)
        draws[name] = store_draws(outcome, bootstrap, values)
        if include_faces and (labelled.pairs is not None or labelled.rows is not None):
            errors += worst_errors(labelled, loaded, cache=cache, workers=job.workers)
        labelled.close()
    return Evaluated(results, draws, tuple(errors))
