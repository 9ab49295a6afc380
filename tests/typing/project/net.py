"""A net and a loss of the user's own."""

import numpy as np
from numpy.typing import NDArray

import catalase as ct


class Halves(ct.nn.Module):
    """A net whose forward takes more than one tensor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.left = ct.nn.Linear(width, 4, "tanh", rng=0)
        self.right = ct.nn.Linear(width, 4, rng=1)

    def forward(self, left: ct.Tensor, right: ct.Tensor, *, scale: float = 1.0) -> ct.Tensor:
        return ct.nn.functional.relu(self.left(left)) + self.right(right) * scale


@ct.models.register
class Net(ct.nn.Module):
    def __init__(self, size: int, hidden: int = 8) -> None:
        super().__init__()
        self.size, self.hidden = size, hidden
        self.layers = ct.nn.Sequential(ct.nn.Linear(size, hidden, "tanh", rng=0), ct.nn.Dropout(0.1))
        self.halves = Halves(hidden)
        self.last = ct.nn.Linear(4, 1, rng=2)

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        hidden = self.layers(x)
        both: ct.Tensor = self.halves(hidden, hidden, scale=0.5)
        return self.last(both)


@ct.models.register
class Charbonnier(ct.nn.losses.Loss):
    """A smooth absolute error."""

    def __init__(self, eps: float = 0.01) -> None:
        super().__init__()
        self.eps = eps

    def elementwise(self, output: ct.Tensor, y: NDArray[np.float32], w: NDArray[np.float32] | None) -> ct.Tensor:
        difference = output - y
        error = (difference * difference + self.eps) ** 0.5
        return error if w is None else error * w
