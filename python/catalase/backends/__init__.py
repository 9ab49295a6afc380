"""Backends, one a device, and the functions that choose between them.

`backend_of` returns the backend of its arguments: the CPU's for NumPy arrays, CUDA's for CuPy arrays. CuPy is imported
only when a CuPy array is passed in, or the device is requested by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Backend, mixed_devices
from .cpu import CpuBackend

__all__ = [
    "CPU",
    "Backend",
    "assign",
    "backend_named",
    "backend_of",
    "device_of",
    "is_device_array",
    "register",
    "same_backend",
    "to_device",
    "to_device_of",
    "to_host",
]

CPU: Backend = CpuBackend()

_BY_TYPE: dict[type, Backend] = {}  # of arrays that are not NumPy's
_BY_NAME: dict[str, Backend] = {"cpu": CPU}


def register(array_type: type, backend: Backend) -> None:
    """Make a backend responsible for all arrays of a type while the process runs, and available by its name."""
    _BY_TYPE[array_type] = _BY_NAME[backend.name] = backend


def backend_of(*arrays: Any) -> Backend:
    """Return the backend of these arrays: a device's where one of them lives there, else the CPU's.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.backends import backend_of
    >>> backend_of(np.zeros(3)).name
    'cpu'
    """
    for x in arrays:
        if type(x) is not np.ndarray and is_device_array(x):
            return _backend_of_type(type(x))
    return CPU


def same_backend(function: str, **arrays: Any) -> Backend:
    """Return the one backend of all these arrays (None is skipped). An error names each array of a mixture."""
    present = {name: x for name, x in arrays.items() if x is not None}
    kinds = {type(x) for x in present.values()}
    if kinds == {np.ndarray}:
        return CPU
    on_device = [is_device_array(x) for x in present.values()]
    if not any(on_device):
        return CPU
    if not all(on_device) or len(kinds) > 1:
        raise mixed_devices(function, present)
    return _backend_of_type(kinds.pop(), function)


def backend_named(name: str, function: str = "to") -> Backend:
    """Return the backend of a device by its name, "cpu" or "cuda" (tests add others).

    Raises
    ------
    RuntimeError
        Where there is no such device. One sentence gives the reason and the package to install.
    ValueError
        For another name.
    """
    if name not in _BY_NAME:
        if name != "cuda":
            raise ValueError(f"{function}: device must be 'cpu' or 'cuda', got {name!r}")
        from .cuda.cupy_backend import CupyBackend

        backend = CupyBackend(function)  # type: ignore[abstract]  # `add_kernels` has added the methods
        register(backend.array_type, backend)
    return _BY_NAME[name]


def is_device_array(x: Any) -> bool:
    """Return whether an array lives on a device with a backend. CuPy's arrays are recognized by the name of their class."""
    kind = type(x)
    if kind is np.ndarray:  # the fast path: every call on the CPU comes here
        return False
    return kind in _BY_TYPE or (kind.__name__ == "ndarray" and kind.__module__.partition(".")[0] == "cupy")


def device_of(x: Any) -> str:
    """Return the name of the device that holds an array: "cpu" or "cuda"."""
    return backend_of(x).name


def to_device(x: Any, device: str) -> Array:
    """Return an array on a device: the array itself if it lives there, else a copy."""
    if device_of(x) == device:
        return x
    x = to_host(x)
    return x if device == "cpu" else backend_named(device).array(x)


def to_host(x: Any) -> Any:
    """Return an array as a NumPy array: a copy if it lives on a device, which the host waits for."""
    return x if type(x) is np.ndarray else backend_of(x).to_host(x)


def to_device_of(x: Any, like: Any) -> Any:
    """Return an array on the device of ``like``; the array itself if ``like`` lives on the CPU."""
    return to_device(x, device_of(like)) if is_device_array(like) else x


def assign(x: Array, values: Any) -> None:
    """Write values into an array. They broadcast to it, and may live on another device."""
    if is_device_array(x) and not is_device_array(values):
        values = np.asarray(values, x.dtype)
    backend_of(x).copyto(x, to_device(values, device_of(x)))


def _backend_of_type(kind: type, function: str = "to") -> Backend:
    if kind not in _BY_TYPE:
        backend_named("cuda", function)
    return _BY_TYPE[kind]
