"""The layers that data enter a graph by: `Feature`, `Label`, `Weights`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._internal.arrays import numbers
from ..._internal.numbers import number, shown
from ..._internal.registry import AnyOf, Float, Int, List
from ...autograd import Tensor
from ..settings import is_count
from .layer import Layer, Shape, saved

_SHAPE = List(AnyOf(Int(1), none=True), 1, 16)


class Input(Layer):
    """Base class of `Feature`, `Label` and `Weights`: a shape, and the check of the arrays that are fed."""

    takes = (0, 0)

    def __init__(self, shape: Sequence[int | None], name: str | None = None) -> None:
        super().__init__(None, name)
        kind = type(self).__name__
        if not isinstance(shape, (list, tuple)) or not shape:
            raise ValueError(f"{kind}: shape must be a tuple such as (None, 784), got {shown(shape)}")
        for i, length in enumerate(shape):
            if not is_count(length) and not (i == 0 and length is None):
                raise ValueError(
                    f"{kind}: shape must hold lengths of 1 or more after the first, which is None for any number of "
                    f"rows; got {shown(shape)}"
                )
        self.shape = [None if length is None else int(length) for length in shape]

    @property
    def row(self) -> Shape:
        """The shape of one row."""
        return tuple(int(n) for n in self.shape[1:] if n is not None)

    def take(self, name: str, array: Any) -> NDArray[np.float32]:
        """Return a batch as float32 in this input's shape; axes of length 1 at the end may be missing or too many."""
        array = array.data if isinstance(array, Tensor) else numbers("TensorGraph", name, array)
        row, came = self.row, array.shape[1:]
        if array.ndim == 0 or (came != row and _without_ones(came) != _without_ones(row)):
            raise ValueError(f"TensorGraph: {name} takes rows of shape {row}, got an array of shape {array.shape}")
        return np.ascontiguousarray(array, dtype=np.float32).reshape(len(array), *row)


def _finite(name: str, taken: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(taken).all():
        row = int(np.argwhere(~np.isfinite(taken))[0][0])
        raise ValueError(f"TensorGraph: {name} was fed a value that is not finite, in row {row} of a batch")
    return taken


def _without_ones(shape: Shape) -> Shape:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


@saved(shape=_SHAPE, scale=Float(none=True))
class Feature(Input):
    """An input that the net computes from; it takes X of the dataset.

    Parameters
    ----------
    shape : tuple
        For example (None, 28, 28); None stands for any number of rows.
    name : str, optional
    scale : float, optional
        A factor that each batch is multiplied by, such as ``1 / 255`` for images in uint8, whose pixels are otherwise
        taken as the numbers 0 to 255.
    """

    def __init__(self, shape: Sequence[int | None], name: str | None = None, scale: float | None = None) -> None:
        super().__init__(shape, name)
        self.scale = None if scale is None else number("Feature", "scale", scale)

    def take(self, name: str, array: Any) -> NDArray[np.float32]:
        taken = _finite(name, super().take(name, array))
        return taken if self.scale is None else taken * np.float32(self.scale)


@saved(shape=_SHAPE)
class Label(Input):
    """The values that the net should give; it takes y of the dataset. Parameters as `Feature`, without ``scale``."""


@saved(shape=_SHAPE)
class Weights(Input):
    """The weight of each label; it takes w of the dataset. Parameters as `Label`."""

    def take(self, name: str, array: Any) -> NDArray[np.float32]:
        return _finite(name, super().take(name, array))
