"""What can be measured without labels: two faces in one frame are two people, two faces of one track are one.

A proxy, and no error rate. Tracks hold faces seconds apart, under one light and from one camera, so mated pairs are
far easier than those of another day. People who appear together may be alike or related, or one of them a mirror, a
poster or a screen. A track that changed its person gives wrong mated pairs. So the figures say whether a change of the
model goes the right way on this footage; they don't say how often it errs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import NotMeasurable, SettingError
from wildstyle.evaluation.bootstrap import Bootstrap, Weights
from wildstyle.evaluation.compare import compare
from wildstyle.evaluation.curves import curves_of
from wildstyle.evaluation.items import Items
from wildstyle.evaluation.listed import listed_scores
from wildstyle.evaluation.outcome import Key, Outcome, Vectors, checked_vectors
from wildstyle.evaluation.rates import STRICT_RULE, rate_name
from wildstyle.evaluation.result import Comparison, Result
from wildstyle.evaluation.shares import Impostors, Question
from wildstyle.randomness import item_rng

VERSION = "1"
PROTOCOL = "proxy"
WARNING = (
    "proxy, not an error rate: tracks hold near-identical frames of one place and light, and people who appear "
    "together may be alike or related"
)

_FACES = 300  # of a track make pairs: 44,850 to draw from


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """Which pairs are taken.

    Attributes:
        min_gap: frames that two faces of one track must lie apart at least.
        most_pairs: most pairs of one track, and of two tracks that were seen together; drawn at random.
        across_frames: compare all faces of two tracks that were seen together, not only those of one frame. Gives
            more pairs; a track that changed its person then makes wrong ones.
        fmr_targets: shares of impostor scores that may be accepted.
        seed: of the drawn pairs.
    """

    min_gap: int = 10
    most_pairs: int = 50
    across_frames: bool = False
    fmr_targets: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.min_gap < 1 or self.most_pairs < 1 or self.seed < 0:
            raise SettingError("min_gap and most_pairs are at least 1, the seed at least 0")


@dataclass(frozen=True)
class Sightings:
    """N faces with where they were seen.

    Attributes:
        track: (N,) int64 track of each face, -1 for none.
        picture: (N,) int64 frame over all media, -1 where unknown.
        frame: (N,) int64 number of the frame in its own medium.
        names: name of each track.
    """

    track: NDArray[np.int64]
    picture: NDArray[np.int64]
    frame: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Threshold(Question):
    """The threshold itself, with its interval."""

    def shares(self, people: Weights, thresholds: NDArray[np.float64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(B,) lowest score that is accepted, by group; NaN where a draw has no impostors or accepts all."""
        limits = self._thresholds(people) if thresholds is None else thresholds
        accepted = np.nextafter(limits.astype(np.float32), np.float32(np.inf)).astype(np.float64)
        return {group: np.where(np.isfinite(limits), accepted, np.nan) for group in self.groups}

    def count(self, group: str) -> int:
        """Impostor scores it rests on."""
        return 0 if self.impostors is None else self.impostors.total


@dataclass(frozen=True, kw_only=True)
class ProxyOutcome(Outcome):
    """Raw results; its units are tracks, and the record says so."""

    def summary(self, bootstrap: Bootstrap, draws: Mapping[Key, NDArray[np.float64]]) -> Result:
        """The figures with intervals over tracks."""
        found = super().summary(bootstrap, draws)
        rules = {**found.rules, "interval": _of_tracks(found.rules["interval"])}
        measures = tuple(replace(m, note=None if m.note is None else _of_tracks(m.note)) for m in found.measures)
        return replace(found, rules=rules, measures=measures)


