"""Questions against labelled faces: the order of `wildstyle faces label` against random pairs; true labels answer.

    WILDSTYLE_DATA=... python benchmarks/labelling.py

Faces are grouped into tracks by their looks inside one medium; names are hidden from all but the simulated person, who
answers rightly. Recorded after so many answers: the share of faces in the largest family of their true person, purity
of these families, what the random audit says of purity, and what a protocol of the labels so far measures beside a
protocol of all true labels: the bias of having labelled a part. Tracks, not faces, are asked about, so a track that
holds two people costs purity.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from record import record
from wildstyle.errors import InputError
from wildstyle.evaluation import Bootstrap, compare, evaluate_identification
from wildstyle.evaluation.asking import Ask, AskingOptions, Interview, Tracks
from wildstyle.evaluation.building import BuildOptions, build_protocol
from wildstyle.evaluation.confirmed import confirmed, purity
from wildstyle.evaluation.implied import Answer
from wildstyle.evaluation.proxy import ProxyOptions, Sightings, compare_proxies, evaluate_proxy
from wildstyle.faces import ManifestRow, open_faces
from wildstyle.faces.tracks import link_looks
from wildstyle.recognisers import EmbeddingCache, embed_source, load_recogniser
from wildstyle.verbs.places import cache_folder

COMMAND = "python benchmarks/labelling.py"
SEEDS = (0, 1, 2)
ORDERS: tuple[Literal["fair", "likely", "random"], ...] = ("fair", "likely", "random")
SETS = {"webcam_far_tune": (25, 50, 100, 150, 200), "imfdb_tune": (100, 200, 400, 800, 1600)}


@dataclass(frozen=True)
class Footage:
    """Tracks of a set with the names that only the simulated person knows."""

    tracks: Tracks
    track: np.ndarray
    names: np.ndarray
    truth: list[str]
    rows: list[ManifestRow]
    vectors: np.ndarray


def footage(name: str) -> Footage:
    """Embed and group one set; the path's person is kept apart from what is asked with."""
    data = Path(os.environ["WILDSTYLE_DATA"])
    source = open_faces(data / f"{name}112.tar")
    recogniser = load_recogniser(data / "models" / "mobilefacenet.onnx", contract="rgb,imagenet")
    found = embed_source(recogniser, source, cache=EmbeddingCache(cache_folder()))
    records = [source.record(i) for i in range(len(source))]
    media = np.unique([r.media or "" for r in records], return_inverse=True)[1].astype(np.int64)
    track = link_looks(found.vectors, found.ok, media)
    names = np.array([r.subject or "" for r in records])
    members = [np.flatnonzero(track == t) for t in range(int(track.max()) + 1)]
    vectors = np.stack([found.vectors[m].sum(axis=0) for m in members])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = Tracks(
        vectors.astype(np.float32),
        np.array([len(m) for m in members], np.int64),
        np.array([media[m[0]] for m in members], np.int64),
    )
    truth = [Counter(names[m].tolist()).most_common(1)[0][0] for m in members]
    rows = [ManifestRow(file=r.id, subject=r.subject, media=r.media) for r in records]
    return Footage(tracks, track, names, truth, rows, found.vectors)


def answer(known: Footage, ask: Ask, rng: np.random.Generator, wrong: float = 0.0) -> Answer:
    """What a person says who knows everybody and errs in a share ``wrong`` of the answers."""
    right = true_answer(known, ask, rng)
    if rng.random() >= wrong:
        return right
    return "no" if right == "yes" else "yes"


def true_answer(known: Footage, ask: Ask, rng: np.random.Generator) -> Answer:
    """The truth of tracks by most of their faces; audits of one person show two faces drawn from the tracks."""
    if ask.kind != "same":
        return "yes" if known.truth[ask.first] == known.truth[ask.second] else "no"
    one = int(rng.choice(np.flatnonzero(known.track == ask.first)))
    rest = np.flatnonzero(known.track == ask.second)
    two = int(rng.choice(rest[rest != one]))
    return "yes" if known.names[one] == known.names[two] else "no"


def labelled_rightly(known: Footage, people: Sequence[Sequence[int]]) -> float:
    """Share of all faces that lie in the largest family of their true person."""
    best: dict[str, int] = {}
    for members in people:
        name, count = Counter(known.names[np.isin(known.track, members)].tolist()).most_common(1)[0]
        best[name] = max(best.get(name, 0), count)
    return sum(best.values()) / len(known.names)


