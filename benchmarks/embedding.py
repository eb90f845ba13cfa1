"""Images a second and memory of embedding, against onnxruntime on the file as it came.

Run: WILDSTYLE_DATA=... python benchmarks/embedding.py
The rival is the original file with its batch made free; both get the same preprocessed batch and the
same threads, and take turns in one process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from record import record
from wildstyle.faces import Subset, open_faces, working_batch
from wildstyle.recognisers import Recogniser, embed_source, load_recogniser
from wildstyle.recognisers.writing import session_for

Run = Callable[[np.ndarray], np.ndarray]
COMMAND = "WILDSTYLE_DATA=... python benchmarks/embedding.py"


def rival(path: Path, threads: int) -> Run:
    """onnxruntime on the original file, its batch of 1 made free."""
    model = onnx.load(str(path))
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]
    sizes = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        if node.op_type == "Reshape":
            tensor = sizes[node.input[1]].attribute[0].t
            embedding = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([-1, embedding])))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})[0]


def eager(recogniser: Recogniser) -> Run:
    """The trainable network itself, channels last, without gradients."""
    network = recogniser.frozen_copy().network.to(memory_format=torch.channels_last)

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)).numpy()

    return run


def taking_turns(runs: dict[str, Run], batch: np.ndarray, repeats: int) -> dict[str, list[float]]:
    """Seconds a pass of each, interleaved."""
    for run in runs.values():
        run(batch)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run(batch)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def from_the_tar(path: Path, tar: Path, count: int, batch: int) -> tuple[float, float]:
    """Images a second of embedding a tar, decoding included, and this process's peak memory in MiB."""
    recogniser = load_recogniser(path, contract="rgb,imagenet")
    source = open_faces(tar)
    faces = Subset(source, range(min(count, len(source))))
    start = time.perf_counter()
    embed_source(recogniser, faces, batch=batch)
    speed = len(faces) / (time.perf_counter() - start)
    return speed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_a_fresh_process(path: Path, tar: Path, count: int, batch: int) -> tuple[float, float]:
    """``from_the_tar`` where nothing else has used memory before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(from_the_tar, path, tar, count, batch).result()


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--faces", type=int, default=1500)
    chosen = parser.parse_args()
    if not os.environ.get("WILDSTYLE_DATA"):
        sys.exit("skipped: WILDSTYLE_DATA is not set")
    data, threads = Path(os.environ["WILDSTYLE_DATA"]), torch.get_num_threads()
    path = data / "models" / "mobilefacenet.onnx"
    recogniser = load_recogniser(path, contract="rgb,imagenet")
    source = open_faces(data / "lfw_pairs112.tar")
    images = working_batch([source.read(i) for i in range(chosen.batch)])
    batch = recogniser.contract.normalise(torch.from_numpy(images)).contiguous().numpy()
    runs = {"own": session_for(recogniser.network, 112), "rival": rival(path, threads), "torch": eager(recogniser)}
    difference = max(float(np.abs(runs[n](batch) - runs["rival"](batch)).max()) for n in ("own", "torch"))
    seconds = taking_turns(runs, batch, chosen.repeats)
    speeds = {name: chosen.batch / statistics.median(times) for name, times in seconds.items()}
    common = {"threads": threads, "batch": chosen.batch, "repeats": chosen.repeats, "largest_difference": difference}
    for name, engine in (("own", "onnxruntime"), ("torch", "torch")):
        ratios = sorted(r / o for r, o in zip(seconds["rival"], seconds[name], strict=True))
        suffix = "" if name == "own" else "-torch"
        record(
            "recognisers",
            f"embedding-vs-onnxruntime{suffix}",
            statistics.median(ratios),
            "ratio of images/s",
            "higher",
            rival="onnxruntime on the original file",
            rival_value=1.0,
            interval=(ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]),
            command=COMMAND,
            engine=engine,
            images_per_s=speeds[name],
            rival_images_per_s=speeds["rival"],
            interval_is="quartiles of the repeats",
            **common,
        )
        print(f"{engine}: {speeds[name]:.1f} images/s, {statistics.median(ratios):.3f} of the rival")
    whole, peak = in_a_fresh_process(path, data / "lfw_pairs112.tar", chosen.faces, chosen.batch)
    record(
        "recognisers",
        "embedding-images-per-s",
        whole,
        "images/s",
        "higher",
        command=COMMAND,
        note="decoding included, no cache",
        **common,
    )
    record(
        "recognisers",
        "embedding-peak-memory",
        peak,
        "MiB",
        "lower",
        command=COMMAND,
        note="a process that only embeds",
        **common,
    )
    print(f"from the tar: {whole:.1f} images/s; peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
