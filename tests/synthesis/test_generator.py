from __future__ import annotations

import pytest
import torch

from wildstyle.errors import InputError, SettingError
from wildstyle.synthesis import Generator, GeneratorConfig
from wildstyle.synthesis.cost import count_macs

SEEDS = torch.arange(5) + 2**61


def codes(scale: float = 3.0) -> torch.Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(9)) * scale / 2


def test_zero_code_returns_the_input_to_the_bit(generator: Generator, faces: torch.Tensor) -> None:
    made = generator(faces, torch.zeros(5, 4), SEEDS)
    assert torch.equal(made, faces)


def test_output_is_an_image_and_differs(generator: Generator, faces: torch.Tensor) -> None:
    made = generator(faces, codes(), SEEDS)
    assert made.shape == faces.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made - faces).abs().mean() > 0.01


def test_change_grows_from_nothing(generator: Generator, faces: torch.Tensor) -> None:
    direction = codes() / codes().norm(dim=1, keepdim=True)
    size = [(generator(faces, direction * a, SEEDS) - faces).abs().mean().item() for a in (0.06, 1.0, 3.0, 6.0)]
    assert size == sorted(size)
    assert size[0] < 0.05 * size[3]


def test_black_outside_the_picture_stays_black(generator: Generator, faces: torch.Tensor) -> None:
    cropped = faces * 0.8 + 0.1
    cropped[:, :, :, :30] = 0.0
    made = generator(cropped, codes(), SEEDS)
    assert made[:, :, :, :30].max() == 0
    assert ((made - cropped)[:, :, :, 30:] != 0).float().mean() > 0.99


def test_seed_decides_the_noise(generator: Generator, faces: torch.Tensor) -> None:
    first = generator(faces, codes(), SEEDS)
    assert torch.equal(first, generator(faces, codes(), SEEDS))
    assert not torch.equal(first, generator(faces, codes(), SEEDS + 1))


def test_batch_size_changes_nothing(generator: Generator, faces: torch.Tensor) -> None:
    whole = generator(faces, codes(), SEEDS)
    alone = torch.cat([generator(faces[i : i + 1], codes()[i : i + 1], SEEDS[i : i + 1]) for i in range(5)])
    # Convolution kernels may differ in the last bits with the batch; nothing else may.
    torch.testing.assert_close(whole, alone, atol=2e-6, rtol=0)


def test_global_randomness_is_untouched(generator: Generator, faces: torch.Tensor) -> None:
    before = torch.random.get_rng_state()
    generator(faces, codes(), SEEDS)
    assert torch.equal(before, torch.random.get_rng_state())


def test_decode_of_kept_content_is_forward(generator: Generator, faces: torch.Tensor) -> None:
    content = generator.encode(faces)
    assert torch.equal(generator.decode(faces, content, codes(), SEEDS), generator(faces, codes(), SEEDS))


def test_gradient_to_the_code_is_the_slope() -> None:
    generator = Generator(GeneratorConfig(axes=3, style_size=8, width=8)).double()
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double() * 0.4 + 0.3
    seed = torch.tensor([5])
    code = torch.tensor([[0.5, -0.4, 0.3]], dtype=torch.float64, requires_grad=True)

    def size(at: torch.Tensor) -> torch.Tensor:
        return generator(image, at, seed).square().sum()

    (slope,) = torch.autograd.grad(size(code), code)
    step = 1e-5
    for axis in range(3):
        move = torch.zeros_like(code)
        move[0, axis] = step
        expected = (size(code + move) - size(code - move)) / (2 * step)
        assert slope[0, axis].item() == pytest.approx(expected.item(), rel=1e-3, abs=1e-4)


def test_zero_code_has_a_finite_gradient(generator: Generator, faces: torch.Tensor) -> None:
    code = torch.zeros(5, 4, requires_grad=True)
    generator(faces, code, SEEDS).sum().backward()
    assert code.grad is not None
    assert torch.isfinite(code.grad).all()


def test_every_parameter_in_use_gets_a_gradient(generator: Generator, faces: torch.Tensor) -> None:
    with torch.no_grad():
        # The last layer of the response starts at zero and would hide the one before it for one step.
        generator.response[2].weight.fill_(0.1)
    generator(faces, codes(), SEEDS).square().sum().backward()
    idle = [n for n, p in generator.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert sorted(idle) == ["basis.free.1", "basis.mean.1"]


def test_targets_differ_once_their_bases_do(generator: Generator, faces: torch.Tensor) -> None:
    assert torch.equal(generator(faces, codes(), SEEDS, target="gate"), generator(faces, codes(), SEEDS))
    with torch.no_grad():
        generator.basis.mean[1].add_(1.0)
    assert not torch.equal(generator(faces, codes(), SEEDS, target="gate"), generator(faces, codes(), SEEDS))


def test_default_costs_less_than_a_tenth_of_the_published(faces: torch.Tensor) -> None:
    generator = Generator()
    macs = count_macs(lambda: generator(faces[:1], torch.ones(1, 10), SEEDS[:1]))
    assert macs < 0.2e9


def test_convolutions_are_counted_right() -> None:
    layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert count_macs(lambda: layer(torch.zeros(2, 3, 7, 6))) == 2 * 5 * 7 * 6 * 3 * 9


@pytest.mark.parametrize("shape", [(5, 1, 32, 32), (5, 3, 32, 28), (5, 3, 30, 30), (3, 32, 32)])
def test_refuses_images_of_a_wrong_shape(generator: Generator, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="expected"):
        generator.encode(torch.zeros(shape))


def test_refuses_bytes_and_misfitting_codes(generator: Generator, faces: torch.Tensor) -> None:
    with pytest.raises(InputError, match="uint8"):
        generator.encode((faces * 255).to(torch.uint8))
    with pytest.raises(InputError, match=r"\(5, 4\)"):
        generator(faces, codes()[:, :3], SEEDS)
    with pytest.raises(InputError, match="int64"):
        generator(faces, codes(), SEEDS.float())
    with pytest.raises(SettingError, match="unknown"):
        generator(faces, codes(), SEEDS, target="attic")
    with pytest.raises(SettingError):
        GeneratorConfig(width=6)
