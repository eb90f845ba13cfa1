"""Numbers that describe how a picture was taken and not who is in it; differentiable.

Sharpness by bands, noise, compression, exposure, contrast and colour of the inner face. They steer the fit and
measure the distance between sets.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wildstyle.synthesis.camera import to_ycc
from wildstyle.synthesis.window import inner_face, picture_mask

STATISTICS = (
    *(f"mean of {c}" for c in ("luma", "blue", "red")),
    *(f"spread of {c}" for c in ("luma", "blue", "red")),
    "skew of luma",
    *(f"detail of luma, band {k}" for k in range(4)),
    *(f"detail of colour, band {k}" for k in range(3)),
    *(f"peakedness of luma, band {k}" for k in range(3)),
    *(f"quietest detail of luma, band {k}" for k in range(3)),
    "coherence of edges",
    "coherence of edges, half size",
    "change downwards",
    "change across",
    "noise, finest",
    "noise, half size",
    "noise of colour",
    "noise in the light",
    "flatness",
)

# Half a step of 8-bit pixels: detail below it can't be told from rounding.
_FLOOR = 2e-3
_NOISE_KERNEL = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))


def style_statistics(images: Tensor, mask: Tensor | None = None) -> Tensor:
    """Style statistics of faces.

    Args:
        images: (N, 3, S, S) in [0, 1], aligned faces, S a multiple of 4 and at least 48.
        mask: (N, 1, S, S), 1 where the picture is; by default ``picture_mask(images)``. For synthesised faces
            give the mask of their sources.

    Returns:
        (N, F) float32 in the order of ``STATISTICS``; logarithms where a scale is meant.
    """
    mask = inner_face(picture_mask(images) if mask is None else mask)
    # An all-black face has no inside; a tiny floor keeps its numbers finite.
    mask = mask + 1e-6
    ycc = inner_face(to_ycc(images))
    luma = ycc[:, :1]
    coherence = [_coherence(luma, mask), _coherence(functional.avg_pool2d(luma, 2), functional.avg_pool2d(mask, 2))]
    parts = [*_moments(ycc, mask), *_bands(ycc, mask), *coherence, *_gradients(luma, mask), *_noise(ycc, mask)]
    return torch.cat(parts, dim=1)


def _average(values: Tensor, mask: Tensor) -> Tensor:
    """Masked mean over pixels, (N, C)."""
    return (values * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3))


def _moments(ycc: Tensor, mask: Tensor) -> list[Tensor]:
    mean = _average(ycc, mask)
    centred = ycc - mean[:, :, None, None]
    spread = (_average(centred.square(), mask) + _FLOOR**2).sqrt()
    skew = _average(centred[:, :1] ** 3, mask) / spread[:, :1] ** 3
    return [mean, spread.log(), skew]


def _bands(ycc: Tensor, mask: Tensor) -> list[Tensor]:
    luma, colour, peaked, quiet = [], [], [], []
    level = ycc
    for band in range(4):
        smaller = functional.avg_pool2d(level, 2)
        detail = level - functional.interpolate(smaller, scale_factor=2, mode="bilinear", align_corners=False)
        size = _average(detail.abs(), mask)
        luma.append((size[:, :1] + _FLOOR).log())
        if band < 3:
            colour.append((size[:, 1:].mean(1, keepdim=True) + _FLOOR).log())
            square = _average(detail[:, :1].square(), mask)
            peaked.append(((square + _FLOOR**2) / (size[:, :1] + _FLOOR).square()).log())
            quiet.append(_quietest(detail[:, :1], mask))
        level, mask = smaller, functional.avg_pool2d(mask, 2)
    return [*luma, *colour, *peaked, *quiet]


def _quietest(detail: Tensor, mask: Tensor) -> Tensor:
    """Log size of detail in the calmest 4 x 4 cells (power mean -2): noise fills them, edges don't."""
    covered = functional.avg_pool2d(mask, 4)
    local = functional.avg_pool2d(detail.square() * mask, 4) / covered + _FLOOR**2
    return -0.5 * _average(1.0 / local, covered).log()


def _coherence(luma: Tensor, mask: Tensor) -> Tensor:
    """Share of gradient energy that has one direction within 5 x 5 px (structure tensor): edges have, noise has not."""
    across = luma[:, :, 1:-1, 2:] - luma[:, :, 1:-1, :-2]
    down = luma[:, :, 2:, 1:-1] - luma[:, :, :-2, 1:-1]
    xx, yy, xy = (functional.avg_pool2d(p, 5, 1) for p in (across.square(), down.square(), across * down))
    inside = functional.avg_pool2d(mask[:, :, 1:-1, 1:-1], 5, 1)
    aligned = ((xx - yy).square() + 4.0 * xy.square() + _FLOOR**4).sqrt()
    return _average(aligned, inside) / _average(xx + yy + _FLOOR**2, inside)


def _gradients(luma: Tensor, mask: Tensor) -> list[Tensor]:
    down, across = luma.diff(dim=2).abs(), luma.diff(dim=3).abs()
    return [
        (_average(down, mask[:, :, 1:]) + _FLOOR).log(),
        (_average(across, mask[:, :, :, 1:]) + _FLOOR).log(),
    ]


def _noise(ycc: Tensor, mask: Tensor) -> list[Tensor]:
    """Response to a kernel that is blind to edges and ramps (Immerkaer, CVIU 1996)."""
    half = functional.avg_pool2d(ycc[:, :1], 2)
    fine, coarse = _ruggedness(ycc), _ruggedness(half)
    inside = mask[:, :, 1:-1, 1:-1]
    level = _average(fine, inside)
    light = ycc[:, :1, 1:-1, 1:-1].clamp(0.0, 1.0)
    in_light = _average(fine[:, :1] * light, inside) + _FLOOR * 0.5
    expected = level[:, :1] * _average(light, inside) + _FLOOR * 0.5
    across = ycc[:, :1, 1:-1].diff(dim=3).abs()[..., 1:]
    flat = _average(torch.exp(-across / 0.01), inside)
    return [
        (level[:, :1] + _FLOOR).log(),
        (_average(coarse, functional.avg_pool2d(mask, 2)[:, :, 1:-1, 1:-1]) + _FLOOR).log(),
        (level[:, 1:].mean(1, keepdim=True) + _FLOOR).log(),
        (in_light / expected).log(),
        flat,
    ]


def _ruggedness(planes: Tensor) -> Tensor:
    kernel = torch.tensor(_NOISE_KERNEL, dtype=planes.dtype, device=planes.device).view(1, 1, 3, 3) / 6.0
    count = planes.shape[1]
    return functional.conv2d(planes, kernel.expand(count, 1, 3, 3), groups=count).abs()
