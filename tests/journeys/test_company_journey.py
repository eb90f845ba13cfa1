"""The whole way with two processes, as ``torchrun`` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from wildstyle.recognisers import load_recogniser
from wildstyle.verbs.adapt import adapt

SCRIPT = """
import pickle, sys
from pathlib import Path
from wildstyle.verbs.adapt import adapt
job = pickle.loads(Path(sys.argv[1]).read_bytes())
outcome = adapt(job)
assert outcome.verdict.decision
"""


@pytest.mark.slow
@pytest.mark.multiprocess
def test_two_processes_learn_what_one_does(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import pickle

    alone = adapt(world.job(tmp_path / "alone"))
    (tmp_path / "job").write_bytes(pickle.dumps(world.job(tmp_path / "company")))
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, str(tmp_path / "script.py"), str(tmp_path / "job")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    together = load_recogniser(tmp_path / "company" / "recogniser.safetensors")
    images = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cosine = (together.embed(images) * alone.recogniser.embed(images)).sum(1)
    # Sums run in another order, and the discriminator sees other crops; the run is the same, the bits are not.
    assert float(cosine.min()) > 0.98
    assert (tmp_path / "company" / "report.html").is_file()
