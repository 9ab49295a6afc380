"""Indexing by arrays on a device, by NumPy's rules: launches of ``cuda/indexing.cu``."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import is_basic_index
from .embedding import sorted_places
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend


def index(device: CudaBackend, x: Any, index: Any) -> tuple[Any, Callable[[Any], Any]]:
    if not is_basic_index(index):
        at = Index(device, x, index if isinstance(index, tuple) else (index,))
        return at.take(x), at.gradient

    def gradient(g: Any) -> Any:
        dx = device.full(x.shape, 0.0, x.dtype)
        device.copyto(dx[index], g)
        return dx

    return x[index], gradient


class Index:
    """An index ``x[parts]`` with an array among its parts, resolved into a view of x and the rows taken from it.

    Index arrays are int64 on the device, or whole numbers and masks on the host, which are checked there.
    """

    def __init__(self, device: CudaBackend, x: Any, parts: tuple[Any, ...]) -> None:
        if x.dtype != np.float32:
            raise TypeError(f"Tensor: x must be float32 on CUDA, got {x.dtype}; use x.astype('float32')")
        self.device = device
        self.shape = tuple(x.shape)
        self.view: list[Any] = []  # slices and new axes; axes indexed by an array are taken whole
        arrays: dict[int, Any] = {}  # index arrays, by their axis of the view
        cut = self._read(parts, arrays)
        shape = tuple(x[tuple(self.view)].shape)
        axes = list(arrays)
        joined = axes == list(range(axes[0], axes[-1] + 1)) and not axes[0] < cut <= axes[-1]
        before = axes[0] if joined else 0  # NumPy puts indexed axes that are apart first
        rest = [axis for axis in range(len(shape)) if axis not in arrays]
        self.order = (*rest[:before], *axes, *rest[before:])
        lead, tail = (tuple(shape[axis] for axis in part) for part in (rest[:before], rest[before:]))
        lengths = tuple(shape[axis] for axis in axes)
        given = [_checked(device, i, n, axis) for (axis, i), n in zip(arrays.items(), lengths, strict=True)]
        chosen = np.broadcast_shapes(*(i.shape for i in given))
        self.outer, self.rows, self.inner, self.count = prod(lead), prod(lengths), prod(tail), prod(chosen)
        if max(self.rows, self.count) >= 2**31:
            raise ValueError(f"Tensor: takes fewer than 2**31 elements by arrays, got {self.count} of {self.rows}")
        self.transposed, self.result = (*lead, *lengths, *tail), (*lead, *chosen, *tail)
        self.places = _places(self.device, given, lengths, chosen)

    def _read(self, parts: tuple[Any, ...], arrays: dict[int, Any]) -> int:
        """Fill in the view and the arrays; return the place of an Ellipsis in the view, or -1."""
        parts = tuple(_as_index(self.device, part) for part in parts)
        used = sum(_axes_of(part) for part in parts)
        if used > len(self.shape) or sum(part is Ellipsis for part in parts) > 1:
            raise IndexError(f"Tensor: {used} indices, or two ellipses, for an array of shape {self.shape}")
        cut = -1
        for part in parts:
            if part is Ellipsis:
                cut = len(self.view)
                self.view += [slice(None)] * (len(self.shape) - used)
            elif part is None or isinstance(part, slice):
                self.view.append(part)
            elif not isinstance(part, self.device.array_type) and part.dtype == bool:
                own = sum(axis is not None for axis in self.view)
                if part.shape != self.shape[own : own + part.ndim]:
                    raise IndexError(f"Tensor: a mask of shape {part.shape} does not fit x of shape {self.shape}")
                for numbers in part.nonzero():
                    arrays[len(self.view)] = numbers
                    self.view.append(slice(None))
            else:
                arrays[len(self.view)] = part
                self.view.append(slice(None))
        return cut

    def take(self, x: Any) -> Any:
        """Return the elements in a new array."""
        source = self.device.contiguous(x[tuple(self.view)].transpose(*self.order))
        y = self.device.empty(self.result, np.float32)
        walk(self.device, "indexing.take_f32", y.size, source, self.places, y, self.rows, self.count, self.inner)
        return y

    def gradient(self, dy: Any) -> Any:
        """Return the gradient of x."""
        keys = sorted_places(self.device, self.places, self.rows, -1, self.count)
        transposed = self.device.empty(self.transposed, np.float32)
        given = self.device.contiguous(dy)
        numbers = (self.rows, self.count, self.inner)
        walk(self.device, "indexing.take_gradient_f32", transposed.size, keys, given, transposed, *numbers)
        if transposed.shape == self.shape and self.order == tuple(range(len(self.shape))) and _whole(self.view):
            return transposed
        dx = self.device.full(self.shape, 0.0, np.float32)
        target = dx[tuple(self.view)].transpose(*self.order)
        target[...] = transposed
        return dx


def _as_index(device: CudaBackend, part: Any) -> Any:
    """Return one part of an index as a slice, None, Ellipsis, an array of int64 or a mask."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, device.array_type):
        if part.dtype != np.int64:
            raise TypeError(
                f"Tensor: an index on CUDA must be int64, got {part.dtype}; use .astype('int64'), and masks of the host"
            )
        return part
    array = np.asarray(part)
    if array.size == 0 and isinstance(part, (list, tuple)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub" or (array.dtype == bool and array.ndim == 0):
        raise IndexError(f"Tensor: indices are whole numbers, slices, masks or arrays of them, got {array.dtype}")
    if array.dtype == np.uint64 and (array >= 2**63).any():
        raise IndexError(f"Tensor: index {array.max()} is out of bounds")
    return array if array.dtype == bool else array.astype(np.int64)


def _axes_of(part: Any) -> int:
    """Return the number of axes of x that one part of an index consumes."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _checked(device: CudaBackend, ids: Any, length: int, axis: int) -> Any:
    """Return index numbers of the host, checked and counted from the start; an array of the device is returned unchanged."""
    if isinstance(ids, device.array_type):
        return ids
    wrong = ids[(ids < -length) | (ids >= length)]
    if wrong.size:
        raise IndexError(f"Tensor: index {wrong[0]} is out of bounds for axis {axis} of length {length}")
    return np.where(ids < 0, ids + length, ids)


def _places(device: CudaBackend, given: list[Any], lengths: tuple[int, ...], chosen: tuple[int, ...]) -> Any:
    """Return the row of each chosen element, counted over all indexed axes together."""
    if not any(isinstance(ids, device.array_type) for ids in given):
        flat = np.zeros(chosen, np.int64)
        for ids, length in zip(given, lengths, strict=True):
            flat = flat * length + ids
        return device.array(np.ascontiguousarray(flat))
    places = device.empty(chosen, np.int64)
    for i, (ids, length) in enumerate(zip(given, lengths, strict=True)):
        if not isinstance(ids, device.array_type):
            ids = device.array(np.ascontiguousarray(np.broadcast_to(ids, chosen)))
        elif tuple(ids.shape) != chosen:
            raise ValueError(f"Tensor: index arrays on CUDA must have one shape, got {ids.shape} beside {chosen}")
        walk(device, "indexing.join_index", places.size, device.contiguous(ids), length, int(i == 0), places)
    return places


def _whole(view: list[Any]) -> bool:
    return all(part == slice(None) for part in view)