def evaluate_proxy(
    vectors: Vectors,
    ok: NDArray[np.bool_],
    seen: Sightings,
    *,
    data: str = "footage",
    options: ProxyOptions | None = None,
) -> ProxyOutcome:
    """Score pairs that need no labels; the units that intervals draw again are tracks.

    Args:
        vectors: (N, D) float32 unit embeddings.
        ok: (N,) bool, False where there is no embedding: a mated pair is then a miss, an impostor pair is left out.
        seen: tracks and frames of the same faces.
        data: name of the footage.
        options: see there.

    Raises:
        NotMeasurable: no track holds two faces far enough apart, or no two faces are in one frame.
    """
    options = options or ProxyOptions()
    vectors, ok = checked_vectors(vectors, ok, len(seen.track))
    mated = mated_pairs(seen, options)
    other = impostor_pairs(seen, options)
    other = other[ok[other].all(axis=1)]
    _check(mated, other, options)
    used = np.unique(seen.track[np.concatenate([mated.ravel(), other.ravel()])])
    place = np.searchsorted(used, seen.track)
    scores = [listed_scores(vectors, p[:, 0], p[:, 1], ok=ok) for p in (mated, other)]
    one = Items(scores[0], place[mated[:, 0]])
    impostors = Impostors.of(Items(scores[1], place[other[:, 0]], place[other[:, 1]]))
    everything = {"all": np.ones(len(one), bool)}
    shares = tuple(
        Question(f"proxy-tar@fmr={rate_name(t)}", one, everything, impostors, t) for t in options.fmr_targets
    )
    limits = tuple(
        Threshold(f"proxy-threshold@fmr={rate_name(t)}", one, everything, impostors, t) for t in options.fmr_targets
    )
    return ProxyOutcome(
        protocol=PROTOCOL,
        version=VERSION,
        data=data,
        rules=_rules(options),
        counts=_counts(seen, ok, mated, other),
        people=tuple(seen.names[t] for t in used),
        questions=(*shares, *limits),
        curves=curves_of(one.values, impostors),
    )


def compare_proxies(before: Outcome, after: Outcome, bootstrap: Bootstrap | None = None) -> Comparison:
    """Paired differences, after minus before, with intervals over tracks.

    Raises:
        InputError: the outcomes come from different footage, tracks or options.
    """
    found = compare(before, after, bootstrap)
    differences = (replace(d, note=None if d.note is None else _of_tracks(d.note)) for d in found.differences)
    return replace(found, differences=tuple(differences))


def mated_pairs(seen: Sightings, options: ProxyOptions) -> NDArray[np.int64]:
    """(M, 2) faces of one track, at least ``min_gap`` frames apart; at most ``most_pairs`` of a track."""
    faces, found = _spread_faces(seen, options), []
    for track, inside in faces.items():
        first, second = np.triu_indices(len(inside), 1)
        found.append(_drawn(np.stack([inside[first], inside[second]], axis=1), options, "mated", track))
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def impostor_pairs(seen: Sightings, options: ProxyOptions) -> NDArray[np.int64]:
    """(I, 2) faces of two tracks in one frame, frames of two tracks ``min_gap`` apart; at most ``most_pairs`` of two.

    With ``across_frames`` all faces of two such tracks that are ``min_gap`` apart inside their own track.
    """
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    last: dict[tuple[int, int], int] = {}
    known = np.flatnonzero((seen.picture >= 0) & (seen.track >= 0))
    order = known[np.lexsort((seen.track[known], seen.picture[known], seen.frame[known]))]
    for group in np.split(order, np.flatnonzero(np.diff(seen.picture[order])) + 1):
        for n, i in enumerate(group.tolist()):
            for j in group[n + 1 :].tolist():
                key, frame = (int(seen.track[i]), int(seen.track[j])), int(seen.frame[i])
                if key[0] != key[1] and (key not in last or frame - last[key] >= options.min_gap):
                    last[key] = frame
                    found.setdefault(key, []).append((i, j))
    if options.across_frames:
        faces = _spread_faces(seen, options)
        crossed = {(a, b): np.stack(np.meshgrid(faces[a], faces[b]), -1).reshape(-1, 2) for a, b in found}
    else:
        crossed = {key: np.array(pairs, np.int64) for key, pairs in found.items()}
    drawn = [_drawn(pairs, options, "impostor", *key) for key, pairs in sorted(crossed.items())]
    return np.concatenate(drawn) if drawn else np.zeros((0, 2), np.int64)


