"""From faces frame by frame to tracks: runs of faces that are one person by their place, or by their looks.

Boxes are linked by overlap (intersection over union) and, where embeddings are given, by looks; assignments of one
frame are optimal (Kuhn 1955). Two faces in one frame never share a track. Faces without boxes are grouped inside one
medium by average linkage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.faces.detect.detection import overlaps

Vectors = NDArray[np.float32]

_REFUSED = -1e6
_GROUPED = 3000  # faces that are grouped at once: 4.5 million distances


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """When a box goes on with a track.

    Attributes:
        overlap: least intersection over union with the track's last box, in (0, 1].
        gap: a track that is unseen for more frames has ended.
        alike: cosine to the track's mean from which a box goes on without overlapping, after a jump or a gap.
        unlike: cosine below which a box doesn't go on although it overlaps: somebody else stepped in.
        reach: a box without overlap must lie within so many sides of the last box.
    """

    overlap: float = 0.3
    gap: int = 25
    alike: float = 0.5
    unlike: float = 0.15
    reach: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1 or self.gap < 1 or not -1 <= self.unlike <= self.alike <= 1 or self.reach < 0:
            raise SettingError(f"rule for linking boxes out of range: {self}")


@dataclass
class _Open:
    """A track that may go on."""

    number: int
    box: NDArray[np.float32]
    frame: int
    look: NDArray[np.float32] | None = None


def link_boxes(
    frames: NDArray[np.int64],
    boxes: NDArray[np.float32],
    rule: LinkRule | None = None,
    *,
    vectors: Vectors | None = None,
    ok: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Link the boxes of one video.

    Without embeddings a box that could go on with two tracks, or a track that could go on with two boxes, begins anew:
    people who cross are cut into pieces rather than exchanged.

    Args:
        frames: (N,) int64 number of each box's frame, in any order.
        boxes: (N, 4) float32 left, top, right, bottom in px.
        rule: see there.
        vectors: (N, D) float32 unit embeddings; rows that are not ``ok`` hold anything.
        ok: (N,) bool; all by default.

    Returns:
        (N,) int64 track of each box, from 0 in order of first appearance.

    Raises:
        InputError: shapes disagree, or a box is empty or not finite.
    """
    rule, boxes = rule or LinkRule(), np.asarray(boxes, np.float32)
    frames = np.asarray(frames, np.int64)
    _check(frames, boxes)
    good = np.ones(len(frames), bool) if ok is None else np.asarray(ok, bool)
    track = np.full(len(frames), -1, np.int64)
    opened: list[_Open] = []
    count = 0
    order = np.argsort(frames, kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(frames[order])) + 1):
        if not len(here):
            continue
        frame = int(frames[here[0]])
        opened = [one for one in opened if frame - one.frame <= rule.gap]
        looks = None if vectors is None else vectors[here]
        worth = _worth(opened, boxes[here], None if looks is None else (looks, good[here]), rule)
        for place, one in _assigned(worth):
            track[here[place]] = opened[one].number
        if vectors is None:
            _cut(worth, opened, track, here)
        known = {one.number: one for one in opened}
        for i in here:
            if track[i] < 0:
                track[i], count = count, count + 1
            look = vectors[i] if vectors is not None and good[i] else None
            _go_on(known, int(track[i]), boxes[i], frame, look)
        opened = list(known.values())
    return _renumbered(track, frames)


