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

import numpy as np
import torch
from torch import Tensor, nn

from wildstyle.adaptation.heads.arcface import ArcFaceHead
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


def train(plan: Plan, images: np.ndarray, labels: np.ndarray, checkpoint: Path) -> nn.Module:
    """Train from scratch, or go on from the checkpoint."""
    torch.manual_seed(plan.seed)
    network = build_backbone(BACKBONE, embedding_size=EMBEDDING_SIZE).to(memory_format=torch.channels_last)
    head = ArcFaceHead(int(labels.max()) + 1, EMBEDDING_SIZE, scale=32.0, margin=plan.margin, seed=plan.seed)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain}, {"params": head.parameters()}]
    optimiser = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=0.0)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        head.load_state_dict(state["head"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    per_epoch = len(labels) // BATCH
    total, stated = plan.epochs * per_epoch, contract()
    network.train()
    for epoch in range(first, plan.epochs):
        order, start, losses, hits = epoch_order(plan.seed, epoch, len(labels)), time.perf_counter(), [], []
        for n in range(per_epoch):
            rows = order[n * BATCH : (n + 1) * BATCH]
            batch = moved(working(images[rows]), item_rng(plan.seed, "augment", epoch, n))
            target = torch.from_numpy(labels[rows])
            for group in optimiser.param_groups:
                group["lr"] = rate_at(epoch * per_epoch + n, total, plan)
            embeddings = network(stated.normalise(batch).contiguous(memory_format=torch.channels_last))
            loss = head(embeddings, target).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            hits.append((head.cosines(embeddings.detach()).argmax(1) == target).float().mean().item())
        with replacing(checkpoint) as temporary:
            torch.save(
                {
                    "network": network.state_dict(),
                    "head": head.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "epoch": epoch + 1,
                },
                temporary,
            )
        speed = per_epoch * BATCH / (time.perf_counter() - start)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, own {np.mean(hits):.3f}, {speed:.0f}/s", flush=True)
    return network.eval()


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
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--margin", type=float, default=0.3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    plan = Plan(args.people, args.shots, args.epochs, args.rate, args.margin)
    drawn = MadeUpSet(kind="recogniser", people=plan.people, shots=plan.shots)
    write_made_up_set(drawn, args.work, workers=args.workers)
    # Seed 1: people that no demo or test shows, so that tuning here doesn't flatter them.
    write_made_up_set(MadeUpSet(kind="held-back", people=60, seed=1), args.work, workers=args.workers)
    images, source = read_all(args.work, "recogniser")
    network = train(plan, images, source.labels(), args.work / "checkpoint.pt")
    for name in ("clean", "camera"):
        print(f"rank-1 {name}: {rank_one(network, *read_all(args.work, f'held-back-{name}')):.3f}")
    save_recogniser(Recogniser(network.to(memory_format=torch.contiguous_format), contract()), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