def true_purity(known: Footage, people: Sequence[Sequence[int]]) -> float:
    """Chance that two different faces drawn from one labelled person show one person: what the audit estimates."""
    right, weight = 0.0, 0
    for members in people:
        names = known.names[np.isin(known.track, members)]
        counts = np.array(list(Counter(names.tolist()).values()))
        pairs = len(names) * (len(names) - 1)
        right += len(names) * float((counts * (counts - 1)).sum()) / max(1, pairs)
        weight += len(names)
    return right / max(1, weight)


def measured(known: Footage, names: Sequence[str | None]) -> dict[str, float]:
    """Rank-1 and TAR at FMR 1e-2 of the protocol that these labels make; empty where they make none."""
    rows = [replace(row, subject=name) for row, name in zip(known.rows, names, strict=True) if name is not None]
    try:
        built = build_protocol(rows, BuildOptions(dev_share=0.0)).test.rows
    except InputError:
        return {}
    place = {row.file: i for i, row in enumerate(known.rows)}
    vectors = known.vectors[[place[row.file] for row in built]]
    points = evaluate_identification(vectors, np.ones(len(built), bool), built).points()
    return {name: points[name, "all"] for name in ("rank-1", "tar@fmr=1e-2") if (name, "all") in points}


def so_far(known: Footage, interview: Interview) -> list[str | None]:
    """Names of all faces by the answers so far."""
    settled = confirmed(interview)
    names: list[str | None] = [None] * len(known.rows)
    for number, members in enumerate((*settled.people, *((t,) for t in settled.strangers))):
        for i in np.flatnonzero(np.isin(known.track, members)):
            names[i] = f"person {number}"
    return names


def sitting(
    known: Footage, order: Literal["fair", "likely", "random"], stops: Sequence[int], seed: int, wrong: float = 0.0
) -> list[dict[str, Any]]:
    """Figures after each of ``stops`` answers, or after the last question."""
    interview = Interview(known.tracks, AskingOptions(order=order, seed=seed))
    rng = np.random.default_rng(seed)
    asked, found = 0, []
    for stop in stops:
        while asked < stop and (ask := interview.next()) is not None:
            interview.tell(ask, answer(known, ask, rng, wrong))
            asked += 1
        families = interview.families
        people = [families.members(r) for r in families.roots() if len(families.members(r)) > 1]
        audit = purity(interview)
        found.append(
            {
                "rightly": labelled_rightly(known, people),
                "purity": true_purity(known, people),
                "people": len(people),
                "sampled": len(interview.sampled),
                "unplaced": len(interview.unplaced()),
                "taken": len(confirmed(interview).people),
                "asked": asked,
                "contradictions": len(interview.contradictions),
                "disputed": len(confirmed(interview).disputed),
                "taken_purity": true_purity(known, confirmed(interview).people),
                "audit_hits": audit.hits,
                "audit_trials": audit.trials,
                "audit_low": audit.low,
                "audit_high": audit.high,
                "figures": measured(known, so_far(known, interview)) if order != "random" else {},
            }
        )
    return found


def proxy_and_truth(name: str = "webcam_far_tune") -> None:
    """Two recognisers by the proxy and by true labels on the same faces.

    Frames of one take are a track; people of takes with one name are laid side by side, so that they are seen together.
    """
    data = Path(os.environ["WILDSTYLE_DATA"])
    source = open_faces(data / f"{name}112.tar")
    records = [source.record(i) for i in range(len(source))]
    takes = [f"{r.subject} {r.media}" for r in records]
    names, track = np.unique(takes, return_inverse=True)
    media = np.unique([r.media or "" for r in records], return_inverse=True)[1]
    number = np.zeros(len(records), np.int64)
    for t in range(len(names)):
        inside = np.flatnonzero(track == t)
        number[inside] = np.arange(len(inside))
    seen = Sightings(track.astype(np.int64), (media * 1000 + number).astype(np.int64), number, tuple(names))
    rows = [ManifestRow(file=r.id, subject=r.subject, media=r.media) for r in records]
    built = build_protocol(rows, BuildOptions(dev_share=0.0)).test.rows
    place = {r.id: i for i, r in enumerate(records)}
    chosen = [place[row.file or ""] for row in built]
    bootstrap, options = Bootstrap(), ProxyOptions(min_gap=3, fmr_targets=(1e-1, 1e-2))
    proxies, truths = [], []
    for model, contract in (("mobilefacenet", "rgb,imagenet"), ("edgeface_xxs", "rgb,pm1")):
        recogniser = load_recogniser(data / "models" / f"{model}.onnx", contract=contract)
        found = embed_source(recogniser, source, cache=EmbeddingCache(cache_folder()))
        proxies.append(evaluate_proxy(found.vectors, found.ok, seen, options=options))
        truths.append(evaluate_identification(found.vectors[chosen], found.ok[chosen], built))
    for figure, compared in (
        ("proxy-tar@fmr=1e-2", compare_proxies(*proxies, bootstrap)),
        ("tar@fmr=1e-2", compare(*truths, bootstrap)),
    ):
        d = next(d for d in compared.differences if d.name == figure and d.group == "all")
        shown = record(
            "labelling",
            f"{name}: {figure}, edgeface_xxs after mobilefacenet",
            round(d.gain or 0.0, 4),
            "difference of shares",
            "higher",
            command=COMMAND,
            interval=None if d.low is None or d.high is None else (round(d.low, 4), round(d.high, 4)),
            interval_is="95 % over tracks" if figure.startswith("proxy") else "95 % over people",
            before=round(d.before or 0.0, 4),
            after=round(d.after or 0.0, 4),
            comparisons=d.n,
            counts=dict(compared.before.counts),
            units=len(proxies[0].people if figure.startswith("proxy") else truths[0].people),
        )
        print(*(shown[key] for key in ("name", "before", "after", "value", "interval", "comparisons")))


