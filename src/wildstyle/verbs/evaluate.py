"""Measure one recogniser on labelled sets."""

from __future__ import annotations

from wildstyle.evaluation import Bootstrap, Result
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser
from wildstyle.verbs.jobs import EvaluateJob
from wildstyle.verbs.measuring import measure, open_labelled
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent


def evaluate(
    job: EvaluateJob, *, recogniser: Recogniser | None = None, progress: Progress | None = None
) -> dict[str, Result]:
    """Measure ``job.recogniser`` (or a loaded ``recogniser``) on every set of the job.

    Returns:
        Results with 95 % intervals over people, by set name, in the job's order.

    Raises:
        InputError: a set can't be read.
        ContractError: recogniser and faces disagree.
    """
    progress = progress or Silent()
    loaded = recogniser or load_recogniser(job.recogniser, contract=job.contract)
    sets = [open_labelled(spec) for spec in job.evaluate]
    cache = EmbeddingCache(cache_folder())
    results = {}
    for labelled in sets:
        outcome = measure(labelled, loaded, cache=cache, workers=job.workers, progress=progress)
        results[labelled.spec.name] = outcome.result(Bootstrap(seed=job.seed))
        labelled.close()
    return results
