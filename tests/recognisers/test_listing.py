"""Backbones as lists of layers: what is written is what is computed, and what can't be written is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wildstyle.recognisers.architecture import ARCHITECTURE
from wildstyle.recognisers.listing import Unwritable, listing
from wildstyle.recognisers.writing import session_for


class Calling(nn.Module):
    """A backbone that calls one function."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function
        self.shift = nn.Parameter(torch.tensor([[[[0.5]], [[1.5]], [[2.5]]]]))
        setattr(self, ARCHITECTURE, {"kind": "backbone", "name": "calling", "options": {}})

    def forward(self, images: Tensor) -> Tensor:
        return torch.flatten(self.function(images, self.shift), 1)


WRITTEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "loose weight": lambda x, w: x + w,
    "twice the same": lambda x, w: x + x,
    "product": lambda x, w: x * torch.sigmoid(w),
    "number": lambda x, w: x * 0.25,
    "added number": lambda x, w: x + 1.0,
    "difference of logarithms": lambda x, w: torch.log(torch.abs(x) + 1.0) - w,
    "joined": lambda x, w: torch.cat([x, x * 0.5], 1),
    "mean kept": lambda x, w: x * torch.mean(x, (2, 3), True),
    "mean": lambda x, w: torch.mean(x, (2, 3)),
    "part": lambda x, w: x[:, 1:, ::2, 3:-2],
    "flat from 2": lambda x, w: torch.permute(torch.flatten(x, 2), (0, 2, 1)),
    "attention": lambda x, w: torch.softmax(torch.matmul(x, torch.permute(x, (0, 1, 3, 2))) * 0.1, -1),
    "reshape": lambda x, w: torch.softmax(torch.reshape(x, (-1, 2, 6, 16)), 1),
}
REFUSED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "keyword": lambda x, w: torch.mean(x, (2, 3), keepdim=True),
    "joined by keyword": lambda x, w: torch.cat([x, x], dim=1),
    "joined along no axis": lambda x, w: torch.cat([x, x]),
    "number first": lambda x, w: 2.0 * x,
    "one of an axis": lambda x, w: x[:, 0],
    "one of the batch": lambda x, w: x[0],
    "size of the picture": lambda x, w: torch.reshape(x, (x.shape[0], -1)),
    "part up to a value": lambda x, w: x[:, :, : torch.relu(w)],
    "flat from 0": lambda x, w: torch.flatten(x),
    "flat up to 2": lambda x, w: torch.flatten(x, 1, 2),
    "method": lambda x, w: x.abs(),
    "unknown function": lambda x, w: torch.erfc(x),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_functions_are_written_as_computed(name: str) -> None:
    network = Calling(WRITTEN[name]).eval()
    run = session_for(network, 8)
    for count in (1, 3):
        images = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            np.testing.assert_allclose(run(images.numpy()), network(images).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_left_out_is_refused(name: str) -> None:
    with pytest.raises(Unwritable):
        listing(Calling(REFUSED[name]))
