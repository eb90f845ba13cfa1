"""What plots show, computed where the scores are: trade-offs, ranks and the scores themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.items import Items
from wildstyle.evaluation.result import Curve
from wildstyle.evaluation.shares import Impostors

_POINTS = 120
_RANKS = 50
_BINS = 80


def det_curve(mated: NDArray[np.float32], impostors: Impostors, *, open_set: bool = False) -> tuple[Curve, ...]:
    """FNMR over FMR (FNIR over FPIR) at strict thresholds, from one expected false match to all; none without scores.

    Every point is one of the step function, not between two of them.

    Args:
        mated: (n,) scores, minus infinity for failures.
        impostors: impostor scores; where only the highest were kept the curve ends with them.
        open_set: the scores are those of searches: the impostors' are the highest of each non-mated probe, the mated
            ones minus infinity where another person came first.
    """
    if not impostors.total or not len(mated):
        return ()
    kept = len(impostors.scores) / impostors.total
    least = 1.0 / impostors.total
    targets = np.unique(np.geomspace(least, max(least, 1.0 if kept >= 1 else 0.95 * kept), _POINTS))
    limits = impostors.limits([float(t) for t in targets])
    falling = np.sort(mated)
    ordered = np.sort(impostors.scores.values)
    points = {}
    for limit in limits[~np.isnan(limits)]:
        rate = (len(ordered) - np.searchsorted(ordered, limit, side="right")) / impostors.total
        points[float(rate)] = float(np.searchsorted(falling, limit, side="right") / len(falling))
    names = ("det-open-set", "FPIR", "FNIR") if open_set else ("det", "FMR", "FNMR")
    shown = tuple(sorted((rate, miss) for rate, miss in points.items() if rate > 0))
    return (Curve(names[0], names[1], names[2], shown),) if shown else ()


def cmc_curve(ranks: NDArray[np.int64], candidates: int) -> tuple[Curve, ...]:
    """Share of mated probes found by each rank up to 50.

    Args:
        ranks: (n,) rank of the mate from 1; 0 for failures.
        candidates: people in the gallery.
    """
    if not len(ranks):
        return ()
    last = min(_RANKS, max(1, candidates))
    found = np.bincount(np.minimum(ranks, last + 1), minlength=last + 2)[1 : last + 1]
    shares = np.cumsum(found) / len(ranks)
    note = f"gallery of {candidates:,} people"
    return (
        Curve(
            "cmc",
            "rank",
            "share of mated probes",
            tuple((float(k), share) for k, share in enumerate(shares.tolist(), 1)),
            note=note,
        ),
    )


def score_histograms(mated: NDArray[np.float32], impostors: Impostors) -> tuple[Curve, ...]:
    """Shares of mated and impostor scores in equal bins.

    Where only the highest impostor scores were kept, their curve starts at the first bin that lies wholly above the
    lowest kept one; its shares are still of all impostor scores.
    """
    others = impostors.scores.values
    sides = {"scores-mated": mated[np.isfinite(mated)], "scores-impostor": others[np.isfinite(others)]}
    found = [scores for scores in sides.values() if len(scores)]
    if not found:
        return ()
    low, high = min(float(s.min()) for s in found), max(float(s.max()) for s in found)
    edges = np.linspace(np.floor(20 * low) / 20, np.ceil(20 * high + 1e-9) / 20, _BINS + 1)
    cut = len(others) < impostors.total
    out = []
    for name, scores in sides.items():
        if not len(scores):
            continue
        counts, _ = np.histogram(scores, edges)
        tail = cut and name == "scores-impostor"
        total = impostors.total if tail else len(scores)
        begin = int(np.searchsorted(edges, scores.min(), side="right")) if tail else 0
        points = tuple(zip(edges[begin:-1].tolist(), (counts[begin:] / total).tolist(), strict=True))
        note = f"the {len(scores):,} highest of {total:,} scores" if tail else f"{len(scores):,} scores"
        if points:
            out.append(Curve(name, "score", "share of the scores", points, note=note))
    return tuple(out)


def curves_of(mated: NDArray[np.float32], impostors: Impostors) -> tuple[Curve, ...]:
    """All curves of a verification."""
    return (*det_curve(mated, impostors), *score_histograms(mated, impostors))


def open_set_curve(first: Items, impostors: Impostors) -> tuple[Curve, ...]:
    """The trade-off of an open-set search."""
    return det_curve(first.values, impostors, open_set=True)
