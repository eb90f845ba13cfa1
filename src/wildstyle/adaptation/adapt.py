"""The verb: a recogniser, a source of twins and clean faces in; an adapted recogniser out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wildstyle.adaptation.batches import SourceBatches, StyleRange
from wildstyle.adaptation.clean_check import CleanCheck
from wildstyle.adaptation.distilling import SpaceMap
from wildstyle.adaptation.drawing import MixedDraws, Order, PeopleDraws
from wildstyle.adaptation.heads import IdentityHead, build_head, first_faces
from wildstyle.adaptation.lessons import Lessons, StrongTeacher
from wildstyle.adaptation.material import Material
from wildstyle.adaptation.settings import AdaptSettings
from wildstyle.adaptation.task import AdaptTask
from wildstyle.adaptation.twins import StyleTwins, TwinMaker
from wildstyle.adaptation.weights import digest
from wildstyle.errors import ContractError, LabelError, SettingError
from wildstyle.faces.joined import Joined
from wildstyle.faces.labels import labels_of
from wildstyle.faces.source import FaceSource
from wildstyle.randomness import item_rng
from wildstyle.recognisers import Recogniser, embed_source
from wildstyle.synthesis import StyleGenerator
from wildstyle.synthesis.kinds.blind import BlindGenerator
from wildstyle.synthesis.kinds.chain import ChainGenerator
from wildstyle.training import Draws, LoopPlan, LoopResult, Progress, processes, train
from wildstyle.training.metrics import read_metrics

MAPPED = 1024
"""Clean faces on which the map to a stronger teacher's space begins."""


@dataclass(frozen=True, slots=True)
class AdaptDiagnostics:
    """What to look at before trusting an adaptation.

    Attributes:
        means: mean over the logged steps of every value of the task: ``twin`` and ``retention`` (1 - cosine to the
            teacher), ``guidance/zero_signs`` (share of style coordinates without gradient), ``guidance/loss_before``
            and ``guidance/loss_after``, ``guidance/magnitude_before`` and ``guidance/magnitude_after``, ...
        last: the same of the last step.
        unreadable: id to reason of clean faces that could not be used.
        drift: mean 1 - cos(adapted, untouched recogniser) on clean faces put aside, or None where there were none.
        stopped: whether that drift ended the adaptation early.
    """

    means: Mapping[str, float]
    last: Mapping[str, float]
    unreadable: Mapping[str, str]
    drift: float | None = None
    stopped: bool = False


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
    material: FaceSource | Material,
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
        material: clean faces, or those with what else there is to learn from.
        settings: what is learnt, and how fast.
        folder: holds checkpoints and ``metrics.jsonl``; the same call continues what it holds.
        plan: how long; its identity is extended by recogniser, twins, settings and material.
        on_step: called after each step.

    Raises:
        LabelError: a head was asked for and a face has no label, or there is one person only.
        ContractError: the faces have another size than the recogniser takes.
        SettingError: settings and material don't fit; or as ``training.train`` does.
        Interrupted, Diverged, StorageError: as ``training.train`` does.
    """
    given = material if isinstance(material, Material) else Material(material)
    source = given.source
    twins, styles = _maker(generator, settings)
    labels = _numbered(source)
    head = _head(recogniser, source, labels, settings)
    faces, labels = _with_footage(given, labels, settings)
    lessons = Lessons(
        head=head,
        strong=_strong(recogniser, given, plan.seed),
        bank=_bank(recogniser, source, settings, plan.seed),
        quality=given.quality,
        # Of a face that looks different each time nothing can be remembered.
        faces=0 if settings.variation.varies else len(faces),
        unlabelled=head is not None and bool((labels < 0).any()),
    )
    task = AdaptTask(recogniser, twins, settings, lessons)
    order = _order(given, labels, settings, plan.seed, 1 if head is None else head.faces_each)
    batches = SourceBatches(faces, order, settings.synthetic_share, styles, labels, settings.variation)
    _check_shares(settings, batches, lessons)
    identity = "; ".join([plan.identity, recogniser.hash, twins.fingerprint(), str(settings), _said_of(given)])
    check = None if given.held is None else CleanCheck(recogniser, given.held, settings.most_drift, plan.seed)
    watched = on_step if check is None else check.beside(task.student, on_step)
    result = train(task, batches, replace(plan, identity=identity), Path(folder), on_step=watched)
    adapted, told = task.adapted(), _diagnose(Path(folder), result, batches)
    if check is not None:
        stopped = bool(check.looks) and check.looks[-1][1] > (settings.most_drift or 2.0)
        told = replace(told, drift=check.drift(adapted), stopped=stopped)
    return AdaptedRecogniser(_signed(adapted, recogniser), result, told)


def _said_of(material: Material) -> str:
    """Text that changes when the material does."""
    parts = [f"{faces.name} {len(faces)}" for faces in (material.source, material.footage) if faces is not None]
    if material.strong is not None:
        parts.append(material.strong.hash)
    if material.quality is not None:
        parts.append(digest(material.quality.state_dict()))
    return "; ".join(parts)


def _with_footage(
    material: Material, labels: NDArray[np.int64], settings: AdaptSettings
) -> tuple[FaceSource, NDArray[np.int64]]:
    """All faces that are drawn from, and their labels."""
    if settings.footage_share == 0:
        return material.source, labels
    if material.footage is None:
        raise SettingError(
            f"footage_share is {settings.footage_share}, but no footage was given",
            where="adaptation",
            remedy="give the footage as material, or set footage_share to 0",
        )
    joined = Joined([material.source, material.footage], name=f"{material.source.name} + {material.footage.name}")
    return joined, np.concatenate([labels, np.full(len(material.footage), -1, np.int64)])


def _order(material: Material, labels: NDArray[np.int64], settings: AdaptSettings, seed: int, faces_each: int) -> Order:
    """Which faces come when: one after the other or several a person, some of the footage among them."""
    rank, world = processes()
    count = len(material.source)
    theirs = round(settings.footage_share * settings.batch)
    ours = settings.batch - theirs
    alone = (rank, world) if theirs == 0 else (0, 1)
    first: Order = (
        Draws(count, ours, seed, *alone)
        if faces_each == 1
        else PeopleDraws(labels[:count], ours, faces_each, seed, *alone)
    )
    if theirs == 0 or material.footage is None:
        return first
    if settings.batch % world:
        raise SettingError(
            f"a batch of {settings.batch} can't be shared by {world} processes", remedy=f"use a multiple of {world}"
        )
    return MixedDraws(first, Draws(len(material.footage), theirs, seed + 1), count, rank, world)


def _check_shares(settings: AdaptSettings, batches: SourceBatches, lessons: Lessons) -> None:
    """Processes that share a head's centres must each have something to show them."""
    _, world = processes()
    if settings.head is None or not settings.head.sharded or world == 1:
        return
    if 0 < batches.twins < world:
        raise SettingError(
            f"{batches.twins} twins a step can't be spread over {world} processes that share the head's centres",
            remedy="use a larger batch or synthetic_share, or don't shard the head",
        )
    if settings.guidance.enabled and settings.guidance.share < 1:
        raise SettingError(
            f"processes that share a head's centres can't guide a share of {settings.guidance.share} of the twins",
            remedy="set guidance.share to 1, or don't shard the head",
        )
    if lessons.unlabelled:
        raise SettingError(
            "footage has no labels, and processes that share a head's centres must show it equally many faces",
            remedy="set footage_share to 0, or don't shard the head",
        )


