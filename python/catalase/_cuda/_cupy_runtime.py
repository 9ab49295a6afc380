"""Launches through CuPy: its current stream, its memory pool, its loader for our cubins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import value
from ._compile import cubin
from ._device import require_cuda


class CupyRuntime:
    """Kernels on the current device and stream of CuPy.

    Raises
    ------
    RuntimeError
        Where there is no device.
    """

    name = "cuda"

    def __init__(self, function: str = "CupyRuntime") -> None:
        self._cupy = require_cuda(function)
        self.array_type: type = self._cupy.ndarray
        self._counts: dict[int, int] = {}  # multiprocessors by device
        self._functions: dict[tuple[int, str], Any] = {}  # by device and kernel: a module belongs to one device

    @property
    def multiprocessors(self) -> int:
        device = self._cupy.cuda.runtime.getDevice()
        if device not in self._counts:
            self._counts[device] = int(self._cupy.cuda.Device(device).attributes["MultiProcessorCount"])
        return self._counts[device]

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return self._allocated(shape, dtype, lambda: self._cupy.empty(shape, dtype))

    def array(self, x: np.ndarray[Any, Any]) -> Any:
        return self._allocated(x.shape, x.dtype, lambda: self._cupy.array(x, order="C"))

    def _allocated(self, shape: tuple[int, ...], dtype: Any, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except self._cupy.cuda.memory.OutOfMemoryError:
            asked = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            free, total = self._cupy.cuda.runtime.memGetInfo()
            raise MemoryError(
                f"the device has no {asked:,} bytes for an array of shape {shape}: {free:,} of {total:,} are free, and "
                f"CuPy's pool holds {self._cupy.get_default_memory_pool().total_bytes():,}; use smaller batches, or free "
                "arrays and call cupy.get_default_memory_pool().free_all_blocks()"
            ) from None

    def contiguous(self, x: Any) -> Any:
        return self._allocated(x.shape, x.dtype, lambda: self._cupy.ascontiguousarray(x))

    def may_share(self, x: Any, y: Any) -> bool:
        return bool(self._cupy.may_share_memory(x, y))

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self._cupy.asnumpy(x)
        return array

    def launch(
        self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], shared_bytes: int, args: tuple[Any, ...]
    ) -> None:
        device = self._cupy.cuda.runtime.getDevice()
        function = self._functions.get((device, kernel)) or self._load(device, kernel)
        values = []
        for x in args:
            if isinstance(x, self._cupy.ndarray):
                if x.device.id != device:
                    raise ValueError(
                        f"{kernel}: an array is on device {x.device.id}, the current one is {device}; "
                        f"use `with cupy.cuda.Device({x.device.id}):`"
                    )
                values.append(np.uintp(x.data.ptr))
            else:
                values.append(np.uintp(0) if x is None else value(x))
        function(grid, block, tuple(values), shared_mem=shared_bytes)

    def _load(self, device: int, kernel: str) -> Any:
        file, _, name = kernel.partition(".")
        arch = "sm_" + self._cupy.cuda.Device(device).compute_capability
        function = self._cupy.RawModule(path=str(cubin(file, arch))).get_function(name)
        self._functions[device, kernel] = function
        return function
