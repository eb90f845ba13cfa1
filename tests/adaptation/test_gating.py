"""The gate: what a cosine is worth, a quality that is taught, knees that are chosen, all without labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from wildstyle.adaptation.gating import (
    QualitySettings,
    Trial,
    TrialFaces,
    Worse,
    assemble,
    choose_knees,
    gate_by_trial,
    log_sizes,
    settle,
    shrunk,
    size_curve,
    teach_quality,
)
from wildstyle.adaptation.gating.knees import footage_weights, ramp
from wildstyle.errors import InputError, NotMeasurable, SettingError
from wildstyle.faces import Face, FaceRecord
from wildstyle.faces.source import FaceSource
from wildstyle.recognisers import Recogniser, RecogniserContract
from wildstyle.recognisers.quality import QualityGate, QualityNetwork
from wildstyle.synthesis.kinds import ready_made


class Detail(torch.nn.Module):
    """A recogniser whose embedding turns as fine detail goes: what a quality has to find out."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        fine = (images[..., 1:] - images[..., :-1]).abs().mean((1, 2, 3))
        angle = torch.exp(-12.0 * fine) * 1.5
        return torch.stack([angle.cos(), angle.sin()], dim=1) + 0 * self.idle


@pytest.fixture
def recogniser() -> Recogniser:
    contract = RecogniserContract(
        model_id="detail", channel_order="RGB", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), embedding_size=2
    )
    return Recogniser(Detail(), contract)


def sharp(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(seed))


class Sharp(FaceSource):
    """Two dozen pictures full of detail."""

    name, location = "sharp", "memory"

    def __init__(self) -> None:
        self._pictures = (255 * sharp(24)).byte().permute(0, 2, 3, 1).numpy()

    def __len__(self) -> int:
        return len(self._pictures)

    def record(self, index: int) -> FaceRecord:
        return FaceRecord(id=str(index), source=self.name)

    def encoded(self, index: int) -> bytes:
        return self._pictures[index].tobytes()

    def read(self, index: int) -> Face:
        return Face(self._pictures[index], self.record(index))


def worse() -> Worse:
    camera, blind = ready_made("blind-adaface"), ready_made("blind")
    assert camera is not None
    assert blind is not None
    return Worse(camera, blind)


def test_curve_rises_and_is_read_backwards(recogniser: Recogniser) -> None:
    faces = sharp(20)
    curve = size_curve(recogniser.embed, faces)
    assert (np.diff(curve.cosines) > 0).all()
    assert curve.cosines[-1] == pytest.approx(1.0, abs=1e-6)
    cosine = (recogniser.embed(faces) * recogniser.embed(shrunk(faces, 34))).sum(1).mean()
    assert float(curve.log_size(cosine[None])) == pytest.approx(np.log2(34), abs=0.01)
    assert curve.log_size(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([np.log2(10), np.log2(112)])


def test_a_recogniser_that_minds_nothing_teaches_nothing(recogniser: Recogniser) -> None:
    with pytest.raises(InputError, match="no quality"):
        size_curve(lambda images: torch.ones(len(images), 1), sharp(4))


def test_worse_faces_are_a_function_of_their_seeds_and_some_stay() -> None:
    make, faces, seeds = worse(), sharp(16), torch.arange(16)
    first, again = make(faces, seeds), make(faces, seeds)
    assert torch.equal(first, again)
    untouched = [row for row in range(16) if torch.equal(first[row], faces[row])]
    assert untouched == [0, 8]
    assert not torch.equal(make(faces, seeds + 100), first)


def test_taught_quality_tells_blurred_from_sharp(recogniser: Recogniser) -> None:
    told: list[tuple[int, int]] = []
    settings = QualitySettings(faces=96, curve_faces=16)
    taught = teach_quality(recogniser, worse(), Many(), settings, on_faces=lambda done, of: told.append((done, of)))
    assert told == [(64, 96), (96, 96)]
    assert (taught.faces, taught.correlation > 0.5, taught.octaves_off < 1.0) == (96, True, True)
    clean = sharp(16)
    found = [float(log_sizes(taught.network, recogniser, shrunk(clean, side)).mean()) for side in (16, 40, 112)]
    assert found[0] + 0.4 < found[2]
    assert found == sorted(found)
    assert not any(weight.requires_grad for weight in taught.network.parameters())


def test_settling_notes_middle_and_spread() -> None:
    network = QualityNetwork()
    settle(network, torch.tensor([4.0, 5.0, 5.0, 6.0, 9.0]))
    assert float(network.middle) == 5.0
    assert float(network.spread) == pytest.approx(1.4826)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="can't be taught"):
        QualitySettings(faces=2)


# -- knees ---------------------------------------------------------------------------------------------------------