def _bank(recogniser: Recogniser, source: FaceSource, settings: AdaptSettings, seed: int) -> Tensor | None:
    """Embeddings of clean faces by the untouched recogniser, where a loss asks for them."""
    if not settings.asks_bank:
        return None
    chosen = np.sort(item_rng(seed, "bank").permutation(len(source))[: settings.bank])
    found = embed_source(recogniser.frozen_copy(), source, indices=[int(index) for index in chosen])
    return torch.from_numpy(found.vectors[found.ok])


def check_teacher(recogniser: Recogniser, strong: Recogniser) -> None:
    """Refuse a second teacher that can't look at the student's faces.

    Raises:
        ContractError: it takes faces of another size, or aligned another way.
    """
    if strong.contract.input_size != recogniser.contract.input_size:
        raise ContractError(
            f"the stronger recogniser takes {strong.contract.input_size} px, the adapted one"
            f" {recogniser.contract.input_size} px: they can't look at the same faces",
            where=strong.contract.model_id,
        )
    strong.contract.check_landmark_template(recogniser.contract.landmark_template, where=recogniser.contract.model_id)


def _strong(recogniser: Recogniser, material: Material, seed: int) -> StrongTeacher | None:
    """The stronger teacher, its map begun at the least squares of some clean faces.

    Raises:
        ContractError: it takes faces of another size.
    """
    strong = material.strong
    if strong is None:
        return None
    check_teacher(recogniser, strong)
    chosen = np.sort(item_rng(seed, "map").permutation(len(material.source))[:MAPPED])
    indices = [int(index) for index in chosen]
    own, theirs = (embed_source(one.frozen_copy(), material.source, indices=indices) for one in (recogniser, strong))
    both = own.ok & theirs.ok
    made = SpaceMap(own.vectors.shape[1], theirs.vectors.shape[1], seed=seed)
    made.fit(torch.from_numpy(own.vectors[both]), torch.from_numpy(theirs.vectors[both]))
    return StrongTeacher(strong, made)


def _maker(generator: StyleGenerator | TwinMaker, settings: AdaptSettings) -> tuple[TwinMaker, StyleRange]:
    """Who makes the twins, and the styles to draw for it."""
    if not isinstance(generator, nn.Module):
        return generator, StyleRange(generator.axes, generator.max_magnitude)
    blind, both = settings.blind_share, settings.both_share
    parts: tuple[tuple[float, int, int], ...] = ()
    if blind + both > 0:
        recipe = BlindGenerator()
        chain = ChainGenerator(recipe, generator)
        parts = ((blind, 0, recipe.axes), (1.0 - blind - both, recipe.axes, chain.axes))
        generator = chain
    twins = StyleTwins(generator, settings.guidance, limit=settings.max_magnitude)
    return twins, StyleRange(twins.axes, twins.max_magnitude, parts)


def _head(
    recogniser: Recogniser, source: FaceSource, labels: NDArray[np.int64], settings: AdaptSettings
) -> IdentityHead | None:
    """The head that was asked for, its centres at the people's mean embeddings, its statistics at theirs."""
    if settings.head is None:
        return None
    unknown = int((labels < 0).sum())
    if unknown:
        raise LabelError(
            f"{unknown} of {len(labels)} clean faces have no label, but a head needs one for each",
            where=source.location,
            remedy="adapt without a head, or leave the faces without a label out",
        )
    head = build_head(settings.head, int(labels.max()) + 1, recogniser.contract.embedding_size)
    if any(True for _ in head.parameters()):
        head.begin(*first_faces(recogniser, source, labels))
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
