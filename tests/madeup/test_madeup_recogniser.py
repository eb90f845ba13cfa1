"""The shipped demo recogniser: small, with its contract, good on a decent camera and worse on the bad one."""

from __future__ import annotations

import numpy as np
import torch

from wildstyle.faces import working_batch
from wildstyle.madeup import MadeUpSet, MadeUpSource, demo_recogniser_path
from wildstyle.recognisers import load_recogniser, read_contract


def test_weights_are_small_and_carry_their_contract() -> None:
    assert demo_recogniser_path().stat().st_size < 2_000_000
    contract = read_contract(demo_recogniser_path())
    assert contract is not None
    assert (contract.model_id, contract.embedding_size, contract.licence) == ("wildstyle-demo", 128, "MIT")
    assert "made-up people only" in contract.origin


def test_people_held_back_are_told_apart_and_the_bad_camera_hurts() -> None:
    plan = MadeUpSet(kind="held-back", people=10, gallery=2, probes=2, seed=3)
    source, items = MadeUpSource(plan), plan.items()
    recogniser = load_recogniser(demo_recogniser_path())
    batch = torch.from_numpy(working_batch([source.read(i) for i in range(len(source))]))
    with torch.no_grad():
        vectors = recogniser.embed(batch).numpy()
    people = np.array([i.person for i in items])
    media = np.array([i.media for i in items])
    gallery = media == "portrait"
    templates = np.stack([vectors[gallery & (people == p)].mean(0) for p in plan.person_seeds()])
    best = np.array(plan.person_seeds())[(vectors @ templates.T).argmax(1)]
    rank_one = {m: float((best == people)[media == m].mean()) for m in ("clean", "camera")}
    assert rank_one["clean"] >= 0.9
    assert rank_one["camera"] < rank_one["clean"]
