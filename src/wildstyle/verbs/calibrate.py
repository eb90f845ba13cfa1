"""Find thresholds for wanted false match rates on the user's own data, and keep them with the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from wildstyle.errors import SettingError
from wildstyle.evaluation import Bootstrap
from wildstyle.evaluation.calibration import Calibration, calibrate_outcome
from wildstyle.evaluation.rates import rate_name
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser, save_recogniser
from wildstyle.recognisers.export import export_onnx
from wildstyle.runs import describe_input
from wildstyle.verbs.jobs import CalibrateJob, EvaluationSpec
from wildstyle.verbs.measuring import measure, open_labelled
from wildstyle.verbs.places import cache_folder
from wildstyle.verbs.progress import Progress, Silent


def calibrate(job: CalibrateJob, *, progress: Progress | None = None) -> dict[str, Calibration]:
    """Thresholds and a score's weight of evidence, by set; written into a model file where ``job.into`` names one.

    Raises:
        InputError, ContractError: model or set can't be used.
        NotMeasurable: a set has too few impostor scores for every target.
        SettingError: ``job.into`` is there already, is of another kind, or several sets were given with it.
    """
    progress = progress or Silent()
    _check_into(job)
    recogniser = load_recogniser(job.recogniser, contract=job.contract)
    cache, bootstrap = EmbeddingCache(cache_folder()), Bootstrap(seed=job.seed)
    found: dict[str, Calibration] = {}
    for spec in job.evaluate:
        labelled = open_labelled(spec, size=recogniser.contract.input_size)
        outcomes = measure(labelled, recogniser, cache=cache, workers=job.workers, progress=progress)
        # A benchmark of several protocols is calibrated on its verification, which comes first.
        outcome = next(iter(outcomes.values()))
        found[spec.name] = calibrate_outcome(outcome, job.targets, bootstrap)
        labelled.close()
    if job.into is not None:
        progress.stage("write", str(job.into))
        _write(job, recogniser, next(iter(found.values())))
    return found


def _check_into(job: CalibrateJob) -> None:
    if job.into is None:
        return
    if job.into.suffix not in (".onnx", ".safetensors"):
        raise SettingError("a recogniser is written as .onnx or .safetensors", where=job.into, remedy="name it so")
    if job.into.exists() and not job.force:
        raise SettingError("is there already", where=job.into, remedy="name another file, or replace it with --force")
    if len(job.evaluate) != 1:
        raise SettingError(
            f"{len(job.evaluate)} sets would give as many thresholds for one rate",
            remedy="write the thresholds of one set into the model",
        )


def _write(job: CalibrateJob, recogniser: Recogniser, found: Calibration) -> None:
    if job.into is None:
        return
    said = _data_id(job.evaluate[0])
    contract = recogniser.contract.with_(
        thresholds=threshold_table(found, said), likelihood=likelihood_entry(found, said)
    )
    calibrated = replace(recogniser, contract=contract)
    if job.into.suffix == ".onnx":
        export_onnx(calibrated, job.into)
    else:
        save_recogniser(calibrated, job.into)


def _data_id(spec: EvaluationSpec) -> str:
    """The set's name and the first digits of its list's or folder's hash."""
    described = describe_input(spec.path)
    digest = next(str(value) for key, value in described.items() if key.startswith("sha256"))
    return f"{spec.name} {digest[:12]}"


def threshold_table(found: Calibration, data: str = "") -> dict[str, dict[str, Any]]:
    """Thresholds as a contract keeps them, by rate.

    Args:
        found: the calibration.
        data: what the data are called; the set's name by default.
    """
    return {
        rate_name(t.target): {
            "threshold": _short(t.threshold),
            "low": None if t.low is None else _short(t.low),
            "high": None if t.high is None else _short(t.high),
            "reached": t.reached,
            "impostors": t.impostors,
            "people": found.counts.get("people", 0),
            "pooling": found.rules.get("pooling", ""),
            "data": data or found.data,
        }
        for t in found.thresholds
    }


def likelihood_entry(found: Calibration, data: str = "") -> dict[str, Any]:
    """The map from score to log-likelihood ratio as a contract keeps it; empty where there is none."""
    if found.likelihood is None:
        return {}
    fitted = found.likelihood
    return {
        "slope": round(fitted.map.slope, 6),
        "offset": round(fitted.map.offset, 6),
        "cllr_bits": round(fitted.cllr, 4),
        "cllr_min_bits": round(fitted.cllr_min, 4),
        "data": data or found.data,
    }


def _short(score: float) -> float:
    """The shortest number that is the same float32: rounded otherwise, a threshold could accept one more impostor."""
    return float(str(np.float32(score)))
