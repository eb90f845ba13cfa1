"""The worst errors of a recogniser on a labelled set, as pairs of faces with what was measured of them.

The lowest mated and the highest impostor scores, each face at most once, so that one bad picture does not fill the
page. The reason names only what was measured: size before alignment, sharpness and detector score relative to the
set, brightness, and how far the head is turned. Where none of these stands out it says so; it never guesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.errors import InputError, UnreadableFace
from wildstyle.evaluation.listed import listed_scores
from wildstyle.evaluation.outcome import Vectors
from wildstyle.evaluation.templates import Templates, build_templates
from wildstyle.faces import Face, FaceSource, ManifestRow, PairList, Pixels, encode_jpeg
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source
from wildstyle.report import FacePair, ShownFace
from wildstyle.report.face_pairs import MOST_PAIRS, Kind
from wildstyle.verbs.measuring import LabelledSet, spread

_SIDE = 96
_SAMPLE = 300
_BLOCK = 4_000_000
_LOOKED_AT = 2000  # worst comparisons from which pairs without a repeated face are chosen

_SMALL = 40.0
"""Faces below the lowest of the usual size bands, in px, are called small."""
_LOWEST = 0.10
"""Sharpness and detector score are called low in the lowest tenth of the set."""
_TURNED = 0.20
"""Yaw ratio from which a head is called turned: some 30 degrees where the nose stands out 0.38 eye distances."""
_DARK, _BRIGHT = 60.0, 200.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comparison by the positions of its two faces in the source."""

    kind: Kind
    score: float
    probe: int
    gallery: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What is usual in a set, from a sample spread over it.

    Attributes:
        sharpness: sorted variances of the Laplacian.
        scores: sorted detector scores, empty where the set has none.
    """

    sharpness: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, faces: FaceSource) -> Scale:
        """Measured on at most ``_SAMPLE`` readable faces."""
        found = [face for i in spread(len(faces), _SAMPLE) if (face := _read(faces, i)) is not None]
        scores = [f.record.detector_score for f in found if f.record.detector_score is not None]
        return cls(sharpness=np.sort([sharpness(f.image) for f in found]), scores=np.sort(scores))


def worst_errors(
    labelled: LabelledSet,
    recogniser: Recogniser,
    *,
    cache: EmbeddingCache | None = None,
    workers: int = 2,
    most: int = MOST_PAIRS,
) -> tuple[FacePair, ...]:
    """Half of ``most`` pairs are the lowest mated scores, half the highest impostor scores, worst first.

    Args:
        labelled: a set of pairs or a manifest with galleries and probes.
        recogniser: what is looked at; its embeddings are taken from ``cache`` where they lie there.

    Raises:
        InputError: the set is of neither kind.
    """
    embedded = embed_source(recogniser, labelled.faces, cache=cache, workers=workers)
    vectors = np.where(embedded.ok[:, None], embedded.vectors, np.float32(0))
    if labelled.pairs is not None:
        found = listed_candidates(vectors, embedded.ok, labelled.pairs)
    elif labelled.rows is not None:
        found = template_candidates(vectors, embedded.ok, labelled.rows)
    else:
        raise InputError("faces can be shown for a pair set or a manifest only", where=labelled.spec.path)
    scale = Scale.of(labelled.faces)
    shown = []
    for candidates in found:
        chosen = _each_face_once(candidates, most // 2)
        pairs = (_shown(labelled.spec.name, labelled.faces, candidate, scale) for candidate in chosen)
        shown += [pair for pair in pairs if pair is not None]
    return tuple(shown)


def listed_candidates(
    vectors: Vectors, ok: NDArray[np.bool_], pairs: PairList
) -> tuple[list[Candidate], list[Candidate]]:
    """(mated pairs from the lowest score up, impostor pairs from the highest down); failed ones are left out."""
    scores = listed_scores(vectors, pairs.first, pairs.second, ok=ok)
    compared = np.isfinite(scores)

    def of(kind: Kind, rows: NDArray[np.int64]) -> list[Candidate]:
        return [Candidate(kind, float(scores[i]), int(pairs.first[i]), int(pairs.second[i])) for i in rows[:_LOOKED_AT]]

    rising = np.argsort(scores, kind="stable")
    mated = rising[(pairs.same & compared)[rising]]
    falling = rising[::-1]
    return of("mated", mated), of("impostor", falling[(~pairs.same & compared)[falling]])


def template_candidates(
    vectors: Vectors, ok: NDArray[np.bool_], rows: Sequence[ManifestRow]
) -> tuple[list[Candidate], list[Candidate]]:
    """The same for probes against galleries: each probe with its own person and with the best other one.

    A template is shown by its first good face, a gallery template by the face that is nearest to the probe's.
    """
    probes, gallery = build_templates(vectors, ok, rows, "probe"), build_templates(vectors, ok, rows, "gallery")

    def candidate(kind: Kind, probe: int, match: Match) -> Candidate:
        face = next(i for i in probes.rows[probe] if ok[i])
        good = [i for i in gallery.rows[match[1]] if ok[i]]
        nearest = good[int(np.argmax(vectors[good] @ vectors[face]))]
        return Candidate(kind, match[0], face, nearest)

    found = list(_best_matches(probes, gallery))
    mated = sorted(((own, probe) for probe, own, _ in found if own is not None))[:_LOOKED_AT]
    others = sorted(((other, probe) for probe, _, other in found if other is not None), reverse=True)[:_LOOKED_AT]
    return (
        [candidate("mated", probe, match) for match, probe in mated],
        [candidate("impostor", probe, match) for match, probe in others],
    )


Match = tuple[float, int]
"""Score and gallery template."""


def _best_matches(probes: Templates, gallery: Templates) -> Iterator[tuple[int, Match | None, Match | None]]:
    """(probe, best template of its own person, best of another person) for each good probe of a known person."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(n for n in gallery.subjects if n is not None))}
    people = np.array([-1 if name is None else codes[name] for name in gallery.subjects], np.int64)
    good = np.flatnonzero(probes.ok)
    step = max(1, _BLOCK // max(1, len(gallery)))
    for start in range(0, len(good), step):
        block = good[start : start + step]
        scores = np.where(gallery.ok, probes.vectors[block] @ gallery.vectors.T, -np.inf)
        for probe, row in zip(block, scores, strict=True):
            name = probes.subjects[probe]
            if name is not None:
                own = people == codes.get(name, -2)
                yield int(probe), _highest(row, own), _highest(row, ~own)


def _highest(scores: NDArray[np.float32], among: NDArray[np.bool_]) -> Match | None:
    masked = np.where(among, scores, -np.inf)
    best = int(np.argmax(masked))
    return None if np.isneginf(masked[best]) else (float(masked[best]), best)


def _each_face_once(candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    used: set[int] = set()
    chosen: list[Candidate] = []
    for candidate in candidates:
        if len(chosen) == most:
            break
        if not used & {candidate.probe, candidate.gallery}:
            used |= {candidate.probe, candidate.gallery}
            chosen.append(candidate)
    return chosen


def _shown(data: str, faces: FaceSource, candidate: Candidate, scale: Scale) -> FacePair | None:
    probe, gallery = _read(faces, candidate.probe), _read(faces, candidate.gallery)
    if probe is None or gallery is None:
        return None
    reasons = [
        f"{side}: {', '.join(found)}"
        for side, face in (("probe", probe), ("gallery", gallery))
        if (found := stands_out(face, scale))
    ]
    return FacePair(
        data=data,
        kind=candidate.kind,
        score=candidate.score,
        probe=ShownFace(jpeg=_thumbnail(probe.image), caption=measured(probe, scale)),
        gallery=ShownFace(jpeg=_thumbnail(gallery.image), caption=measured(gallery, scale)),
        reason="; ".join(reasons) or "nothing that was measured stands out",
    )


def stands_out(face: Face, scale: Scale) -> list[str]:
    """What is unusual of a face, most telling first: small, turned, blurred, weakly detected, dark or bright."""
    record, found = face.record, []
    if record.size_before is not None and record.size_before < _SMALL:
        found.append(f"small ({record.size_before:g} px)")
    if (turned := yaw_ratio(record.landmarks)) is not None and turned >= _TURNED:
        found.append("turned sideways")
    if _rank(sharpness(face.image), scale.sharpness) < _LOWEST:
        found.append("blurred")
    if record.detector_score is not None and _rank(record.detector_score, scale.scores) < _LOWEST:
        found.append("weakly detected")
    if (light := brightness(face.image)) < _DARK or light > _BRIGHT:
        found.append("dark" if light < _DARK else "over-exposed")
    return found


def measured(face: Face, scale: Scale) -> str:
    """All that was measured of a face, in a few words."""
    record = face.record
    turned = yaw_ratio(record.landmarks)
    texts = [
        None if record.size_before is None else f"{record.size_before:g} px",
        f"sharper than {100 * _rank(sharpness(face.image), scale.sharpness):.0f}%",
        None if turned is None else f"yaw ratio {turned:.2f}",
        None if record.detector_score is None else f"detector {record.detector_score:.2f}",
        f"brightness {brightness(face.image):.0f}",
    ]
    return ", ".join(text for text in texts if text)


def sharpness(image: Pixels) -> float:
    """Variance of the Laplacian of the grey image (Pech-Pacheco et al. 2000); the lower the blurrier."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def brightness(image: Pixels) -> float:
    """Mean of the grey image, 0 to 255."""
    return float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())


def yaw_ratio(landmarks: NDArray[np.float32] | None) -> float | None:
    """How far the nose lies from the middle of the eyes, in distances of the eyes; None without landmarks.

    |(x_left + x_right) / 2 - x_nose| / |x_right - x_left|, the frontness measure of SymFace: 0 for a frontal
    face, larger the more the head is turned.
    """
    if landmarks is None:
        return None
    left, right, nose = (float(landmarks[i, 0]) for i in range(3))
    return None if left == right else abs((left + right) / 2 - nose) / abs(right - left)


def _rank(value: float, ordered: NDArray[np.float64]) -> float:
    """Share of the sample below a value; 1 where there is no sample."""
    return float(np.searchsorted(ordered, value)) / len(ordered) if len(ordered) else 1.0


def _read(faces: FaceSource, index: int) -> Face | None:
    try:
        return faces.read(index)
    except UnreadableFace:
        return None


def _thumbnail(image: Pixels) -> bytes:
    scale = _SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    fitted = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return encode_jpeg(fitted, 80)
