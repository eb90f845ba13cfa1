"""A run folder with figures made up for the tests: nobody was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from wildstyle.evaluation.result import Comparison, Curve, Difference, Measure, Result
from wildstyle.report import (
    AdaptedRecogniser,
    Check,
    Diagnostics,
    EvaluatedSet,
    Figure,
    Ingested,
    ServingCost,
    store_checks,
    store_diagnostics,
    store_evaluation,
    store_ingested,
    store_recogniser,
)
from wildstyle.runs import RunFolder

VOID = {"meta", "img", "br", "hr", "link", "input"}
NASTY = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Checks that tags close in order and collects what would reach outside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith("data:")]
        self.outside += [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


RULES = {"fmr_rule": "strict, ties accepted", "flip": "none", "failures": "count as misses", "interval": "1000 draws"}


def difference(
    name: str = "rank-1",
    group: str = "all",
    before: float | None = 0.50,
    after: float | None = 0.54,
    ends: tuple[float, float] | None = (0.02, 0.06),
    n: int = 2000,
    note: str | None = None,
) -> Difference:
    gain = None if before is None or after is None else after - before
    low, high = ends if ends and gain is not None else (None, None)
    return Difference(name, group, before, after, gain, low, high, n, note)


def compared(
    *differences: Difference, people: int = 40, data: str = "made up", protocol: str = "identification"
) -> Comparison:
    def side(which: str) -> Result:
        measures = tuple(_measure(d, getattr(d, which)) for d in differences)
        counts = {"people": people, "probes": 2305, "failures": 65}
        return Result(protocol, "1", data, RULES, counts, measures)

    return Comparison(side("before"), side("after"), tuple(differences))


def _measure(d: Difference, share: float | None) -> Measure:
    if share is None:
        return Measure(d.name, None, None, None, d.n, d.group, d.note)
    return Measure(d.name, share, max(0.0, share - 0.02), min(1.0, share + 0.02), d.n, d.group, d.note)


def target(*differences: Difference, name: str = "shop", people: int = 40) -> EvaluatedSet:
    return EvaluatedSet(name=name, role="target", comparison=compared(*differences, people=people))


def guard(*differences: Difference, name: str = "lfw", people: int = 4281) -> EvaluatedSet:
    return EvaluatedSet(name=name, role="guard", comparison=compared(*differences, people=people, protocol="pairs"))


def clean_guard() -> EvaluatedSet:
    return guard(
        difference("accuracy", before=0.9937, after=0.9935, ends=(-0.0007, 0.0003), n=6000),
        difference("tar@fmr=1e-2", before=0.9952, after=0.9948, ends=(-0.0014, 0.0006), n=3000),
    )


def with_curves(evaluated: EvaluatedSet) -> EvaluatedSet:
    """The same with a plot of every kind on both sides."""
    sides = [
        replace(side, curves=curves(better))
        for side, better in ((evaluated.comparison.before, 0.0), (evaluated.comparison.after, 0.04))
    ]
    return replace(evaluated, comparison=Comparison(sides[0], sides[1], evaluated.comparison.differences))


def curves(better: float = 0.0) -> tuple[Curve, ...]:
    rates = [10 ** (-4 + i / 8) for i in range(33)]
    falling = tuple((x, max(0.0, 0.8 - better - 0.025 * i)) for i, x in enumerate(rates))
    bins = [-0.2 + 0.05 * i for i in range(21)]
    mated = tuple((x, max(0.0, 0.10 - abs(x - 0.5 - better) / 5)) for x in bins)
    impostor = tuple((x, max(0.0, 0.2 - abs(x) / 2)) for x in bins)
    return (
        Curve("det", "FMR", "FNMR", falling),
        Curve("cmc", "rank", "share found", tuple((float(k), 1 - 0.5 / k + better / 8) for k in range(1, 11))),
        Curve("scores-mated", "score", "share of scores", mated),
        Curve("scores-impostor", "score", "share of scores", impostor),
        Curve("edc:size", "share discarded", "FNMR", ((0.0, 0.5), (0.5, 0.3), (0.9, 0.2)), note="threshold 0.3 kept"),
        Curve("det-open-set", "FPIR", "FNIR", falling),
    )


def full_target() -> EvaluatedSet:
    return with_curves(_bare_target())


def _bare_target() -> EvaluatedSet:
    return target(
        difference("rank-1", before=0.495, after=0.531, ends=(0.019, 0.054), n=2370),
        difference("rank-5", before=0.661, after=0.69, ends=(0.011, 0.047), n=2370),
        difference("tar@fmr=1e-2", before=0.42, after=0.459, ends=(0.012, 0.065), n=2370),
        difference(
            "tar@fmr=1e-3", before=0.276, after=0.281, ends=(-0.02, 0.03), n=2370, note="few expected false matches"
        ),
        difference("tpir@fpir=1e-1", before=0.31, after=0.305, ends=(-0.034, 0.022), n=1185),
        difference("tar@fmr=1e-6", before=None, after=None, note="not measurable: 92,430 impostors", n=2370),
        difference("rank-1", "<40 px", 0.174, 0.241, (0.04, 0.095), 530),
        difference("rank-1", "40-79 px", 0.474, 0.512, (0.014, 0.061), 841),
        difference("rank-1", ">=80 px", 0.731, 0.733, (-0.012, 0.017), 934),
    )


def fill(folder: RunFolder, *sets: EvaluatedSet) -> RunFolder:
    """Write every kind of record; texts hold characters that HTML and Markdown would take for their own."""
    for evaluated in sets:
        store_evaluation(folder, evaluated)
    store_ingested(
        folder,
        Ingested(
            name="door <camera> & yard",
            read=5012,
            kept=4400,
            rejected={"no face found": 371, "smaller than 16 px": 180, "implausible landmarks": 52, "unreadable": 9},
            listing="metrics/rejected-door.csv",
            eye_distances={
                "edges": list(range(4, 64, 4)),
                "counts": [30, 240, 610, 820, 760, 590, 430, 310, 220, 160, 110, 70, 35, 15],
            },
            media=103,
        ),
    )
    store_diagnostics(
        folder,
        Diagnostics(
            stage="synthesis",
            figures=(
                Figure(name="identity kept", value=0.83, meaning="cosine of a face and its synthesised twin, median"),
                Figure(
                    name="distance to the footage",
                    value=0.41,
                    meaning="share of the distance clean to footage that is left",
                ),
                Figure(name="steps", value=1200),
            ),
            curves={"discriminator loss": [[i, 1.4 - 0.5 * i / 60 + 0.05 * (i % 7)] for i in range(60)]},
        ),
    )
    store_diagnostics(
        folder,
        Diagnostics(
            stage="adaptation",
            figures=(
                Figure(
                    name="drift on clean faces", value=0.031, meaning="1 - cosine to the untouched recogniser, mean"
                ),
            ),
            curves={"loss": [[i * 10, 0.4 / (1 + i / 8)] for i in range(50)]},
        ),
    )
    store_recogniser(
        folder,
        AdaptedRecogniser(
            cost=ServingCost(megabytes=4.25, milliseconds=11.9, before_milliseconds=11.8),
            contract={
                "model_id": "mobilefacenet|made up",
                "channel_order": "RGB",
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
                "embedding_size": 128,
                "input_size": 112,
                "norm_is_quality": False,
                "licence": "Apache-2.0",
                "origin": "given by the user",
            },
            before_hash="a3" * 32,
            after_hash="5c" * 32,
            parameters=990_000,
            gallery="keep",
            gallery_reason="the adapted weights were tied to the old ones and the mean cosine on clean faces is 0.97",
            method="The student saw synthesised twins of clean faces, the untouched recogniser the clean ones.",
            files=("recogniser.onnx", "recogniser.safetensors"),
        ),
    )
    store_checks(
        folder,
        [
            Check(what="people shared between source and lfw", outcome="none by name"),
            Check(what="target equal to source", outcome="12 pictures lie in both", passed=False),
        ],
    )
    for stage, seconds, summary in (
        ("ingest", 312.0, "Found and aligned 4,400 faces in 5,012 pictures."),
        ("synthesis", 1180.0, "Learned how the footage differs from clean faces, in 8 axes of style."),
        ("adaptation", 904.0, "Fitted the recogniser to 38,400 synthesised faces."),
        ("evaluation", 171.0, "Measured both recognisers on 2 labelled sets."),
    ):
        folder.finish_stage(stage, "0", summary=summary, seconds=seconds)
    folder.write_json("provenance", provenance_record())
    return folder


def provenance_record() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "created": "2026-11-25T13:15:05Z",
        "arguments": ["adapt", "--recogniser", "models/mobilefacenet.onnx", "--out", "runs/first"],
        "seeds": {"run": 0},
        "inputs": {
            "recogniser": [{"given": "models/mobilefacenet.onnx", "bytes": 4_012_345, "files": 1, "sha256": "a3" * 32}]
        },
        "versions": {"python": "3.11.9", "wildstyle": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        "commit": "d543ebb" + "0" * 33 + "+changes",
        "machine": {"processor": "Xeon", "cores": 2, "memory_gib": 7.7, "system": "Linux x86_64", "accelerators": []},
        "threads": {"torch": 2, "OMP_NUM_THREADS": None},
    }


def sample(path: Path, *sets: EvaluatedSet) -> RunFolder:
    """A full sample run in ``path``."""
    config = json.loads(
        '{"recogniser": "models/mobilefacenet.onnx", "seed": 0, "synthesis": {"axes": 8, "steps": 1200}}'
    )
    return fill(RunFolder.create(path, config), *(sets or (full_target(), clean_guard())))
