"""The whole way from Python, on made-up people: about a minute on two cores.

python examples/adapt_made_up.py [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

from wildstyle import AdaptJob, EvaluationSpec, adapt, check
from wildstyle.adaptation import AdaptSettings
from wildstyle.madeup import MadeUpSet, demo_recogniser_path, write_made_up_set
from wildstyle.synthesis import FitSettings


def main(folder: Path) -> None:
    """Draw people, adapt, and print the verdict."""
    data = folder / "data"
    clean = write_made_up_set(MadeUpSet(kind="clean", people=12, shots=6), data)
    footage = write_made_up_set(MadeUpSet(kind="footage", people=16, shots=4), data)
    held_back = write_made_up_set(MadeUpSet(kind="held-back", people=12), data)
    job = AdaptJob(
        recogniser=demo_recogniser_path(),
        source=clean.faces,
        target=(footage.faces,),
        out=folder / "run",
        evaluate=(
            EvaluationSpec(name="camera", path=held_back.manifests["camera"], faces=held_back.faces, role="target"),
        ),
        fit_steps=40,
        adapt_steps=30,
        synthesis=FitSettings(batch=16),
        adaptation=AdaptSettings(batch=32),
    )
    for fault in check(job).faults:
        print(f"{fault.what}: {fault.outcome}")
    outcome = adapt(job)
    for difference in outcome.evaluations[0].comparison.differences[:2]:
        print(difference)
    print(outcome.verdict.sentence)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/example"))
