"""The CUDA backend over CuPy: its current stream, its memory pool, and its loader for our cubins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from .backend import CudaBackend
from .compile import binary
from .device import require_cuda
from .launch import value


class CupyBackend(CudaBackend):
    """The CUDA backend on CuPy's current device and stream.

    Raises
    ------
    RuntimeError
        If there is no device.
    """

    name = "cuda"

    def __init__(self, function: str = "CupyBackend") -> None:
        self._cupy = require_cuda(function)
        self.array_type: Any = self._cupy.ndarray
        self._attributes: dict[tuple[int, str], int] = {}  # by device and name
        self._allowed: dict[tuple[int, str], int] = {}  # the most shared bytes a kernel may be launched with so far
        self._thread = threading.local()  # its ``capturing`` is true in a thread that captures
        self._functions: dict[tuple[int, str], Any] = {}  # by device and kernel: a module belongs to one device

    @property
    def multiprocessors(self) -> int:
        return self._attribute("MultiProcessorCount")

    @property
    def shared_bytes(self) -> int:
        return self._attribute("MaxSharedMemoryPerBlockOptin")

    def _attribute(self, name: str) -> int:
        device = self._cupy.cuda.runtime.getDevice()
        if (device, name) not in self._attributes:
            self._attributes[device, name] = int(self._cupy.cuda.Device(device).attributes[name])
        return self._attributes[device, name]

    @property
    def capability(self) -> int:
        return int(self._cupy.cuda.Device(self._cupy.cuda.runtime.getDevice()).compute_capability)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return self._allocated(shape, dtype, lambda: self._cupy.empty(shape, dtype))

    def array(self, x: np.ndarray[Any, Any]) -> Any:
        self._refuse_while_capturing("copies an array of the host to the device")
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

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def to_host(self, x: Any) -> np.ndarray[Any, Any]:
        self._refuse_while_capturing("reads an array of the device")
        array: np.ndarray[Any, Any] = self._cupy.asnumpy(x)
        return array

    def _refuse_while_capturing(self, what: str) -> None:
        if getattr(self._thread, "capturing", False):
            raise RuntimeError(f"graph: the step {what}, which a captured step cannot; train with graph=False")

    @contextmanager
    def capturing_stream(self) -> Iterator[None]:
        self._cupy.cuda.get_current_stream().synchronize()  # the new stream may use its results
        stream = self._cupy.cuda.Stream(non_blocking=True)
        with stream:
            try:
                yield
            finally:
                stream.synchronize()
                # CuPy keeps memory that was freed on a stream for that stream, which is not used any more.
                self._cupy.get_default_memory_pool().free_all_blocks(stream=stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        stream, pool = self._cupy.cuda.get_current_stream(), self._cupy.cuda.MemoryPool(self._fresh)
        self._thread.capturing = True
        try:
            # The graph has a separate pool, so that memory the step allocates and frees is reused by the step alone.
            with self._cupy.cuda.using_allocator(pool.malloc):
                stream.begin_capture()
                try:
                    work()
                except BaseException:
                    with suppress(Exception):  # the first error says more
                        stream.end_capture()
                    raise
                graph = stream.end_capture()
        finally:
            self._thread.capturing = False
        kept = (graph, pool)

        def replay() -> None:
            kept[0].launch()  # on the current stream, like the copies into its inputs before

        return replay

    def _fresh(self, size: int) -> Any:
        """Allocate for a graph's pool. CuPy would free blocks after a failure, but the unfinished graph refers to them."""
        memory, runtime = self._cupy.cuda.memory, self._cupy.cuda.runtime
        try:
            return memory.MemoryPointer(memory.Memory(size), 0)
        except runtime.CUDARuntimeError:
            self._cupy.get_default_memory_pool().free_all_blocks()
        try:
            return memory.MemoryPointer(memory.Memory(size), 0)
        except runtime.CUDARuntimeError:
            raise MemoryError(
                f"graph: the device has no {size:,} bytes for a captured step; use smaller batches or graph=False"
            ) from None

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
        if shared_bytes > self._allowed.get((device, kernel), 0):  # more than 48 KB must be requested first
            function.max_dynamic_shared_size_bytes = shared_bytes
            self._allowed[device, kernel] = shared_bytes
        function(grid, block, tuple(values), shared_mem=shared_bytes)

    def _load(self, device: int, kernel: str) -> Any:
        file, _, name = kernel.partition(".")
        path = binary(file, f"sm_{self.capability}", self._cupy.cuda.runtime.driverGetVersion())
        function = self._cupy.RawModule(path=str(path)).get_function(name)
        self._functions[device, kernel] = function
        return function
