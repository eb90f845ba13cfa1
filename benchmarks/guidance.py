"""What guidance costs: a guided step against a plain step of the same batch, interleaved.

    python benchmarks/guidance.py [--repeats 9] [--batch 64] [--backbone mobilefacenet] [--threads 2]

All images are random and all weights are fresh: time depends on neither. ``guided-step-ratio-thin`` compares with
the 4.55 counted (in multiply-accumulates, iResNet-50 and the published generator) for the code published with CFSM;
``as_published`` in the record is that code's order of work on the networks timed here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import nn

from record import record
from wildstyle.adaptation import (
    AdaptSettings,
    AdaptTask,
    GuidanceSettings,
    HeadSettings,
    IdentityHead,
    Lessons,
    StyleTwins,
    build_head,
)
from wildstyle.adaptation.batches import AdaptBatch
from wildstyle.recognisers import Recogniser, RecogniserContract, build_backbone
from wildstyle.synthesis import Generator

CLASSES, SIZE, SHARE, PUBLISHED = 1000, 112, 0.25, 4.55


def recogniser(backbone: str, size: int = 128) -> Recogniser:
    """Fresh weights of ``backbone``."""
    contract = RecogniserContract(
        model_id=backbone, channel_order="RGB", mean=(0.5,) * 3, std=(0.5,) * 3, embedding_size=size
    )
    return Recogniser(build_backbone(backbone, embedding_size=size), contract)


def batch_of(count: int, share: float, axes: int) -> AdaptBatch:
    """Random images, the last ``share`` of them to be seen as twins."""
    drawn = torch.Generator().manual_seed(0)
    twins = count - round((1 - share) * count)
    codes = torch.randn(twins, axes, generator=drawn)
    return AdaptBatch(
        torch.rand(count, 3, SIZE, SIZE, generator=drawn),
        2.5 * codes / codes.norm(dim=1, keepdim=True).clamp_min(1e-9),
        torch.arange(twins),
        torch.randint(CLASSES, (count,), generator=drawn),
        torch.arange(count),
    )


def head_of(subject: Recogniser) -> IdentityHead:
    """A fresh ArcFace head."""
    return build_head(HeadSettings(), CLASSES, subject.contract.embedding_size)


def task_of(subject: Recogniser, generator: Generator, *, labelled: bool) -> AdaptTask:
    """The shipped task: with a head and nothing else as CFSM trains, or label-free."""
    terms = {"head": HeadSettings(), "twin_weight": 0.0, "retention_weight": 0.0} if labelled else {}
    settings = AdaptSettings(synthetic_share=SHARE, learning_rate=1e-6, **terms)
    head = head_of(subject) if labelled else None
    task = AdaptTask(subject, StyleTwins(generator, GuidanceSettings()), settings, Lessons(head=head))
    task.attach(Accelerator(cpu=True))
    return task


def as_published(subject: Recogniser, generator: Generator, batch: AdaptBatch) -> Callable[[], None]:
    """The published order of work: every image guided and synthesised, generator not frozen, second pass with graph."""
    student = subject.trainable_copy()
    head = head_of(subject)
    optimiser = torch.optim.AdamW([*student.network.parameters(), *head.parameters()], lr=1e-6)
    count = len(batch.images)
    start = batch_of(count, 1.0, generator.axes).codes
    seeds, real = torch.arange(count), count - len(batch.codes)

    def step() -> None:
        codes = start.clone().requires_grad_(True)
        loss = head(student.raw(generator(batch.images, codes, seeds)), batch.labels).mean()
        codes = (start + 0.314 * torch.autograd.grad(loss, codes)[0].sign()).detach()
        shown = generator(batch.images, codes, seeds)
        images = torch.cat([batch.images[:real], shown[real:]])
        head(student.raw(images), batch.labels).mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def bare(subject: Recogniser, batch: AdaptBatch) -> Callable[[], None]:
    """The least a step can be: forward, loss, backward, AdamW, in plain torch."""
    network = subject.trainable_copy().network.to(memory_format=torch.channels_last)
    head = head_of(subject)
    optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-6)

    def step() -> None:
        images = subject.contract.normalise(batch.images).contiguous(memory_format=torch.channels_last)
        head(network(images), batch.labels).mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def interleaved(arms: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every arm, one after another, after one warm round."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(repeats + 1):
        for name, step in arms.items():
            begun = time.perf_counter()
            step()
            if repeat:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(seconds: dict[str, list[float]], over: str, under: str) -> tuple[float, tuple[float, float]]:
    """Ratio of medians, with the range of the ratios of single rounds."""
    rounds = [a / b for a, b in zip(seconds[over], seconds[under], strict=True)]
    return statistics.median(seconds[over]) / statistics.median(seconds[under]), (min(rounds), max(rounds))


def main() -> None:
    """Time, print and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--backbone", default="mobilefacenet")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--dry", action="store_true", help="print only")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)

    subject, generator = recogniser(asked.backbone), Generator()
    nn.init.normal_(generator.response[2].weight, std=0.01)
    plain, guided = batch_of(asked.batch, 0.0, generator.axes), batch_of(asked.batch, SHARE, generator.axes)
    labelled, free = (task_of(subject, generator, labelled=flag) for flag in (True, False))
    seconds = interleaved(
        {
            "plain": lambda: labelled.step(plain, 0, 100),
            "bare": bare(subject, plain),
            "guided": lambda: labelled.step(guided, 0, 100),
            "published": as_published(subject, generator, guided),
            "free-plain": lambda: free.step(plain, 0, 100),
            "free-guided": lambda: free.step(guided, 0, 100),
        },
        asked.repeats,
    )
    command = f"python benchmarks/guidance.py --repeats {asked.repeats} --batch {asked.batch} --threads {asked.threads}"
    shared = {
        "command": command,
        "repeats": asked.repeats,
        "batch": asked.batch,
        "share": SHARE,
        "backbone": asked.backbone,
        "interval_is": "range of single rounds",
    }
    lean, lean_range = ratio(seconds, "guided", "plain")
    heavy, _ = ratio(seconds, "published", "plain")
    freely, free_range = ratio(seconds, "free-guided", "free-plain")
    speeds = {name: asked.batch / statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"{name:12s} {statistics.median(times):7.3f} s  {speeds[name]:7.1f} images/s")
    print(f"guided / plain {lean:.3f} {lean_range}, as published {heavy:.3f}, label-free {freely:.3f} {free_range}")
    if asked.dry:
        return
    record(
        "adaptation",
        "guided-step-ratio-thin",
        lean,
        "times a plain step",
        "lower",
        rival="code published with CFSM, counted, iResNet-50",
        rival_value=PUBLISHED,
        interval=lean_range,
        as_published=heavy,
        **shared,
    )
    record(
        "adaptation",
        "guided-step-ratio-thin-label-free",
        freely,
        "times a plain step",
        "lower",
        interval=free_range,
        **shared,
    )
    record(
        "adaptation",
        "plain-step-images-per-s",
        speeds["plain"],
        "images/s",
        "higher",
        rival="bare torch",
        rival_value=speeds["bare"],
        **shared,
    )


if __name__ == "__main__":
    main()