def erring(name: str, known: Footage, stop: int, wrong: float = 0.03) -> None:
    """The same with a person who errs."""
    runs = [sitting(known, "fair", (stop,), seed, wrong)[0] for seed in SEEDS]
    shown = record(
        "labelling",
        f"{name}: purity of confirmed people after {stop} answers, {wrong:.0%} of them wrong",
        round(float(np.mean([run["taken_purity"] for run in runs])), 4),
        "share of pairs of faces",
        "higher",
        command=COMMAND,
        interval=(round(min(r["taken_purity"] for r in runs), 4), round(max(r["taken_purity"] for r in runs), 4)),
        interval_is="lowest and highest of the seeds",
        seeds=list(SEEDS),
        audit=[f"{run['audit_hits']:.0f} of {run['audit_trials']:.0f}" for run in runs],
        contradictions_left=[run["contradictions"] for run in runs],
        tracks_left_out=[run["disputed"] for run in runs],
        people_taken=[run["taken"] for run in runs],
        rightly=[round(run["rightly"], 4) for run in runs],
        figures=[run["figures"] for run in runs],
    )
    keys = ("name", "value", "audit", "contradictions_left", "tracks_left_out", "people_taken", "rightly", "figures")
    print(*(shown[key] for key in keys))


def main() -> None:
    """Measure and record."""
    proxy_and_truth()
    for name, stops in SETS.items():
        known = footage(name)
        runs = {o: [sitting(known, o, stops, s) for s in SEEDS] for o in ORDERS}
        erring(name, known, stops[-1])
        whole = measured(known, known.names.tolist())
        tracks, faces = len(known.tracks), int(known.tracks.faces.sum())
        for place, stop in enumerate(stops):
            ours, quick, theirs = ([run[place] for run in runs[order]] for order in ORDERS)
            values = [run["rightly"] for run in ours]
            shown = record(
                "labelling",
                f"{name}: faces rightly labelled after {stop} answers",
                round(float(np.mean(values)), 4),
                "share of faces",
                "higher",
                command=COMMAND,
                rival="random pairs, same implications",
                rival_value=round(float(np.mean([run["rightly"] for run in theirs])), 4),
                interval=(round(min(values), 4), round(max(values), 4)),
                interval_is="lowest and highest of the seeds",
                seeds=list(SEEDS),
                purity=[round(run["purity"], 4) for run in ours],
                audit=[f"{run['audit_hits']:.0f} of {run['audit_trials']:.0f}" for run in ours],
                audit_interval=[[round(run["audit_low"], 3), round(run["audit_high"], 3)] for run in ours],
                asked=[int(run["asked"]) for run in ours],
                people=[int(run["people"]) for run in ours],
                people_taken=[int(run["taken"]) for run in ours],
                figures=[{k: round(v, 4) for k, v in run["figures"].items()} for run in ours],
                sampled=[run["sampled"] for run in ours],
                unplaced=[run["unplaced"] for run in ours],
                likely_first=round(float(np.mean([run["rightly"] for run in quick])), 4),
                likely_first_figures=[{k: round(v, 4) for k, v in run["figures"].items()} for run in quick],
                figures_of_true_labels={k: round(v, 4) for k, v in whole.items()},
                tracks=tracks,
                faces=faces,
                true_people=len(set(known.truth)),
            )
            keys = ("name", "value", "likely_first", "rival_value", "purity", "audit", "sampled", "unplaced")
            print(*(shown[key] for key in (*keys, "people_taken", "figures", "likely_first_figures")))
            print("   all true labels:", shown["figures_of_true_labels"])


if __name__ == "__main__":
    main()
