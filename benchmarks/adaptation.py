"""Does adapting pay? Arms at equal steps, on real people in real footage, with and without the gate.

python benchmarks/adaptation.py camera TARGET [--stage tune|final] [--seed 0] [--minutes 25]
python benchmarks/adaptation.py run ARM TARGET [--stage tune|final] [--seed 0] [--steps 300] [--set KEY=VALUE ...]
python benchmarks/adaptation.py measure ARM TARGET [--stage tune|final] [--seed 0]
python benchmarks/adaptation.py pair ARM OTHER TARGET [--stage tune|final] [--seeds 0 1 2] [--kind KIND]
python benchmarks/adaptation.py all [--stage tune|final] [--steps 150]
python benchmarks/adaptation.py summary

TARGET is ``imfdb`` (films) or ``far`` (a far webcam); needs $WILDSTYLE_DATA. Stage ``tune`` leaves every third tune
person, by name, out of the footage and measures on those; ``final`` uses all tune footage and measures on the test
people, which are looked at once per finished experiment. ``camera`` fits the generator that all arms share and teaches
the quality of the gate. ``all`` does what is missing of both tables, each arm with seeds 0 to 2. What is finished is
not done again. Each measured arm and each comparison leaves a JSON file; ``summary`` makes tables and records of them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from adaptation_arms import ARMS, COMPARED, FREE, Arm, strong_path
from adaptation_pairs import mean_difference
from adaptation_summary import KINDS, SHIPPED, summarise
from adaptation_systems import Alone, Enrolled, Mixed, System, Tricked
from people import split
from record import RESULTS, machine
from wildstyle.adaptation import AdaptSettings, Material, adapt_recogniser
from wildstyle.adaptation.gating import GateSettings
from wildstyle.evaluation import Outcome, compare, evaluate_identification
from wildstyle.faces import FaceSource, ManifestRow, Subset, open_faces
from wildstyle.recognisers import EmbeddingCache, Recogniser, load_recogniser, save_recogniser
from wildstyle.recognisers.quality import QualityNetwork
from wildstyle.runs.atomic import write_json
from wildstyle.synthesis import FitSettings, StyleGenerator, fit_generator, load_generator, save_generator
from wildstyle.training import LoopPlan
from wildstyle.verbs.gated import Sides, gated, put_aside, store_quality, stored_quality, taught
from wildstyle.verbs.jobs import EvaluationSpec
from wildstyle.verbs.measuring import LabelledSet, open_labelled, outcomes_of

FOOTAGE = {"imfdb": "imfdb", "far": "webcam_far"}
ENROLLED = 3
OUT = RESULTS / "adaptation"


@dataclass(frozen=True)
class Bench:
    """Data and folders of one target at one stage."""

    target: str
    stage: str
    seed: int
    work: Path

    @cached_property
    def data(self) -> Path:
        """Where the real faces lie."""
        if "WILDSTYLE_DATA" not in os.environ:
            raise SystemExit("WILDSTYLE_DATA is not set: real faces and models are not at hand")
        return Path(os.environ["WILDSTYLE_DATA"])

    @property
    def folder(self) -> Path:
        """Of this target, stage and seed of the generator."""
        return self.work / f"{self.target}-{self.stage}"

    @cached_property
    def untouched(self) -> Recogniser:
        """The recogniser to adapt."""
        return load_recogniser(self.data / "models/mobilefacenet.onnx", contract="rgb,imagenet")

    @cached_property
    def source(self) -> tuple[FaceSource, FaceSource]:
        """Clean faces to learn from, and those of every fifth person, only measured on."""
        return split(open_faces(self.data / "source112.tar"), 5)

    @cached_property
    def footage(self) -> FaceSource:
        """Unlabelled faces of the target."""
        faces = open_faces(self.data / f"{FOOTAGE[self.target]}_tune112.tar")
        return split(faces, 3)[0] if self.stage == "tune" else faces

    @cached_property
    def sides(self) -> Sides:
        """What is learnt from, and what the gate's knees are chosen on."""
        return put_aside(self.source[0], self.footage, GATE, 0)

    def camera(self) -> tuple[StyleGenerator, QualityNetwork]:
        """The fitted generator and the taught quality."""
        folder = self.folder / f"camera-{self.seed}"
        return load_generator(folder / "generator.safetensors")[0], stored_quality(folder / "quality.safetensors")

    def alone(self, recogniser: Recogniser) -> Alone:
        """A recogniser as it is; what it has embedded is remembered."""
        return Alone(recogniser, EmbeddingCache(self.work / "cache"))

    def arm_folder(self, arm: str) -> Path:
        """Where one arm's run lies."""
        return self.folder / f"{arm}-{self.seed}"