def trial(better_below: float, *, footage: np.ndarray | None = None, count: int = 400) -> Trial:
    """Faces of all sizes; below ``better_below`` px the adapted side finds them and the other does not, above it is
    the other way round."""
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((count, 64))
    clean /= np.linalg.norm(clean, axis=1, keepdims=True)
    quality = rng.uniform(np.log2(10), np.log2(112), count)
    lost = np.roll(clean, 1, axis=0)
    small = (quality < np.log2(better_below))[:, None]
    right, wrong = 0.9 * clean + 0.1 * lost, 0.1 * clean + 0.9 * lost
    return Trial(
        clean=clean,
        untouched=np.where(small, wrong, right),
        adapted=np.where(small, right, wrong),
        quality=quality,
        clean_adapted=lost,
        clean_quality=rng.uniform(np.log2(108), np.log2(112), count),
        footage_quality=np.empty(0) if footage is None else footage,
    )


@pytest.mark.parametrize("truth", [30.0, 50.0])
def test_knees_lie_where_the_sides_change_places(truth: float) -> None:
    found = choose_knees(trial(truth))
    middle = np.sqrt(found.lower * found.upper)
    assert truth / 1.35 < middle < truth * 1.35
    assert found.found > max(found.found_untouched, found.found_adapted) + 0.1
    assert found.clean_above == 1.0
    assert (found.lower, found.upper, found.found) in found.tried


def test_knees_spare_the_clean_faces() -> None:
    given = trial(90.0)
    found = choose_knees(replace(given, clean_quality=np.full(len(given.clean), np.log2(50.0))))
    assert found.upper < 60.0
    assert found.clean_moved <= 0.004
    wide = choose_knees(replace(given, clean_quality=np.full(len(given.clean), np.log2(50.0))), most_moved=0.9)
    assert wide.upper > 60.0


def test_a_clean_set_that_is_not_clean_is_refused() -> None:
    given = trial(50.0)
    with pytest.raises(NotMeasurable, match="not clean"):
        choose_knees(replace(given, clean_quality=np.full(len(given.clean), 4.0)))


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(NotMeasurable, match="at least 30"):
        choose_knees(trial(50.0, count=20))


def test_faces_are_weighted_as_the_footage_has_them() -> None:
    quality = np.log2(np.array([15.0, 15.0, 60.0, 60.0]))
    even = footage_weights(quality, np.empty(0))
    assert even.tolist() == [1, 1, 1, 1]
    small = footage_weights(quality, np.log2(np.array([15.0, 15.0, 15.0, 60.0])))
    assert small[0] == pytest.approx(3 * small[2])
    assert footage_weights(quality, np.full(5, 7.9)).tolist() == [1, 1, 1, 1]  # nothing in common


def test_ramp_is_the_gate_s() -> None:
    quality = np.linspace(3, 7, 9)
    wanted = QualityGate(QualityNetwork(), 20.0, 64.0).ramp(torch.from_numpy(quality)).numpy()
    np.testing.assert_allclose(ramp(quality, 20.0, 64.0), wanted)


# -- putting together ----------------------------------------------------------------------------------------------


class Lost(Detail):
    """An adapted side that lies elsewhere, so that it can be told which side spoke."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).flip(1)


def test_gated_recogniser_is_the_untouched_one_on_clean_faces(recogniser: Recogniser) -> None:
    quality = QualityNetwork()
    with torch.no_grad():  # says 2^5.58 = 48 px of everything
        knees_below, knees_above = (20.0, 40.0), (60.0, 90.0)
        images = sharp(3)
        adapted = replace(recogniser, network=Lost(), contract=recogniser.contract.with_(norm_is_quality=True))
        below, above = (assemble(recogniser, adapted, quality, *knees) for knees in (knees_below, knees_above))
        assert torch.equal(below.embed(images), recogniser.embed(images))
        torch.testing.assert_close(above.embed(images), adapted.embed(images))
    assert not below.contract.norm_is_quality
    below.contract.check_comparable(recogniser.contract)


def test_gate_by_trial_leaves_the_clean_faces_alone(recogniser: Recogniser) -> None:
    quality = QualityNetwork()
    found = gate_by_trial(
        recogniser, replace(recogniser, network=Detail()), quality, TrialFaces(Many(), worse(), Many())
    )
    assert found.knees is not None
    assert found.knees.clean_moved <= 0.004
    assert found.knees.upper == found.upper < 48.0
    assert found.adapted_share == 0.0
    images = sharp(2)
    assert torch.equal(found.recogniser.embed(images), recogniser.embed(images))


class Many(Sharp):
    """Enough pictures to choose knees on."""

    def __len__(self) -> int:
        return 96

    def read(self, index: int) -> Face:
        return Face(self._pictures[index % 24], self.record(index))
