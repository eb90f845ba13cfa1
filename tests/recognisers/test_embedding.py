from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wildstyle.errors import ContractError, SettingError, StorageError
from wildstyle.recognisers import EmbeddingCache, Recogniser, embed_source
from wildstyle.recognisers.cache import Shelf

Pictures = Callable[..., list[np.ndarray]]


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "auto"])
def test_embeddings_are_the_networks(tiny: Recogniser, list_source: Any, pictures: Pictures, engine: str) -> None:
    images = pictures(7)
    found = embed_source(tiny, list_source(images), batch=3, engine=engine)
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        raw = tiny.raw(stack).numpy()
    np.testing.assert_allclose(found.norms, np.linalg.norm(raw, axis=1), rtol=1e-4)
    np.testing.assert_allclose(found.vectors, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    assert found.ok.all()
    assert found.vectors.dtype == np.float32
    assert found.engine == ("torch" if engine == "torch" else "onnxruntime")


def test_order_batch_and_workers_change_nothing(tiny: Recogniser, list_source: Any, pictures: Pictures) -> None:
    source = list_source(pictures(9))
    base = embed_source(tiny, source, batch=64, workers=0)
    for batch, workers in ((1, 2), (4, 3)):
        other = embed_source(tiny, source, batch=batch, workers=workers)
        np.testing.assert_allclose(other.vectors, base.vectors, atol=1e-6)
    some = embed_source(tiny, source, indices=[5, 2, 5])
    np.testing.assert_allclose(some.vectors, base.vectors[[5, 2, 5]], atol=1e-6)


def test_a_failure_is_never_a_vector(tiny: Recogniser, list_source: Any, pictures: Pictures) -> None:
    first, second, third = pictures(3)
    found = embed_source(tiny, list_source([first, None, second, None, third]), batch=2)
    assert found.ok.tolist() == [True, False, True, False, True]
    assert np.isnan(found.vectors[~found.ok]).all()
    assert np.isnan(found.norms[~found.ok]).all()
    assert [row for row, _ in found.failures] == [1, 3]
    assert all("cut off" in reason for _, reason in found.failures)


def test_embeddings_without_direction_are_failures(tiny: Recogniser, list_source: Any, pictures: Pictures) -> None:
    last = tiny.network.features.layers[3]  # type: ignore[union-attr, index]
    for value, words in ((0.0, "length 0"), (float("nan"), "length nan")):
        torch.nn.init.constant_(last.weight, value)
        torch.nn.init.constant_(last.bias, value)
        found = embed_source(tiny, list_source(pictures(2)))
        assert not found.ok.any()
        assert words in found.failures[0][1]


def test_wrong_size_names_both_sides(tiny: Recogniser, list_source: Any, pictures: Pictures) -> None:
    with pytest.raises(ContractError, match=r"'face0' is 96x96 px.*takes 112x112"):
        embed_source(tiny, list_source(pictures(1, 96)))
    with pytest.raises(SettingError, match="batch=0"):
        embed_source(tiny, list_source([]), batch=0)
    with pytest.raises(SettingError, match="engine"):
        embed_source(tiny, list_source([]), engine="abacus")
    assert embed_source(tiny, list_source([])).vectors.shape == (0, 16)


def test_training_mode_is_left_as_found(tiny: Recogniser, list_source: Any, pictures: Pictures) -> None:
    tiny.network.train()
    before = {k: v.clone() for k, v in tiny.network.state_dict().items()}
    embed_source(tiny, list_source(pictures(2)), engine="torch")
    assert tiny.network.training
    assert all(torch.equal(v, before[k]) for k, v in tiny.network.state_dict().items())


def test_second_run_computes_nothing(tiny: Recogniser, list_source: Any, pictures: Pictures, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "cache")
    images = pictures(5)
    first = embed_source(tiny, list_source([*images, None]), cache=cache, batch=2)
    again = embed_source(tiny, list_source([None, *images[::-1]]), cache=cache, engine="torch")
    assert (first.computed, again.computed) == (5, 0)
    assert np.array_equal(again.vectors[1:], first.vectors[:5][::-1])
    assert np.array_equal(again.norms[1:], first.norms[:5][::-1])
    other = tiny.trainable_copy()
    with torch.no_grad():
        next(other.network.parameters()).add_(0.1)
    assert embed_source(other, list_source(images), cache=cache).computed == 5


def test_torn_and_flipped_rows_are_computed_again(
    tiny: Recogniser, list_source: Any, pictures: Pictures, tmp_path: Path
) -> None:
    cache = EmbeddingCache(tmp_path)
    source = list_source(pictures(4))
    base = embed_source(tiny, source, cache=cache)
    (path,) = tmp_path.rglob("*.rows")
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data[:-3])
    found = embed_source(tiny, source, cache=cache)
    assert found.computed == 2
    np.testing.assert_allclose(found.vectors, base.vectors, atol=1e-6)
    path.write_bytes(b"something else")
    assert embed_source(tiny, source, cache=cache).computed == 2


def _write(folder: Path, start: int) -> None:
    with Shelf(folder, 3) as shelf:
        for i in range(start, start + 200):
            shelf.put(i.to_bytes(16, "little"), np.full(3, i, np.float32), float(i))
            shelf.flush()


def test_two_processes_share_a_shelf(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    # A shelf that was opened before the fork must not lend its file to the child.
    with Shelf(tmp_path, 3) as shelf:
        shelf.put(b"\xff" * 16, np.zeros(3, np.float32), 1.0)
        writers = [context.Process(target=_write, args=(tmp_path, start)) for start in (0, 100)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    found = Shelf(tmp_path, 3)
    assert len(found) == 301
    for i in range(300):
        vector, norm = found.get(i.to_bytes(16, "little")) or (None, None)
        assert norm == i
        assert vector is not None
        assert (vector == i).all()
    assert len(Shelf(tmp_path, 4)) == 0


def test_a_cache_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = EmbeddingCache(tmp_path / "file").shelf("ab" * 32, 3)
    with pytest.raises(StorageError):
        shelf.put(b"\0" * 16, np.zeros(3, np.float32), 1.0)