def spaced(frames: NDArray[np.int64], track: NDArray[np.int64], gap: int) -> NDArray[np.bool_]:
    """Faces that stay if those of one track must lie at least ``gap`` frames apart, (N,) bool; the first stays.

    Args:
        frames: (N,) int64 frame of each face.
        track: (N,) int64, -1 for none: never kept.
        gap: frames, at least 1.
    """
    if gap < 1:
        raise SettingError(f"faces of a track lie at least 1 frame apart, not {gap}")
    keep = np.zeros(len(track), bool)
    last: dict[int, int] = {}
    for i in np.lexsort((frames, track)):
        one, frame = int(track[i]), int(frames[i])
        if one >= 0 and (one not in last or frame - last[one] >= gap):
            keep[i], last[one] = True, frame
    return keep


def _spread_faces(seen: Sightings, options: ProxyOptions) -> dict[int, NDArray[np.int64]]:
    """Faces of each track that lie ``min_gap`` frames apart; some of them at random where they are very many."""
    kept = np.flatnonzero(spaced(seen.frame, seen.track, options.min_gap))
    order = kept[np.argsort(seen.track[kept], kind="stable")]
    found = {}
    for inside in np.split(order, np.flatnonzero(np.diff(seen.track[order])) + 1):
        if len(inside) > _FACES:
            rng = item_rng(options.seed, "faces", int(seen.track[inside[0]]))
            inside = inside[np.sort(rng.choice(len(inside), _FACES, replace=False))]
        if len(inside):
            found[int(seen.track[inside[0]])] = inside
    return found


def _drawn(pairs: NDArray[np.int64], options: ProxyOptions, *names: int | str) -> NDArray[np.int64]:
    if len(pairs) <= options.most_pairs:
        return pairs
    rng = item_rng(options.seed, *names)
    return pairs[np.sort(rng.choice(len(pairs), options.most_pairs, replace=False))]


def _check(mated: NDArray[np.int64], other: NDArray[np.int64], options: ProxyOptions) -> None:
    if not len(mated):
        raise NotMeasurable(
            f"no track holds two faces {options.min_gap} frames apart", remedy="take more frames or a smaller min_gap"
        )
    if not len(other):
        raise NotMeasurable(
            "no two faces are in one frame, so there is no pair of two people",
            remedy="give footage in which people appear together, or label some with `wildstyle faces label`",
        )


def _of_tracks(text: str) -> str:
    return (
        text.replace("over people", "over tracks")
        .replace("few people", "few tracks")
        .replace("add people", "add tracks")
    )


def _rules(options: ProxyOptions) -> Mapping[str, str]:
    where = "faces of two tracks that were seen together" if options.across_frames else "two faces in one frame"
    return {
        "proxy": WARNING,
        "mated": f"two faces of one track, taken {options.min_gap} frames apart or more",
        "impostors": f"{where}, {options.min_gap} frames apart or more",
        "pairs": f"at most {options.most_pairs} of a track or of two tracks, drawn with seed {options.seed}",
        "fmr_rule": STRICT_RULE,
        "failures": "a mated pair with a failed face is a miss; a failed impostor pair gives no score",
        "comparisons": "cosine, float32; one face against one face",
        "units": "tracks are what intervals draw again, in place of people: one person may have several",
    }


def _counts(
    seen: Sightings, ok: NDArray[np.bool_], mated: NDArray[np.int64], other: NDArray[np.int64]
) -> Mapping[str, int]:
    ends = np.sort(seen.track[other], axis=1)
    return {
        "faces": len(seen.track),
        "faces without an embedding": int((~ok).sum()),
        "tracks": len(np.unique(seen.track[seen.track >= 0])),
        "tracks with mated pairs": len(np.unique(seen.track[mated[:, 0]])),
        "pairs of tracks seen together": len(np.unique(ends, axis=0)),
        "mated pairs": len(mated),
        "impostor pairs": len(other),
    }
