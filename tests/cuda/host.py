"""An emulated device: a separate process, with its own memory, that runs device code as host C++ over the shim.

`HostArray` has only those attributes of CuPy's arrays that the array functions use: it cannot become a NumPy array by
accident, and NumPy's functions refuse it. `HostRuntime` counts launches, so that a test can check that they ran.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from catalase.backends.cuda.backend import CudaBackend
from catalase.backends.cuda.launch import value


class _Buffer:
    """Memory of the device, freed with its last view; or given back to the pool of the step that is captured."""

    def __init__(self, runtime: HostRuntime, size: int) -> None:
        self.runtime, self.size, self.pool = runtime, size, runtime.memory_pool
        self.pointer = runtime.allocate(size) if self.pool is None else self.pool.take(size)

    def __del__(self) -> None:
        if self.pool is None:
            self.runtime.freed.append(self.pointer)
        else:
            self.pool.free.setdefault(self.size, []).append(self.pointer)


class _Pool:
    """What a captured step allocates: used again within the step, as the runtime with CuPy has it."""

    def __init__(self, runtime: HostRuntime) -> None:
        self.runtime, self.free, self.all = runtime, dict[int, list[int]](), list[int]()

    def take(self, size: int) -> int:
        if self.free.get(size):
            return self.free[size].pop()
        self.all.append(self.runtime.allocate(size))
        return self.all[-1]

    def __del__(self) -> None:
        self.runtime.freed += self.all


class HostArray:
    """An array on the pretended device."""

    __array_ufunc__ = None

    def __init__(self, buffer: _Buffer, layout: np.ndarray[Any, Any]) -> None:
        self._buffer, self._layout = (
            buffer,
            layout,
        )  # layout: a NumPy array over as much memory, used for its strides only

    shape = property(lambda self: self._layout.shape)
    ndim = property(lambda self: self._layout.ndim)
    size = property(lambda self: self._layout.size)
    dtype = property(lambda self: self._layout.dtype)
    itemsize = property(lambda self: self._layout.itemsize)
    strides = property(lambda self: self._layout.strides)
    flags = property(lambda self: SimpleNamespace(c_contiguous=self._layout.flags.c_contiguous))  # all that is used
    T = property(lambda self: HostArray(self._buffer, self._layout.T))

    def __len__(self) -> int:
        return len(self._layout)

    def __array__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("a HostArray is no NumPy array; use get()")

    def __deepcopy__(self, memo: Any) -> HostArray:
        return self._buffer.runtime.array(self.get())

    def __getitem__(self, index: Any) -> HostArray:
        view = self._layout[index]
        assert view.size == 0 or np.may_share_memory(view, self._layout)
        return HostArray(self._buffer, view)

    def __setitem__(self, index: Any, x: HostArray) -> None:
        """As CuPy's: copies values of the device, into a view."""
        if self._buffer.runtime.recorded is not None:
            a, b = self.borrowed(), x.borrowed()
            self._buffer.runtime.recorded.append(lambda: a.__setitem__(index, b))
            return
        target = self[index]
        everything = self._buffer.runtime.ask(
            b"R" + struct.pack("QQ", self._buffer.pointer, self._buffer.size), self._buffer.size
        )
        flat = bytearray(everything)
        np.ndarray(target.shape, target.dtype, flat, target.pointer - self._buffer.pointer, target.strides)[...] = (
            x.get()
        )
        self._buffer.runtime.tell(b"W" + struct.pack("QQ", self._buffer.pointer, len(flat)) + bytes(flat))

    def borrowed(self) -> HostArray:
        """The same memory, as a graph names it: without keeping it."""
        buffer: Any = SimpleNamespace(
            runtime=self._buffer.runtime, size=self._buffer.size, pointer=self._buffer.pointer
        )
        return HostArray(buffer, self._layout)

    def reshape(self, *shape: Any) -> HostArray:
        assert self.flags.c_contiguous
        return HostArray(self._buffer, self._layout.reshape(*shape))

    def transpose(self, *axes: Any) -> HostArray:
        return HostArray(self._buffer, self._layout.transpose(*axes))

    def swapaxes(self, a: int, b: int) -> HostArray:
        return HostArray(self._buffer, self._layout.swapaxes(a, b))

    @property
    def pointer(self) -> int:
        base = self._layout
        while isinstance(base.base, np.ndarray):
            base = base.base
        return self._buffer.pointer + self._layout.ctypes.data - base.ctypes.data if self.size else self._buffer.pointer

    def get(self) -> np.ndarray[Any, Any]:
        self._buffer.runtime.refuse_while_capturing("reads an array of the device")
        data = self._buffer.runtime.ask(
            b"R" + struct.pack("QQ", self._buffer.pointer, self._buffer.size), self._buffer.size
        )
        flat = np.frombuffer(data or b"\0" * 8, np.uint8)
        return np.ndarray(self.shape, self.dtype, flat, self.pointer - self._buffer.pointer, self.strides).copy()


