"""Learn a camera: from clean faces and unlabelled footage to a generator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser
from wildstyle.synthesis.collapse import measure_collapse
from wildstyle.synthesis.diagnostics import FitDiagnostics, diagnose, some_source
from wildstyle.synthesis.explaining import AxisExplanation, axis_effects, axis_order, explain_axes, reorder_axes
from wildstyle.synthesis.generator import Generator
from wildstyle.synthesis.health import Complaint, FitHealth, judge_finished
from wildstyle.synthesis.interface import StyleGenerator
from wildstyle.synthesis.kinds import all_kinds, kind_named
from wildstyle.synthesis.material import FitBatches, TargetFaces, read_target, refuse_equal, to_images
from wildstyle.synthesis.refusing import refuse_no_camera
from wildstyle.synthesis.settings import FitSettings
from wildstyle.synthesis.statistics import style_statistics
from wildstyle.synthesis.task import StyleScale, SynthesisTask
from wildstyle.synthesis.watching import Watch, Watcher
from wildstyle.training import LoopPlan, LoopResult, Progress, train

_SEEN_FOR_SCALE = 1024
_SHOWN_TO_AXES = 64
_SHOWN_FOR_COLLAPSE, _SEEN_FOR_COLLAPSE = 16, 384


@dataclass(frozen=True)
class FittedGenerator:
    """What a fit leaves.

    Attributes:
        generator: the averaged generator, in evaluation mode, on the CPU, without gradients.
        loop: how the training went.
        diagnostics: how near it came to the target and what it does to identity.
        axes: what each style axis does; they are ordered by how much.
        complaints: what went wrong in the fit, with remedies; empty where all is well.
    """

    generator: StyleGenerator
    loop: LoopResult
    diagnostics: FitDiagnostics
    axes: tuple[AxisExplanation, ...] = ()
    complaints: tuple[Complaint, ...] = ()


def fit_generator(
    source: FaceSource,
    target: FaceSource,
    identity: Recogniser,
    settings: FitSettings,
    folder: Path,
    *,
    plan: LoopPlan,
    watch: Watch | None = None,
) -> FittedGenerator:
    """Fit a generator whose style space is what the target's camera does to faces.

    No label of either side is used. The same call continues an interrupted fit.

    Args:
        source: clean aligned faces.
        target: unlabelled footage, aligned to the same size.
        identity: measures identity; a frozen copy is used, the original is untouched.
        settings: what is asked.
        folder: where checkpoints and metrics go.
        plan: how long.
        watch: hears of each step, looks at the generator now and then, and may end the fit early.

    Raises:
        InputError: the target is the source, sizes differ, or the kind can't be fitted.
        NotMeasurable: too few target faces.
        Interrupted, Diverged, StorageError: from the loop.
    """
    settings = _settled(settings, target.name)
    return _fit(new_generator(settings), (source, target), identity, settings, folder, plan, watch)


def fit_onto(
    onto: Generator,
    sides: tuple[FaceSource, FaceSource],
    identity: Recogniser,
    settings: FitSettings,
    folder: Path,
    *,
    plan: LoopPlan,
    watch: Watch | None = None,
) -> FittedGenerator:
    """Teach a fitted generator a second camera: all it has learnt stays, one basis and one mean are added.

    Args:
        onto: the fitted generator; it is untouched.
        sides: clean faces and unlabelled footage.
        identity, settings, folder, plan, watch: as for ``fit_generator``; size and kind are those of ``onto``.

    Returns:
        As ``fit_generator``; the generator knows the old targets first, as they were, and the new one last.

    Raises:
        As ``fit_generator``, and
        SettingError: ``onto`` knows a target of that name already.
    """
    name = sides[1].name
    settings = replace(_settled(replace(settings, kind=onto.kind), name), generator=onto.config)
    beside = _beside(onto, name)
    plan = replace(plan, identity=f"{plan.identity} {onto.hash}")
    fitted = _fit(beside, sides, identity, settings, folder, plan, watch)
    if not isinstance(fitted.generator, Generator):
        raise TypeError("a generator of several targets stays one")
    whole = fitted.generator.with_targets((*onto.config.targets, name)).eval().requires_grad_(False)
    return replace(fitted, generator=whole)


def _fit(
    generator: StyleGenerator,
    sides: tuple[FaceSource, FaceSource],
    identity: Recogniser,
    settings: FitSettings,
    folder: Path,
    plan: LoopPlan,
    watch: Watch | None,
) -> FittedGenerator:
    source, target = sides
    refuse_equal(source, target)
    faces = read_target(target, settings)
    refuse_no_camera(source, faces, target.location, seed=settings.seed)
    size = replace(settings.generator, axes=generator.axes, max_magnitude=generator.max_magnitude)
    settings = replace(settings, generator=size)
    kind, frozen = kind_named(settings.kind), identity.frozen_copy()
    batches = FitBatches(source, faces.fit, settings, mirror=kind.mirror)
    task = (kind.task or SynthesisTask)(generator, frozen, settings, style_scale(batches, faces))
    known = replace(plan, identity=_fingerprint(plan.identity, settings, identity, source, faces))
    health = FitHealth(settings.weights)
    loop = train(task, batches, known, folder, on_step=_hear(task, settings, watch, source, faces, health))
    finished = task.averaged.to("cpu").eval().requires_grad_(False)
    axes = in_order(finished, source, settings)
    found = diagnose(finished, frozen.to("cpu"), source, faces, settings)
    shown, footage = some_source(source, settings, _SHOWN_FOR_COLLAPSE), to_images(faces.fit[:_SEEN_FOR_COLLAPSE])
    complaints = judge_finished(found, measure_collapse(finished, shown, footage), health.complaints())
    return FittedGenerator(finished, loop, found, axes, complaints)


def _settled(settings: FitSettings, target: str) -> FitSettings:
    """Settings with what the kind wants otherwise."""
    kind = kind_named(settings.kind)
    return replace(
        settings,
        generator=replace(settings.generator, targets=(target,)),
        weights=replace(settings.weights, **kind.weights),
        learning_rate=settings.learning_rate * kind.pace,
    )


def _beside(fitted: Generator, target: str) -> Generator:
    """The fitted generator with one more target, in front, whose basis alone can learn."""
    if target in fitted.config.targets:
        raise SettingError(
            f"the generator knows a target {target!r} already", remedy="give the new footage another name"
        )
    generator = fitted.with_targets((target, *fitted.config.targets)).requires_grad_(False)
    generator.basis.free[0].requires_grad_(True)
    generator.basis.mean[0].requires_grad_(True)
    return generator


def _hear(
    task: Any,
    settings: FitSettings,
    watch: Watch | None,
    source: FaceSource,
    faces: TargetFaces,
    health: FitHealth,
) -> Callable[[Progress], bool]:
    watcher: Watcher | None = None
    if watch is not None and watch.every > 0:
        watcher = Watcher(some_source(source, settings), to_images(faces.held), settings, watch)

    def hear(progress: Progress) -> bool:
        health.hear(progress.values)
        if watch is None:
            return False
        for complaint in health.news():
            watch.complain(str(complaint))
        if watch.on_step is not None:
            watch.on_step(progress)
        return watcher is not None and watcher.look(progress.step, task.averaged)

    return hear


def in_order(generator: StyleGenerator, source: FaceSource, settings: FitSettings) -> tuple[AxisExplanation, ...]:
    """Number the axes by the size of their effect, turn them to the worse end, and say what each does."""
    images = some_source(source, settings, _SHOWN_TO_AXES)
    effects = axis_effects(generator, images)
    if not isinstance(generator, Generator):
        return explain_axes(effects)  # its axes have places of their own
    order, signs = axis_order(effects)
    reorder_axes(generator, order, signs)
    return explain_axes(effects.renumbered(order, signs))


def new_generator(settings: FitSettings) -> StyleGenerator:
    """A fresh generator of the kind that is asked for; its weights depend on the seed only.

    Raises:
        InputError: the kind is unknown, or has nothing to learn.
    """
    kind = kind_named(settings.kind)
    if kind.fresh is None:
        able = [name for name, each in all_kinds().items() if each.fresh is not None]
        raise InputError(
            f"a generator of the kind {settings.kind!r} has nothing to learn from footage",
            remedy=f"fit one of {', '.join(able)}",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return kind.fresh(settings.generator)


def style_scale(batches: FitBatches, faces: TargetFaces) -> StyleScale:
    """How to standardise style statistics, and those of the target."""
    steps = range(max(1, min(_SEEN_FOR_SCALE, len(batches.source)) // batches.settings.batch))
    rng = np.random.default_rng(0)
    chosen = faces.fit[rng.permutation(len(faces.fit))[:_SEEN_FOR_SCALE]]
    with torch.no_grad():
        clean = torch.cat([style_statistics(batches(step).images) for step in steps])
        wild = torch.cat([style_statistics(to_images(part)) for part in _parts(chosen)])
    mean, whitening = wild.mean(0), whitening_of(wild, torch.cat([clean, wild]).std(0))
    return StyleScale(mean, whitening, (wild - mean) @ whitening)


def whitening_of(target: Tensor, spread: Tensor, shrink: float = 0.1) -> Tensor:
    """Matrix that gives the target's statistics about unit covariance, so that odd combinations stand out.

    Noise in place of blur, say, keeps every single statistic plausible and breaks how they go together.

    Args:
        target: (M, F).
        spread: (F,) > 0, units in which directions of little variance are not blown up any further.
        shrink: variance added to each direction, in those units.

    Returns:
        (F, F), to be multiplied from the right.
    """
    units = spread.clamp_min(1e-3)
    covariance = torch.cov((target / units).T)
    values, vectors = torch.linalg.eigh(covariance)
    matrix: Tensor = (vectors * (values.clamp_min(0.0) + shrink).rsqrt()) / units[:, None]
    return matrix


def _parts(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels[i : i + 64] for i in range(0, len(pixels), 64)]


def _fingerprint(
    given: str, settings: FitSettings, identity: Recogniser, source: FaceSource, faces: TargetFaces
) -> str:
    described = [given, settings.as_record(), identity.hash, len(source), len(faces.fit), int(faces.fit[0].sum())]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
