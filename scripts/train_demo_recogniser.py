"""Train the demo's recogniser on made-up people only, and write its weights into the package.

    python scripts/train_demo_recogniser.py --work build/demo-recogniser

About 25 minutes on two cores. Pictures are rendered first; a checkpoint is kept every epoch and the same command
goes on from it. The loss is ArcFace's (Deng et al., CVPR 2019) with scale 32; no picture is degraded, so that the
recogniser is good on a decent camera and bad on a bad one, as real ones are.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildstyle.adaptation.heads import HeadSettings, IdentityHead, build_head
from wildstyle.faces import ManifestSource, open_faces, read_manifest
from wildstyle.madeup import MadeUpSet, write_made_up_set
from wildstyle.madeup.datasets import RENDERER_VERSION
from wildstyle.randomness import epoch_order, item_rng
from wildstyle.recognisers import Recogniser, RecogniserContract, build_backbone, save_recogniser, unit
from wildstyle.runs.atomic import replacing

OUT = Path(__file__).parents[1] / "src/wildstyle/madeup/demo_recogniser.safetensors"
BACKBONE, EMBEDDING_SIZE, BATCH = "demo", 128, 64


@dataclass(frozen=True)
class Plan:
    """What is trained, and how long."""

    people: int
    shots: int
    epochs: int
    rate: float
    margin: float
    seed: int = 1


def contract() -> RecogniserContract:
    """The contract that goes with the weights."""
    return RecogniserContract(
        model_id="wildstyle-demo",
        channel_order="RGB",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        embedding_size=EMBEDDING_SIZE,
        licence="MIT",
        origin=f"scripts/train_demo_recogniser.py on made-up people only (renderer version {RENDERER_VERSION})",
        compat_group="wildstyle-demo",
    )


def read_all(folder: Path, manifest: str) -> tuple[np.ndarray, ManifestSource]:
    """(N, 112, 112, 3) uint8 pictures of a manifest and the source itself."""
    path = folder / f"{manifest}.csv"
    tar = folder / f"{manifest.split('-c')[0]}.tar"
    source = ManifestSource(read_manifest(path), open_faces(tar))
    return np.stack([source.read(i).image for i in range(len(source))]), source


def working(images: np.ndarray) -> Tensor:
    """uint8 NHWC to working images, channels last."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0).contiguous(
        memory_format=torch.channels_last
    )  # fmt: skip


