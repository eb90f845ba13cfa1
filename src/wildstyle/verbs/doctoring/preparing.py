"""Causes between the file and the network: colour order, value range, grey, mirrors, flip rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wildstyle.evaluation.outcome import Vectors
from wildstyle.faces import Pixels
from wildstyle.recognisers import RecogniserContract
from wildstyle.recognisers.contract_text import SCALES, Preprocessing
from wildstyle.verbs.doctoring.finding import Finding, Verdict
from wildstyle.verbs.doctoring.patient import CERTAIN, Change, Patient, Tried, Way, verdict_on

ORDER, RANGE, BOTH = "colour order", "value range", "colour order and value range"
_OWN = "own range"
_TIE = 0.01  # of d', within which two ways can't be told apart
GREY, MIRROR, FLIP = "colour (grey does better)", "mirrored pictures", "flip rule"


def preparation_findings(patient: Patient) -> list[Finding]:
    """All colour orders and value ranges against the stated contract."""
    stated = patient.recogniser.contract
    kinds = {name: _difference(stated, contract) for name, contract in _ways(stated)}
    tried = patient.try_ways([_way(patient, name, contract) for name, contract in _ways(stated)])
    if not tried:
        return [patient.judged(BOTH, [])]
    tried = simplest_first(tried, kinds)
    best = kinds[tried[0].change.name] if verdict_on(tried[0].gain, CERTAIN) == "this is it" else None
    findings = []
    for cause in (ORDER, RANGE) if best != BOTH else (BOTH,):
        own = [t for t in tried if kinds[t.change.name] == cause]
        ways = sum(kind == cause for kind in kinds.values())
        if not own and ways:
            findings.append(_clearly_worse(cause, ways))
            continue
        # A part of the way to the right answer is no cause of its own.
        strongest: Verdict = "this is it" if cause == best else "maybe"
        findings.append(patient.judged(cause, own, ways=ways, most=strongest, least=CERTAIN))
    return [_with_ties(finding, tried) for finding in findings]


def simplest_first(tried: Sequence[Tried], kinds: Mapping[str, str]) -> list[Tried]:
    """Of ways that these faces can't tell from the best, the one that changes least comes first.

    One slip is likelier than two, and pm1 than its near twin s128.
    """

    def change(way: Tried) -> tuple[bool, bool]:
        return kinds[way.change.name] == BOTH, way.change.name.endswith("s128")

    sure = verdict_on(tried[0].gain, CERTAIN)
    first = min((t for t in tried if _tied(tried[0], t) and verdict_on(t.gain, CERTAIN) == sure), key=change)
    return [first, *(t for t in tried if t is not first)]


def _tied(best: Tried, other: Tried) -> bool:
    return abs(best.gain.gain - other.gain.gain) < _TIE * abs(best.gain.after)


def _way(patient: Patient, name: str, contract: RecogniserContract) -> Way:
    return name, remedy(name, patient), lambda places: patient.embed(patient.pictures(places), places, contract).vectors


def _clearly_worse(cause: str, ways: int) -> Finding:
    text = f"All {ways} other ways are clearly worse." if ways > 1 else "The other way is clearly worse."
    return Finding(cause=cause, verdict="ruled out", evidence=text)


def picture_findings(patient: Patient) -> list[Finding]:
    """Grey, mirrors and the flip rule."""
    images, places = patient.sample.images, patient.everything
    grey = patient.embed([_grey(i) for i in images], places)
    mirrored = patient.embed([i[:, ::-1].copy() for i in images], places)
    given = patient.given
    one_side = np.where(patient.sample.probes[:, None], mirrored.vectors, given.vectors)
    mirrors = [
        Change("all faces mirrored", mirrored.vectors, "mirror the pictures back (flip them left to right)"),
        Change("only one side (probes) mirrored", one_side, "mirror the probes back (flip them left to right)"),
    ]
    summed = _unit(_raw(given.vectors, given.norms) + _raw(mirrored.vectors, mirrored.norms))
    flip = Change(
        "each face and its mirror image summed",
        summed,
        "sum the embeddings of a face and of its mirror image in your matcher (flip rule 'sum'; twice the time)",
    )
    turned_grey = Change("faces turned grey", grey.vectors, "turn gallery and probes to grey before embedding them")
    return [
        patient.judged(GREY, patient.try_out([turned_grey])),
        patient.judged(MIRROR, patient.try_out(mirrors), ways=2),
        # Summing helps nearly every recogniser a little: it is a gain to be had, not a fault.
        patient.judged(FLIP, patient.try_out([flip]), most="maybe"),
    ]


def contract_name(contract: RecogniserContract) -> str:
    """``order,scale`` as a user writes it, or the order and "own range" where the range has no name."""
    for scale in SCALES:
        way = Preprocessing(contract.channel_order, scale)
        if _same(way.contract(model_id="x", embedding_size=1), contract):
            return str(way)
    return f"{contract.channel_order.lower()},{_OWN}"


def _ways(stated: RecogniserContract) -> list[tuple[str, RecogniserContract]]:
    """Every way that differs from the stated one."""
    ways = []
    for order in ("RGB", "BGR"):
        for scale in SCALES:
            way = Preprocessing(order, scale)
            plain = way.contract(model_id="tried", embedding_size=stated.embedding_size)
            ways.append((str(way), stated.with_(channel_order=order, mean=plain.mean, std=plain.std)))
    turned = stated.with_(
        channel_order="BGR" if stated.channel_order == "RGB" else "RGB", mean=stated.mean[::-1], std=stated.std[::-1]
    )
    if contract_name(turned).endswith(_OWN):
        ways.append((contract_name(turned), turned))
    return [(name, way) for name, way in ways if not _same(way, stated)]


def _same(one: RecogniserContract, other: RecogniserContract) -> bool:
    return one.channel_order == other.channel_order and _same_range(one, other)


def _same_range(one: RecogniserContract, other: RecogniserContract) -> bool:
    """Equal mean and std by colour, whatever the order of the channels."""
    ours, theirs = (np.array([c.mean, c.std])[:, :: 1 if c.channel_order == "RGB" else -1] for c in (one, other))
    return bool(np.allclose(ours, theirs, atol=1e-4))


def _difference(stated: RecogniserContract, way: RecogniserContract) -> str:
    if stated.channel_order == way.channel_order:
        return RANGE
    return ORDER if _same_range(stated, way) else BOTH


def remedy(name: str, patient: Patient) -> str:
    """What to type for a better contract; a file that states one of its own can't be overruled by a flag."""
    if not patient.stored:
        keep = f"wildstyle recogniser convert MODEL --out FILE --contract {name}"
        return f"state --contract {name} (and store it: {keep})"
    said = contract_name(patient.recogniser.contract)
    if name.endswith(_OWN):
        return f"the model file says {said}, these faces want the other colour order: save them with R and B exchanged"
    mend = (
        f"the model file says {said}: make it again from the original model"
        f" (wildstyle recogniser convert ORIGINAL --out FILE --contract {name})"
    )
    turned = name.split(",")[0] != said.split(",")[0]
    return f"{mend}, or, if these faces alone are at fault, save them with R and B exchanged" if turned else mend


def _with_ties(finding: Finding, tried: Sequence[Tried]) -> Finding:
    """Name the ways that these faces can't tell from the best one."""
    if finding.verdict != "this is it":
        return finding
    ties = [t.change.name for t in tried[1:] if _tied(tried[0], t)]
    if not ties:
        return finding
    return replace(finding, evidence=f"{finding.evidence} These faces can't tell it from {', '.join(ties)}.")


def _grey(image: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def _raw(vectors: Vectors, norms: NDArray[np.float32]) -> Vectors:
    return np.asarray(vectors * norms[:, None], np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