def link_looks(
    vectors: Vectors, ok: NDArray[np.bool_], media: NDArray[np.int64], *, alike: float = 0.5
) -> NDArray[np.int64]:
    """Group faces of one medium that look alike, by average linkage.

    Args:
        vectors: (N, D) float32 unit embeddings; rows that are not ``ok`` hold anything.
        ok: (N,) bool.
        media: (N,) int64 medium of each face. A medium of more than 3,000 faces is cut into parts in the given order.
        alike: mean cosine from which two groups become one, in (-1, 1].

    Returns:
        (N,) int64 group of each face, -1 where it has no embedding.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if not -1 < alike <= 1:
        raise SettingError(f"alike={alike:g} is no cosine above -1")
    out = np.full(len(vectors), -1, np.int64)
    count = 0
    for medium in np.unique(media[ok]):
        inside = np.flatnonzero(ok & (media == medium))
        for part in np.array_split(inside, -(-len(inside) // _GROUPED)):
            if len(part) == 1:
                out[part], count = count, count + 1
                continue
            tree = linkage(vectors[part].astype(np.float64), "average", metric="cosine")
            groups = fcluster(tree, 1 - alike + 1e-9, "distance")
            out[part] = count + groups - 1
            count += int(groups.max())
    return out


def seen_together(picture: NDArray[np.int64], track: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of tracks with faces in one picture, (K, 2) int64, lower track first.

    Args:
        picture: (N,) int64 picture or frame of each face, unique over media; -1 where unknown.
        track: (N,) int64, -1 for none.
    """
    pairs: set[tuple[int, int]] = set()
    known = np.flatnonzero((picture >= 0) & (track >= 0))
    order = known[np.argsort(picture[known], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(picture[order])) + 1):
        inside = np.unique(track[group]).tolist()
        pairs |= {(a, b) for n, a in enumerate(inside) for b in inside[n + 1 :]}
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _check(frames: NDArray[np.int64], boxes: NDArray[np.float32]) -> None:
    if boxes.shape != (len(frames), 4):
        raise InputError(f"{len(frames)} frames need boxes of shape ({len(frames)}, 4), not {boxes.shape}")
    if not np.isfinite(boxes).all() or (len(boxes) and (boxes[:, 2:] <= boxes[:, :2]).any()):
        raise InputError("a box is empty or not finite", remedy="give left, top, right and bottom in px")


def _worth(
    opened: list[_Open],
    boxes: NDArray[np.float32],
    looks: tuple[Vectors, NDArray[np.bool_]] | None,
    rule: LinkRule,
) -> NDArray[np.float64]:
    """(B, O) worth of each box going on with each open track; ``_REFUSED`` where it must not."""
    worth = np.full((len(boxes), len(opened)), _REFUSED)
    for column, one in enumerate(opened):
        overlap = overlaps(one.box, boxes).astype(np.float64)
        allowed, likeness = overlap >= rule.overlap, np.zeros(len(boxes))
        if looks is not None and one.look is not None:
            vectors, good = looks
            mean = one.look / max(float(np.linalg.norm(one.look)), 1e-9)
            likeness = np.where(good, np.nan_to_num(vectors) @ mean, 0.0).astype(np.float64)
            near = _distance(one.box, boxes) <= rule.reach
            allowed = np.where(good, (allowed & (likeness >= rule.unlike)) | (near & (likeness >= rule.alike)), allowed)
        worth[allowed, column] = (overlap + np.maximum(likeness, 0))[allowed]
    return worth


def _distance(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(B,) distance of centres in mean sides of ``box``."""
    centre, centres = (box[:2] + box[2:]) / 2, (boxes[:, :2] + boxes[:, 2:]) / 2
    side = float((box[2:] - box[:2]).mean())
    return np.asarray(np.hypot(*(centres - centre).T) / max(side, 1e-6), np.float64)


def _assigned(worth: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(box, track) pairs of the best assignment."""
    from scipy.optimize import linear_sum_assignment

    if not worth.size:
        return []
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if worth[r, c] > _REFUSED]


def _cut(worth: NDArray[np.float64], opened: list[_Open], track: NDArray[np.int64], here: NDArray[np.int64]) -> None:
    """End what boxes alone can't tell: those boxes get no track, those tracks go on with nothing."""
    allowed = worth > _REFUSED
    unclear = allowed[:, allowed.sum(axis=0) > 1].any(axis=1) | (allowed.sum(axis=1) > 1)
    track[here[unclear]] = -1
    ended = {one.number for one, column in zip(opened, allowed[unclear].T, strict=True) if column.any()}
    opened[:] = [one for one in opened if one.number not in ended]


def _go_on(
    known: dict[int, _Open], number: int, box: NDArray[np.float32], frame: int, look: NDArray[np.float32] | None
) -> None:
    before = known.get(number)
    if before is not None and before.look is not None:
        look = before.look if look is None else before.look + look
    known[number] = _Open(number, box, frame, look)


def _renumbered(track: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tracks from 0, in order of first frame, then of position."""
    order = np.lexsort((np.arange(len(track)), frames))
    first: dict[int, int] = {}
    for i in order:
        first.setdefault(int(track[i]), len(first))
    return np.array([first[int(t)] for t in track], np.int64)
