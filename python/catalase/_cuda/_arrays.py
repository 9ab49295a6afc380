"""Which arrays live on a device, and which runtime works on them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

# CuPy's arrays are known by the name of their class, so that asking does not import CuPy. Tests add theirs.
_RUNTIMES: dict[type, Runtime] = {}
_NAMED: dict[str, Runtime] = {}  # the same, by name


class Runtime(Protocol):
    """What the array functions need from a device."""

    name: str

    @property
    def multiprocessors(self) -> int:
        """How many blocks at least keep the device busy."""

    @property
    def shared_bytes(self) -> int:
        """How much shared memory a block may have, `__shared__` and a launch's ``shared_bytes`` together."""

    @property
    def capability(self) -> int:
        """The device's compute capability: 90 for 9.0."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array whose values are not set."""

    def empty_apart(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """As `empty`, while a step is captured: memory that is no other array's when the step is replayed."""

    def array(self, x: np.ndarray[Any, Any]) -> Any:
        """A copy of a NumPy array on the device, C-contiguous."""

    def contiguous(self, x: Any) -> Any:
        """``x``, or a C-contiguous copy."""

    def may_share(self, x: Any, y: Any) -> bool:
        """Whether two arrays may overlap."""

    def launch(
        self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], shared_bytes: int, args: tuple[Any, ...]
    ) -> None:
        """Start ``file.kernel`` on the caller's stream. Arrays go as pointers, None as a null pointer, int as i64,
        float as float32."""

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        """A NumPy copy; waits for the device."""

    def capturing_stream(self) -> AbstractContextManager[None]:
        """Inside, everything runs on a stream of its own, which may be captured."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the launches of ``work``, which do not run; return what runs them, on that stream."""


def register(array_type: type, runtime: Runtime) -> None:
    """Let a runtime own all arrays of a type, and be asked for by its name."""
    _RUNTIMES[array_type] = _NAMED[runtime.name] = runtime


def runtime_named(name: str, function: str = "to") -> Runtime:
    """Return the runtime of a device by its name, "cuda" (tests add theirs). The CPU has none.

    Raises
    ------
    RuntimeError
        Where there is no such device: one sentence with the reason and what to install.
    ValueError
        For another name.
    """
    if name not in _NAMED:
        if name != "cuda":
            raise ValueError(f"{function}: device must be 'cpu' or 'cuda', got {name!r}")
        from ._cupy_runtime import CupyRuntime

        runtime = CupyRuntime(function)
        register(runtime.array_type, runtime)
    return _NAMED[name]


def is_device_array(x: Any) -> bool:
    """Whether ``x`` lives on a device that has kernels here."""
    kind = type(x)
    if kind is np.ndarray:  # asked for in every call on the CPU
        return False
    return kind in _RUNTIMES or (kind.__name__ == "ndarray" and kind.__module__.partition(".")[0] == "cupy")


def runtime_of(function: str, **arrays: Any) -> Runtime:
    """Return the runtime that owns all of these arrays (None is skipped); refuse a mixture by naming each."""
    present = {name: x for name, x in arrays.items() if x is not None}
    strangers = [name for name, x in present.items() if not is_device_array(x)]
    if strangers or len({type(x) for x in present.values()}) > 1:
        listing = ", ".join(f"{name} {type(x).__module__.partition('.')[0]}" for name, x in present.items())
        raise TypeError(
            f"{function}: all arrays must be on one device, got {listing}; move them with cupy.asarray (arrays of "
            "PyTorch and JAX with cupy.from_dlpack, without a copy) or cupy.asnumpy"
        )
    kind = type(next(iter(present.values())))
    if kind not in _RUNTIMES:
        runtime_named("cuda", function)
    return _RUNTIMES[kind]


def value(x: Any) -> Any:
    """A scalar argument of a kernel as a NumPy scalar of the kernel's type: int is i64, float is float32."""
    if isinstance(x, np.generic):
        return x
    if isinstance(x, (bool, int)):
        return np.int64(x)
    if isinstance(x, float):
        return np.float32(x)
    raise TypeError(f"a kernel takes arrays, None, int and float, got {type(x).__name__}")


def float32(function: str, name: str, x: Any) -> Any:
    """Return ``x`` if it is float32: CUDA kernels have no other floating type yet."""
    if is_device_array(x) and x.dtype != np.float32:  # what is not is named by runtime_of
        raise TypeError(f"{function}: {name} must be float32 on CUDA, got {x.dtype}; use {name}.astype('float32')")
    return x


def floats(function: str, **arrays: Any) -> Runtime:
    """Return the runtime that owns all of these float32 arrays (None is skipped)."""
    for name, x in arrays.items():
        if x is not None:
            float32(function, name, x)
    return runtime_of(function, **arrays)


def output(
    function: str, runtime: Runtime, out: Any, shape: tuple[int, ...], dtype: Any = np.float32, **apart: Any
) -> Any:
    """Return ``out`` after checking it, or a new array. It must share no memory with the arrays in ``apart``."""
    if out is None:
        return runtime.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"{function}: out must be {np.dtype(dtype)} of shape {shape}, got {out.dtype} of shape {out.shape}"
        )
    for name, x in apart.items():
        if runtime.may_share(out, x):
            raise ValueError(f"{function}: out shares memory with {name}; pass a separate array")
    return out


def blocks(items: int, threads: int, runtime: Runtime, per_multiprocessor: int = 8) -> tuple[int, int, int]:
    """A one-dimensional grid whose threads walk ``items`` together: no larger than the device can hold a few times."""
    return max(1, min(-(-items // threads), runtime.multiprocessors * per_multiprocessor)), 1, 1
