from __future__ import annotations

import numpy as np
import pytest

from wildstyle.errors import InputError
from wildstyle.evaluation import listed
from wildstyle.evaluation.listed import listed_scores


@pytest.mark.parametrize("way", ["grid", "fetched"])
@pytest.mark.parametrize("order", ["random", "sorted"])
def test_each_pair_gets_its_own_cosine(way: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "_DENSE", 0.0 if way == "grid" else 10.0)
    monkeypatch.setattr(listed, "_BAND", 7)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = rng.integers(20, 60, 500), rng.integers(0, 50, 500)
    if order == "sorted":
        first = np.sort(first)
    ok = rng.random(60) > 0.1
    found = listed_scores(vectors, first.astype(np.int32), second, ok=ok)
    expected = (vectors[first] * vectors[second]).sum(1)
    expected[~(ok[first] & ok[second])] = -np.inf
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_no_pairs_and_wrong_pairs() -> None:
    vectors = np.eye(3, dtype=np.float32)
    nobody = np.zeros(0, np.int64)
    assert len(listed_scores(vectors, nobody, nobody)) == 0
    with pytest.raises(InputError, match="not among"):
        listed_scores(vectors, np.array([0]), np.array([3]))
    with pytest.raises(InputError, match="one length"):
        listed_scores(vectors, np.array([0]), np.array([1, 2]))