def moved(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the pictures; shift, turn and scale all a little, as imperfect alignment does."""
    count = len(images)
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    angle, scale = rng.normal(0.0, 0.03, count), np.exp(rng.normal(0.0, 0.025, count))
    shift = rng.uniform(-0.05, 0.05, (count, 2))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.stack([mirror * cos, -sin, shift[:, 0], mirror * sin, cos, shift[:, 1]], 1).reshape(count, 2, 3)
    grid = nn.functional.affine_grid(torch.from_numpy(matrix).float(), list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def rate_at(step: int, total: int, plan: Plan) -> float:
    """Linear warm-up over the first 5 %, then half a cosine down to 1 %."""
    warm = max(1, total // 20)
    if step < warm:
        return plan.rate * (step + 1) / warm
    return plan.rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / (total - warm))))


@dataclass
class Training:
    """Network, head, optimiser, and how many epochs they have seen."""

    network: nn.Module
    head: IdentityHead
    optimiser: torch.optim.Optimizer
    epoch: int = 0

    @classmethod
    def start(cls, plan: Plan, classes: int) -> Training:
        """Fresh weights, a function of the plan's seed."""
        torch.manual_seed(plan.seed)
        network = build_backbone(BACKBONE, embedding_size=EMBEDDING_SIZE)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        arcface = HeadSettings(name="arcface", scale=32.0, margin=plan.margin)
        head = build_head(arcface, classes, EMBEDDING_SIZE, seed=plan.seed)
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": 0.05},
            {"params": [p for p in network.parameters() if p.ndim <= 1]},
            {"params": list(head.parameters())},
        ]
        return cls(network, head, torch.optim.AdamW(groups, lr=plan.rate, weight_decay=0.0))

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        parts: dict[str, Any] = {"network": self.network, "head": self.head, "optimiser": self.optimiser}
        with replacing(path) as temporary:
            torch.save({**{name: part.state_dict() for name, part in parts.items()}, "epoch": self.epoch}, temporary)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch = state["epoch"]

    def step(self, batch: Tensor, target: Tensor, rate: float) -> tuple[float, float]:
        """One step on working images; loss, and the share whose nearest centre is their own."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        embeddings = self.network(contract().normalise(batch).contiguous(memory_format=torch.channels_last))
        loss = self.head(embeddings, target).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        own = self.head.cosines(embeddings.detach()).argmax(1) == target
        return loss.item(), own.float().mean().item()


def train(plan: Plan, images: np.ndarray, labels: np.ndarray, checkpoint: Path) -> nn.Module:
    """Train from scratch, or go on from the checkpoint."""
    training = Training.start(plan, int(labels.max()) + 1)
    if checkpoint.exists():
        training.load(checkpoint)
    per_epoch = len(labels) // BATCH
    total = plan.epochs * per_epoch
    training.network.train()
    while training.epoch < plan.epochs:
        epoch, start, seen = training.epoch, time.perf_counter(), []
        order = epoch_order(plan.seed, epoch, len(labels))
        for n in range(per_epoch):
            rows = order[n * BATCH : (n + 1) * BATCH]
            batch = moved(working(images[rows]), item_rng(plan.seed, "augment", epoch, n))
            rate = rate_at(epoch * per_epoch + n, total, plan)
            seen.append(training.step(batch, torch.from_numpy(labels[rows]), rate))
        training.epoch += 1
        training.save(checkpoint)
        loss, own = np.mean(seen, 0)
        speed = per_epoch * BATCH / (time.perf_counter() - start)
        print(f"epoch {training.epoch}: loss {loss:.3f}, own {own:.3f}, {speed:.0f} images/s", flush=True)
    return training.network.eval()


@torch.no_grad()
def rank_one(network: nn.Module, images: np.ndarray, source: ManifestSource) -> float:
    """Share of probes whose own gallery template is the best."""
    stated = contract()
    found = torch.cat([unit(network(stated.normalise(working(images[n : n + 64])))) for n in range(0, len(images), 64)])
    rows = source.manifest.rows
    names = sorted({row.subject for row in rows if row.subject})
    subject = np.array([names.index(row.subject or "") for row in rows])
    gallery = np.array([row.role == "gallery" for row in rows])
    templates = torch.stack([found[np.flatnonzero(gallery & (subject == n))].mean(0) for n in range(len(names))])
    best = (found[np.flatnonzero(~gallery)] @ unit(templates).T).argmax(1).numpy()
    return float((best == subject[~gallery]).mean())


def main() -> None:
    """Render, train, judge on people apart, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures and checkpoints")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--margin", type=float, default=0.3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    plan = Plan(args.people, args.shots, args.epochs, args.rate, args.margin)
    drawn = MadeUpSet(kind="recogniser", people=plan.people, shots=plan.shots)
    write_made_up_set(drawn, args.work, workers=args.workers)
    images, source = read_all(args.work, "recogniser")
    network = train(plan, images, source.labels(), args.work / "checkpoint.pt")
    # Seed 1: people that no demo or test shows, so that tuning here doesn't flatter them.
    write_made_up_set(MadeUpSet(kind="held-back", people=60, seed=1), args.work, workers=args.workers)
    for name in ("clean", "camera"):
        print(f"rank-1 {name}: {rank_one(network, *read_all(args.work, f'held-back-{name}')):.3f}")
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    save_recogniser(Recogniser(network, contract()), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
