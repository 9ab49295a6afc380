"""The CUDA backend: every kernel call of the protocol, for any device that can launch the kernels of the folder ``cuda/``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import abstractmethod, update_abstractmethods
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..base import Array, Axes, Backend
from . import arithmetic


class CudaBackend(Backend):
    """The base of CUDA backends: a subclass adds memory and launches, `add_kernels` the functions of the families' files."""

    float_dtypes = (np.dtype(np.float32),)
    is_host = False
    array_type: Any  # the class of the device's arrays

    @property
    @abstractmethod
    def multiprocessors(self) -> int:
        """The number of multiprocessors: the least number of blocks that keeps the device busy."""

    @property
    @abstractmethod
    def shared_bytes(self) -> int:
        """The shared memory that a block may have, `__shared__` and a launch's ``shared_bytes`` together."""

    @property
    @abstractmethod
    def capability(self) -> int:
        """The device's compute capability: 90 for 9.0."""

    @abstractmethod
    def launch(
        self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], shared_bytes: int, args: tuple[Any, ...]
    ) -> None:
        """Start ``file.kernel`` on the caller's stream. Arrays are passed as pointers, None as a null pointer, int as i64,
        float as float32."""

    @abstractmethod
    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the launches of ``work`` without running them; return a function that runs them."""

    # NumPy's functions.
    def full(self, shape: tuple[int, ...], value: float, dtype: Any) -> Array:
        return arithmetic.combine(self, "copy", value, out=self.empty(shape, dtype))

    def copy(self, x: Array) -> Array:
        return arithmetic.combine(self, "copy", x)

    def copyto(self, x: Array, values: Any) -> None:
        arithmetic.combine(self, "copy", values, out=x)

    def add(self, a: Any, b: Any, out: Array | None = None) -> Array:
        return arithmetic.combine(self, "add", a, b, out=out)

    def subtract(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "subtract", a, b)

    def multiply(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "multiply", a, b)

    def divide(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "divide", a, b)

    def equal(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "equal", a, b)

    def maximum(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "maximum", a, b)

    def minimum(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "minimum", a, b)

    def sin(self, x: Array) -> Array:
        return arithmetic.combine(self, "sin", x)

    def cos(self, x: Array) -> Array:
        return arithmetic.combine(self, "cos", x)

    def negative(self, x: Array) -> Array:
        return arithmetic.combine(self, "negative", x)

    def sqrt(self, x: Array) -> Array:
        return arithmetic.combine(self, "sqrt", x)

    def absolute(self, x: Array) -> Array:
        return arithmetic.combine(self, "absolute", x)

    def sign(self, x: Array) -> Array:
        return arithmetic.combine(self, "sign", x)

    def sum(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array:
        return arithmetic.reduce(self, "sum", x, axis, keepdims)

    def max(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array:
        return arithmetic.reduce(self, "max", x, axis, keepdims)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        return self.contiguous(x).reshape(*shape)

    def power_slope(self, base: Array, exponent: Array) -> Array:
        return arithmetic.combine(self, "power_slope", base, exponent)

    def log_or_zero(self, x: Array) -> Array:
        return arithmetic.combine(self, "log_or_zero", x)

    def masked(self, x: Array, weights: Array) -> Array:
        return arithmetic.combine(self, "masked", x, weights)


def add_kernels(backend: type, modules: Iterable[ModuleType]) -> None:
    """Make each function of the modules that has the name of a method of the protocol a method of the backend."""
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name in Backend.__abstractmethods__ and function.__module__ == module.__name__:
                if name in vars(backend):
                    raise TypeError(
                        f"{name} is in {vars(backend)[name].__module__} and in {module.__name__}; rename one"
                    )
                setattr(backend, name, function)
    update_abstractmethods(backend)


def _families() -> list[ModuleType]:
    """Return the modules of this folder, without those of the backends."""
    names = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
    return [importlib.import_module(f".{name}", __package__) for name in names if not name.endswith("backend")]


add_kernels(CudaBackend, _families())
