"""Wall time of the whole way, as a user runs it.

    python benchmarks/whole_way.py demo
    WILDSTYLE_DATA=... python benchmarks/whole_way.py real [--out FOLDER]

Records ``demo-s`` (without setting up the environment) or ``adapt-real-s``, and the gain that was found.
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
from typing import Any

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
    command = f"python benchmarks/whole_way.py {given.which}"
    record("whole-way", name, round(seconds, 1), "s", "lower", command=command, seeds=[0])
    print(json.dumps(record_gain(run, shown, given.which), indent=2))


def record_gain(run: Path, shown: str, which: str) -> dict[str, Any]:
    """Record what the run gained in rank-1 over all faces of one set, with its 95 % interval over people."""
    file = run / "metrics" / f"evaluation-{shown.replace(' ', '-')}.json"
    differences = json.loads(file.read_text())["comparison"]["differences"]
    gain = next(d for d in differences if d["name"] == "rank-1" and d["group"] == "all")
    return record(
        "whole-way",
        f"{which}-rank1-gain",
        round(100 * gain["gain"], 2),
        "points",
        "higher",
        command=f"python benchmarks/whole_way.py {which}",
        interval=(round(100 * gain["low"], 2), round(100 * gain["high"], 2)),
        interval_is="95 %, bootstrap over people, paired",
        seeds=[0],
        before=round(100 * gain["before"], 2),
        after=round(100 * gain["after"], 2),
        verdict=json.loads((run / "verdict.json").read_text())["decision"],
    )


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


if __name__ == "__main__":
    main()