GATE = GateSettings(enabled=True)


def main() -> None:
    """Run one sub-command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("camera", "run", "measure", "pair", "all", "summary"))
    options.add_argument("names", nargs="*", help="[ARM] TARGET")
    options.add_argument("--stage", choices=("tune", "final"), default="tune")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--camera-seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=25.0)
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of AdaptSettings, to try out")
    options.add_argument("--as", dest="name", help="name of a tried-out arm")
    options.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    options.add_argument("--kind", choices=KINDS, default=SHIPPED)
    options.add_argument("--work", type=Path, default=Path("runs/adaptation"))
    chosen = options.parse_args()
    if chosen.what == "summary":
        summarise(OUT)
        return
    if chosen.what == "all":
        everything(chosen)
        return
    if not chosen.names:
        options.error("name a target: imfdb or far")
    bench = Bench(chosen.names[-1], chosen.stage, chosen.seed, chosen.work)
    if chosen.what == "camera":
        learn_camera(bench, chosen.minutes)
        return
    if chosen.what == "pair":
        pair(bench, *chosen.names[:2], chosen.kind, chosen.seeds)
        return
    arm, name = chosen.names[0], chosen.name or chosen.names[0]
    if chosen.what == "run":
        run(bench, arm, name, chosen)
    report(bench, name)


def everything(chosen: argparse.Namespace) -> None:
    """All arms on both targets, what can be compared beside them; cheap things first."""
    seeds = (0, 1, 2)
    for target in FOOTAGE:
        bench = Bench(target, chosen.stage, 0, chosen.work)
        if not (bench.folder / "camera-0" / "quality.safetensors").is_file():
            learn_camera(bench, chosen.minutes)
        for name in FREE:
            if not result(bench, name).is_file():
                report(bench, name)
        for seed in seeds:
            for arm in ARMS:
                one = replace(bench, seed=seed)
                if not result(one, arm).is_file():
                    run(one, arm, arm, chosen)
                    report(one, arm)
        for kind in ("adapted", SHIPPED):
            for arm, other in (*((arm, "untouched") for arm in ARMS), *COMPARED):
                if not comparison(bench, arm, other, kind).is_file():
                    pair(bench, arm, other, kind, seeds)


def result(bench: Bench, name: str) -> Path:
    """Where the figures of one arm lie."""
    return OUT / f"{bench.target}-{bench.stage}-{name}-{bench.seed}.json"


def comparison(bench: Bench, first: str, second: str, kind: str) -> Path:
    """Where the figures of one arm less another lie."""
    return OUT / f"{bench.target}-{bench.stage}-{first}-minus-{second}-{kind.replace(' ', '-')}.json"


def learn_camera(bench: Bench, minutes: float) -> None:
    """Fit the generator and teach the quality, once for all arms."""
    folder, seed = bench.folder / f"camera-{bench.seed}", bench.seed
    folder.mkdir(parents=True, exist_ok=True)
    sides, path = bench.sides, folder / "generator.safetensors"
    if not path.is_file():
        plan = LoopPlan(budget_seconds=60 * minutes, seed=seed)
        settings = replace(FitSettings(), seed=seed)
        fitted = fit_generator(sides.learn, sides.footage, bench.untouched, settings, folder / "fit", plan=plan)
        save_generator(fitted.generator, path, {"seconds": fitted.loop.seconds, "steps": fitted.loop.steps})
    generator = load_generator(path)[0]
    started = time.monotonic()
    quality = taught(bench.untouched, generator, sides, GATE, seed)
    if isinstance(quality, str):
        raise SystemExit(f"no quality could be taught: {quality}")
    store_quality(quality.network, folder / "quality.safetensors")
    told = {"faces": quality.faces, "correlation": quality.correlation, "octaves_off": quality.octaves_off}
    write_json(folder / "quality.json", {"seconds": time.monotonic() - started, **told})


def run(bench: Bench, arm: str, name: str, chosen: argparse.Namespace) -> None:
    """Adapt, and put the gate together; nothing is done twice."""
    folder = bench.arm_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "gated.safetensors").is_file():
        return
    picked, sides = ARMS[arm], bench.sides
    generator, quality = replace(bench, seed=chosen.camera_seed).camera()
    settings = with_values(picked.settings(AdaptSettings()), chosen.set)
    started = time.monotonic()
    adapted = adapt_recogniser(
        bench.untouched,
        picked.twins(generator),
        material_of(bench, picked, quality),
        settings,
        folder / "work",
        plan=LoopPlan(steps=chosen.steps, seed=bench.seed),
    )
    took = time.monotonic() - started
    save_recogniser(adapted.recogniser, folder / "adapted.safetensors")
    found = gated(bench.untouched, adapted.recogniser, quality, generator, sides, GATE, bench.seed)
    if isinstance(found, str):
        raise SystemExit(f"no gate: {found}")
    save_recogniser(found.recogniser, folder / "gated.safetensors")
    write_json(
        folder / "run.json",
        {
            "arm": arm,
            "steps": chosen.steps,
            "seconds": took,
            "set": chosen.set,
            "camera_seed": chosen.camera_seed,
            "knees": [found.lower, found.upper],
            "adapted_share": found.adapted_share,
            "diagnostics": dict(adapted.diagnostics.means),
        },
    )


def material_of(bench: Bench, arm: Arm, quality: QualityNetwork) -> Material:
    """What an arm learns from."""
    path = strong_path(arm, bench.data)
    strong = None if path is None else load_recogniser(path, contract="rgb,pm1")
    return Material(bench.sides.learn, bench.sides.footage if arm.footage else None, strong, quality)


def with_values(settings: AdaptSettings, given: list[str]) -> AdaptSettings:
    """Settings with ``key=value`` texts put in."""
    known = {field.name for field in fields(settings)}
    for text in given:
        key, _, value = text.partition("=")
        if key not in known:
            raise SystemExit(f"AdaptSettings has no {key}; it has {', '.join(sorted(known))}")
        settings = replace(settings, **{key: json.loads(value)})
    return settings


# -- measuring -----------------------------------------------------------------------------------------------------


def report(bench: Bench, name: str) -> None:
    """Measure one arm against the untouched recogniser and leave the figures."""
    before = outcomes(bench, bench.alone(bench.untouched))
    folder = bench.arm_folder(name)
    record: dict[str, Any] = {"arm": name, "target": bench.target, "stage": bench.stage, "seed": bench.seed}
    record["machine"] = machine()
    if (folder / "run.json").is_file():
        record |= json.loads((folder / "run.json").read_text(encoding="utf-8"))
    kinds = () if name == "untouched" else (name,) if name in FREE else KINDS
    record["figures"] = {
        kind: {
            data: differences(before[data], found) for data, found in outcomes(bench, system(bench, name, kind)).items()
        }
        for kind in kinds
    }
    record["before"] = {
        data: {" / ".join(key): round(value, 5) for key, value in outcome.points().items()}
        for data, outcome in before.items()
    }
    OUT.mkdir(parents=True, exist_ok=True)
    write_json(result(bench, name), record)
    show(record)


def system(bench: Bench, name: str, kind: str) -> System:
    """What an arm left, with or without its gate; a trick; or the untouched recogniser."""
    untouched, folder = bench.alone(bench.untouched), bench.arm_folder(name)
    if name == "untouched":
        return untouched
    if name in FREE:
        return Tricked(bench.untouched, untouched.cache, name, bench.footage)
    adapted = bench.alone(load_recogniser(folder / "adapted.safetensors"))
    if kind == "adapted":
        return adapted
    return Mixed(folder / "gated.safetensors", untouched, adapted, sizes=kind == SHIPPED)


def pair(bench: Bench, first: str, second: str, kind: str, seeds: Sequence[int]) -> None:
    """One arm minus the other (``untouched`` may be one of them), mean over seeds, and leave the figures."""
    sides = [_of_seeds(bench, name, kind, seeds) for name in (second, first)]
    record = {
        "arm": first,
        "minus": second,
        "target": bench.target,
        "stage": bench.stage,
        "seeds": list(seeds),
        "kind": kind,
        "machine": machine(),
        "figures": {data: mean_difference(*([one[data] for one in side] for side in sides)) for data in sides[0][0]},
    }
    OUT.mkdir(parents=True, exist_ok=True)
    write_json(comparison(bench, first, second, kind), record)
    show({"figures": {f"{first} - {second}": record["figures"]}})


def _of_seeds(bench: Bench, name: str, kind: str, seeds: Sequence[int]) -> list[dict[str, Outcome]]:
    wanted = seeds[:1] if name == "untouched" or name in FREE else seeds
    of_seeds = [replace(bench, seed=seed) for seed in wanted]
    return [outcomes(one, system(one, name, kind)) for one in of_seeds]


def differences(before: Outcome, after: Outcome) -> list[dict[str, Any]]:
    """Paired gains with intervals, in points."""
    return [
        {
            "name": found.name,
            "group": found.group,
            "gain": round(100 * found.gain, 3),
            "low": None if found.low is None else round(100 * found.low, 3),
            "high": None if found.high is None else round(100 * found.high, 3),
            "after": round(100 * (found.after or 0.0), 3),
        }
        for found in compare(before, after).differences
        if found.gain is not None
    ]


def outcomes(bench: Bench, of: System) -> dict[str, Outcome]:
    """The target with a new and with the old gallery, LFW and held-back clean people."""
    target, pairs = target_set(bench), clean_pairs(bench)
    found = outcomes_with(target, of) | outcomes_with(pairs, of)
    kept = Enrolled(of, bench.alone(bench.untouched), tuple(row.role for row in target.rows or ()))
    found |= {f"{name}, gallery kept": outcome for name, outcome in outcomes_with(target, kept).items()}
    held, rows = of.embedded(bench.source[1]), enrolled_rows(bench.source[1])
    found["clean people"] = evaluate_identification(held.vectors, held.ok, rows, data="clean people")
    target.close()
    pairs.close()
    return found


def outcomes_with(labelled: LabelledSet, of: System) -> dict[str, Outcome]:
    """The protocols of one set, by one system."""
    distractors = None
    if labelled.distractors is not None:
        strangers = of.embedded(labelled.distractors)
        distractors = strangers.vectors[strangers.ok]
    return outcomes_of(labelled, of.embedded(labelled.faces), distractors=distractors)


def target_set(bench: Bench) -> LabelledSet:
    """The labelled side of the target: held-back tune people, or the test people."""
    side = "test" if bench.stage == "final" else "tune"
    stem = bench.data / f"{FOOTAGE[bench.target]}_{side}"
    distractors = bench.data / "lfw_pairs112.tar"
    spec = EvaluationSpec(
        name=bench.target,
        path=stem.with_suffix(".csv"),
        faces=Path(f"{stem}112.tar"),
        distractors=distractors,
        role="target",
    )
    labelled = open_labelled(spec)
    if bench.stage == "final" or labelled.rows is None:
        return labelled
    held = set(sorted({row.subject for row in labelled.rows if row.subject})[::3])
    kept = [place for place, row in enumerate(labelled.rows) if row.subject in held]
    return replace(labelled, faces=Subset(labelled.faces, kept), rows=tuple(labelled.rows[place] for place in kept))


def clean_pairs(bench: Bench) -> LabelledSet:
    """LFW's pairs."""
    return open_labelled(EvaluationSpec(name="lfw", path=bench.data / "lfw_pairs112.tar"))


def enrolled_rows(held: FaceSource) -> list[ManifestRow]:
    """A protocol on clean people: three faces each are enrolled as one template, the others are searched."""
    seen: dict[str, int] = {}
    rows = []
    for index in range(len(held)):
        face = held.record(index)
        subject = face.subject or ""
        seen[subject] = seen.get(subject, 0) + 1
        enrolled = seen[subject] <= ENROLLED
        template = subject if enrolled else f"{subject} {seen[subject]}"
        role = "gallery" if enrolled else "probe"
        rows.append(ManifestRow(file=face.id, subject=subject, media=face.id, template=template, role=role))
    return rows


def show(record: Mapping[str, Any]) -> None:
    """The figures that decide, on the screen."""
    wanted = ("rank-1", "rank-1 with distractors", "tar@fmr=1e-2", "tar@fmr=1e-3", "accuracy")
    for kind, sets in record["figures"].items():
        for data, found in sets.items():
            for one in found:
                if one["name"] in wanted:
                    interval = "" if one["low"] is None else f" [{one['low']:+.2f}, {one['high']:+.2f}]"
                    print(f"{kind:20} {data:14} {one['name']:26} {one['group']:12} {one['gain']:+.2f}{interval}")


if __name__ == "__main__":
    main()
