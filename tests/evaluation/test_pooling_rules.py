from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from wildstyle.errors import InputError, SettingError
from wildstyle.evaluation import pooling
from wildstyle.evaluation.pooling import PLAIN_MEAN, PoolingRule, pool

# Medium 1: frames (3, 0), detector .9, and (1, 0), detector .5; medium 2: image (0, 2), detector 1.
RAW = np.array([[3, 0], [1, 0], [0, 2]], np.float32)
NORMS = np.linalg.norm(RAW, axis=1)
MEDIA, DETECTOR = np.array([1, 1, 2]), np.array([0.9, 0.5, 1], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("N1D1", (0.624695, 0.780869)),
        ("N0D1", (0.573462, 0.819232)),
        ("N1D0", (0.707107, 0.707107)),
        ("norm-weighted", (0.894427, 0.447214)),
    ],
)
@pytest.mark.parametrize("given_norms", [True, False])
def test_switches_by_hand(rule: str, expected: tuple[float, float], given_norms: bool) -> None:
    vectors = RAW / NORMS[:, None] if given_norms else RAW
    norms = NORMS if given_norms else None
    found = pool(vectors, np.zeros(3, int), media=MEDIA, norms=norms, detector=DETECTOR, rule=PoolingRule.parse(rule))
    assert found.vectors[0] == pytest.approx(expected, abs=1e-6)


def one_by_one(
    vectors: NDArray[np.float32],
    columns: dict[str, NDArray[np.generic]],
    ok: NDArray[np.bool_],
    rule: PoolingRule,
) -> dict[int, NDArray[np.float64] | None]:
    """The common way: loops over templates and media."""
    out: dict[int, NDArray[np.float64] | None] = {}
    for t in np.unique(columns["template"]):
        inside = (columns["template"] == t) & ok
        total = np.zeros(vectors.shape[1])
        for m in np.unique(columns["media"][inside]) if rule.media_first else [None]:
            rows = np.flatnonzero(inside & (columns["media"] == m if m is not None else True))
            faces = vectors[rows].astype(float)
            if not rule.norm:
                faces /= np.linalg.norm(faces, axis=1, keepdims=True)
            if rule.detector:
                faces *= columns["detector"][rows][:, None]
            total += faces.mean(0) if rule.media_first else faces.sum(0)
        length = np.linalg.norm(total)
        out[int(t)] = total / length if length else None
    return out


@pytest.mark.parametrize("rule", ["N0D0", "N1D1", "N0D1", "mean", "norm-weighted"])
@pytest.mark.parametrize("block", [pooling._BLOCK, 64])
def test_equal_to_the_loops_in_any_order(rule: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_BLOCK", block)
    rng = np.random.default_rng(1)
    n = 400
    vectors = rng.standard_normal((n, 8)).astype(np.float32)
    columns = {
        "template": rng.integers(0, 60, n) * 7,
        "media": rng.integers(0, 9, n),
        "detector": rng.random(n).astype(np.float32),
    }
    ok = rng.random(n) > 0.3
    ok[columns["template"] == 7] = False
    spoiled = np.where(ok[:, None], vectors, np.nan)
    chosen = PoolingRule.parse(rule)
    found = pool(spoiled, columns["template"], media=columns["media"], detector=columns["detector"], ok=ok, rule=chosen)
    expected = one_by_one(vectors, columns, ok, chosen)
    assert found.ids.tolist() == sorted(expected)
    for row, name in enumerate(found.ids.tolist()):
        vector = expected[name]
        assert found.ok[row] == (vector is not None)
        assert found.faces[row] == (ok & (columns["template"] == name)).sum()
        np.testing.assert_allclose(found.vectors[row], 0 if vector is None else vector, atol=1e-6)
    assert not found.ok[found.place(np.array([7]))[0]]


def test_names_and_texts() -> None:
    assert PoolingRule.parse("n1d0").name == "N1D0F0"
    assert PLAIN_MEAN.name == "mean"
    assert "detector score" in PoolingRule(detector=True).rule
    with pytest.raises(SettingError, match="N1D1F0"):
        PoolingRule.parse("best")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="3 faces but 2"):
        pool(RAW[:2], np.zeros(3, int))
    with pytest.raises(InputError, match="detector"):
        pool(RAW, np.zeros(3, int), rule=PoolingRule(detector=True))
    with pytest.raises(InputError, match="template 5"):
        pool(RAW, np.zeros(3, int)).place(np.array([0, 5]))