class HostRuntime(CudaBackend):
    """Runs the kernels of a program that `build.build` made. Launches take turns at the schedules, unless one is set."""

    name = "host"
    array_type = HostArray
    multiprocessors, capability = 4, 80
    shared_bytes = 227 * 1024

    def __init__(self, program: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        options = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
        self._process: Any = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=options
        )
        self.launches, self.kernels, self.schedule = 0, set[str](), None
        self.recorded: list[Callable[[], None]] | None = None  # what runs later, while a step is captured
        self.memory_pool: _Pool | None = None  # and its memory
        self.freed: list[int] = []  # told before the next command: garbage may be collected in the midst of one

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # what an ended process was still to be told
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def tell(self, command: bytes) -> None:
        freed, self.freed = self.freed, []
        command = b"".join(b"F" + struct.pack("Q", pointer) for pointer in freed) + command
        with contextlib.suppress(BrokenPipeError, ValueError):  # it ended: the next answer that is asked for says why
            self._process.stdin.write(command)
            self._process.stdin.flush()

    def ask(self, command: bytes, size: int) -> bytes:
        self.tell(command)
        answer = self._process.stdout.read(size)
        if len(answer) < size:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(self._errors.read().decode(errors="replace") or "the device process ended")
        return answer

    def allocate(self, size: int) -> int:
        return int(struct.unpack("Q", self.ask(b"A" + struct.pack("Q", size), 8))[0])

    def array(self, x: np.ndarray[Any, Any]) -> HostArray:
        """A copy on the device, contiguous."""
        self.refuse_while_capturing("copies an array of the host to the device")
        made = self.empty(x.shape, x.dtype)
        data = np.ascontiguousarray(x).tobytes()
        self.tell(b"W" + struct.pack("QQ", made._buffer.pointer, len(data)) + data)
        return made

    def empty(self, shape: Any, dtype: Any) -> HostArray:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        layout = np.empty(shape, dtype)
        return HostArray(_Buffer(self, layout.nbytes), layout)

    def contiguous(self, x: HostArray) -> HostArray:
        if x.flags.c_contiguous or self.recorded is None:
            return x if x.flags.c_contiguous else self.array(x.get())
        made = self.empty(x.shape, x.dtype)
        made[...] = x
        return made

    def may_share(self, x: HostArray, y: HostArray) -> bool:
        return x._buffer is y._buffer and np.may_share_memory(x._layout, y._layout)

    def address(self, x: HostArray) -> int:
        return x.pointer

    def to_host(self, x: HostArray) -> np.ndarray[Any, Any]:
        return x.get()

    def refuse_while_capturing(self, what: str) -> None:
        if self.recorded is not None:
            raise RuntimeError(f"graph: the step {what}, which a captured step cannot; train with graph=False")

    @contextlib.contextmanager
    def capturing_stream(self) -> Iterator[None]:
        yield

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """As a CUDA graph: nothing runs, arguments are kept as they are now, and the memory that the step allocates."""
        self.recorded, self.memory_pool = [], _Pool(self)
        try:
            work()
            recorded, kept = self.recorded, self.memory_pool
        finally:
            self.recorded = self.memory_pool = None

        def replay() -> None:
            assert kept is not None
            for action in recorded:
                action()

        return replay

    def launch(self, kernel: str, grid: Any, block: Any, shared_bytes: int, args: tuple[Any, ...]) -> None:
        if self.recorded is not None:
            named = tuple(x.borrowed() if isinstance(x, HostArray) else x for x in args)
            self.recorded.append(lambda: self.launch(kernel, grid, block, shared_bytes, named))
            return
        name = kernel.partition(".")[2]
        schedule = self.launches % 3 + (self.launches // 3 if self.launches % 3 == 2 else 0)
        schedule = schedule if self.schedule is None else self.schedule
        self.launches += 1
        self.kernels.add(name)
        grid, block = (*grid, 1, 1)[:3], (*block, 1, 1)[:3]
        packed = [
            b"L",
            struct.pack("I", len(name)),
            name.encode(),
            struct.pack("8I", *grid, *block, schedule, shared_bytes),
        ]
        packed.append(struct.pack("I", len(args)))
        for x in args:
            if x is None or isinstance(x, HostArray):
                kind, data = b"p", struct.pack("Q", 0 if x is None else x.pointer)
            else:
                scalar = value(x)
                kind, data = (b"f" if scalar.dtype.kind == "f" else b"i"), scalar.tobytes()
            packed.append(kind + struct.pack("I", len(data)) + data)
        size = struct.unpack("Q", self.ask(b"".join(packed), 8))[0]
        if size:
            raise TypeError(self.ask(b"", size).decode())
