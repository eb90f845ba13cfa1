"""The verb: a recogniser, a source of twins and clean faces in; an adapted recogniser out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wildstyle.adaptation.batches import SourceBatches, StyleRange
from wildstyle.adaptation.heads import ArcFaceHead, class_centres
from wildstyle.adaptation.settings import AdaptSettings
from wildstyle.adaptation.task import AdaptTask
from wildstyle.adaptation.twins import StyleTwins, TwinMaker
from wildstyle.errors import LabelError
from wildstyle.faces.labels import labels_of
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis import StyleGenerator
from wildstyle.training import Draws, LoopPlan, LoopResult, Progress, processes, train
from wildstyle.training.metrics import read_metrics


@dataclass(frozen=True, slots=True)
class AdaptDiagnostics:
    """What to look at before trusting an adaptation.

    Attributes:
        means: mean over the logged steps of every value of the task: ``twin`` and ``retention`` (1 - cosine to the
            teacher), ``guidance/zero_signs`` (share of style coordinates without gradient), ``guidance/loss_before``
            and ``guidance/loss_after``, ``guidance/magnitude_before`` and ``guidance/magnitude_after``, ...
        last: the same of the last step.
        unreadable: id to reason of clean faces that could not be used.
    """

    means: Mapping[str, float]
    last: Mapping[str, float]
    unreadable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AdaptedRecogniser:
    """An adapted recogniser and how it came about.

    Attributes:
        recogniser: frozen, on the CPU; its contract names the recogniser it was adapted from.
        loop_result: steps, seconds, images per second.
        diagnostics: what to look at.
    """

    recogniser: Recogniser
    loop_result: LoopResult
    diagnostics: AdaptDiagnostics


def adapt_recogniser(
    recogniser: Recogniser,
    generator: StyleGenerator | TwinMaker,
    source: FaceSource,
    settings: AdaptSettings,
    folder: Path,
    *,
    plan: LoopPlan,
    on_step: Callable[[Progress], None] | None = None,
) -> AdaptedRecogniser:
    """Adapt a copy of ``recogniser`` to what ``generator`` shows; neither is changed.

    Args:
        recogniser: the one to adapt; the teacher too.
        generator: a fitted generator, or any other maker of twins.
        source: clean faces, aligned as the recogniser wants them. Labels are used only with a head.
        settings: what is learnt, and how fast.
        folder: holds checkpoints and ``metrics.jsonl``; the same call continues what it holds.
        plan: how long; its identity is extended by recogniser, twins, settings and source.
        on_step: called after each step.

    Raises:
        LabelError: a head was asked for and a face has no label, or there is one person only.
        ContractError: the faces have another size than the recogniser takes.
        Interrupted, Diverged, StorageError, SettingError: as ``training.train`` does.
    """
    twins = _maker(generator, settings)
    labels = _numbered(source)
    task = AdaptTask(recogniser, twins, settings, _head(recogniser, source, labels, settings))
    rank, world = processes()
    draws = Draws(count=len(source), batch=settings.batch, seed=plan.seed, rank=rank, world=world)
    styles = StyleRange(twins.axes, twins.max_magnitude)
    batches = SourceBatches(source, draws, settings.synthetic_share, styles, labels)
    identity = "; ".join(
        [plan.identity, recogniser.hash, twins.fingerprint(), str(settings), f"{source.name} {len(source)}"]
    )
    result = train(task, batches, replace(plan, identity=identity), Path(folder), on_step=on_step)
    return AdaptedRecogniser(_signed(task.adapted(), recogniser), result, _diagnose(Path(folder), result, batches))


def _maker(generator: StyleGenerator | TwinMaker, settings: AdaptSettings) -> TwinMaker:
    if isinstance(generator, nn.Module):
        return StyleTwins(generator, settings.guidance, limit=settings.max_magnitude)
    return generator


def _head(
    recogniser: Recogniser, source: FaceSource, labels: NDArray[np.int64], settings: AdaptSettings
) -> ArcFaceHead | None:
    """The head that was asked for, its centres at the people's mean embeddings."""
    if settings.head == "none":
        return None
    unknown = int((labels < 0).sum())
    if unknown:
        raise LabelError(
            f"{unknown} of {len(labels)} clean faces have no label, but a head needs one for each",
            where=source.location,
            remedy="adapt without a head, or leave the faces without a label out",
        )
    size = recogniser.contract.embedding_size
    head = ArcFaceHead(int(labels.max()) + 1, size, scale=settings.head_scale, margin=settings.head_margin)
    with torch.no_grad():
        centres = class_centres(recogniser, source, labels)
        # A person none of whose faces could be read keeps a random centre.
        head.centres.copy_(torch.where(centres.norm(dim=1, keepdim=True) > 0, centres, head.centres))
    return head


def _numbered(source: FaceSource) -> NDArray[np.int64]:
    """Labels as 0 ... C - 1 without gaps (a subset leaves some), -1 where the person is unknown."""
    labels = labels_of(source)
    known = labels >= 0
    numbered = np.full_like(labels, -1)
    numbered[known] = np.unique(labels[known], return_inverse=True)[1]
    return numbered


def _signed(adapted: Recogniser, original: Recogniser) -> Recogniser:
    # Thresholds and likelihoods were found with the original's scores: they say nothing of these.
    contract = original.contract.with_(
        model_id=f"{original.contract.model_id}-adapted", base_model_hash=original.hash, thresholds={}, likelihood={}
    )
    return replace(adapted, contract=contract)


def _diagnose(folder: Path, result: LoopResult, batches: SourceBatches) -> AdaptDiagnostics:
    lines = [line["values"] for line in read_metrics(folder / "metrics.jsonl")]
    names = {name for line in lines for name in line}
    means = {name: float(np.mean([line[name] for line in lines if name in line])) for name in sorted(names)}
    return AdaptDiagnostics(means, dict(result.values), dict(batches.unreadable))
