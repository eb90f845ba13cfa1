from __future__ import annotations

import numpy as np
import pytest

from wildstyle.evaluation import search as search_module
from wildstyle.evaluation.search import Side, ranks_of_mates


@pytest.mark.parametrize("block", [10_000_000, 50])
def test_ranks_by_sorting_each_row_with_ties_against_the_system(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "block_scores", lambda: block)
    rng = np.random.default_rng(2)

    def unit(count: int) -> np.ndarray:
        # Whole numbers in few dimensions: many equal scores, all exact.
        return rng.integers(-1, 2, (count, 3)).astype(np.float32)

    probes, gallery = Side(unit(40), rng.integers(0, 12, 40)), Side(unit(60), rng.integers(0, 10, 60))
    distractors = unit(30)
    probe, rank, score = ranks_of_mates(probes, gallery, distractors)
    every = np.vstack([gallery.vectors, distractors])
    owner = np.append(gallery.people, np.full(30, -1))
    expected = []
    for p in range(40):
        scores = probes.vectors[p] @ every.T
        mine = owner == probes.people[p]
        # Falling score; among equals everybody else first.
        order = np.lexsort((mine, -scores))
        expected += [(p, place + 1, scores[i]) for place, i in enumerate(order) if mine[i]]
    assert list(zip(probe.tolist(), rank.tolist(), score.tolist(), strict=True)) == expected


def test_nobody_searched() -> None:
    nobody = Side(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    some = Side(np.eye(3, dtype=np.float32), np.arange(3))
    assert all(len(part) == 0 for part in ranks_of_mates(nobody, some))
