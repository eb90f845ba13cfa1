"""Wall time of the whole way, as a user runs it.

    python benchmarks/whole_way.py demo
    WILDSTYLE_DATA=... python benchmarks/whole_way.py real [--out FOLDER]

Records ``demo-s`` (without setting up the environment) and ``adapt-real-s``, with the gain that was found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import record


def main() -> None:
    """Run one of the two and record its time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("demo", "real"))
    parser.add_argument("--out", type=Path, help="keep the run here")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp()) / "run"
    arguments = ["demo", "--out", str(out)] if given.which == "demo" else real_arguments(out)
    # A cache of its own, so that no embedding of an earlier run is at hand.
    environment = {**os.environ, "WILDSTYLE_CACHE": str(out.parent / f"{out.name}-cache")}
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "from wildstyle.cli import main; main()", *arguments], check=True, env=environment
    )
    seconds = time.monotonic() - started
    run, name, shown = (
        (out / "run", "demo-s", "bad camera") if given.which == "demo" else (out, "adapt-real-s", "imfdb")
    )
    found = json.loads((run / "verdict.json").read_text())
    gain = rank1(run, shown)
    entry = record(
        "whole-way",
        name,
        round(seconds, 1),
        "s",
        "lower",
        command=f"python benchmarks/whole_way.py {given.which}",
        seeds=[0],
        rank1_gain_points=round(100 * gain["gain"], 2),
        rank1_gain_interval=[round(100 * gain["low"], 2), round(100 * gain["high"], 2)],
        verdict=found["decision"],
    )
    print(json.dumps(entry, indent=2))


def real_arguments(out: Path) -> list[str]:
    """The command of the README on real faces."""
    if "WILDSTYLE_DATA" not in os.environ:
        raise SystemExit("WILDSTYLE_DATA is not set: real faces and models are not at hand")
    data = Path(os.environ["WILDSTYLE_DATA"])
    return [
        "adapt",
        *("--recogniser", str(data / "models/mobilefacenet.onnx")),
        *("--source", str(data / "source112.tar")),
        *("--target", str(data / "imfdb_tune112.tar")),
        *("--evaluate", f"lfw={data / 'lfw_pairs112.tar'}"),
        *("--evaluate", f"imfdb={data / 'imfdb_tune.csv'},faces={data / 'imfdb_tune112.tar'}"),
        *("--out", str(out)),
        "--show-faces",
    ]


def rank1(run: Path, name: str) -> dict[str, float]:
    """Gain in rank-1 over all faces of one set."""
    file = run / "metrics" / f"evaluation-{name.replace(' ', '-')}.json"
    differences = json.loads(file.read_text())["comparison"]["differences"]
    found: dict[str, float] = next(d for d in differences if d["name"] == "rank-1" and d["group"] == "all")
    return found


if __name__ == "__main__":
    main()
