"""Tests of the calls that the backend makes to CuPy, with a stand-in for CuPy, so that no device is needed."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from catalase.backends.cuda import cupy_backend


class FakeArray:
    def __init__(self, pointer, device=0):
        self.data, self.device = SimpleNamespace(ptr=pointer), SimpleNamespace(id=device)


class OutOfMemoryError(MemoryError):
    pass


def refuse(shape, dtype):
    raise OutOfMemoryError("words of CuPy's own")


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    """A runtime over a stand-in with one device, which records launches."""
    launched = []

    def load(path):
        def get_function(name):
            def function(*args, **more):
                launched.append((path, name, args, more, getattr(function, "max_dynamic_shared_size_bytes", 0)))

            return function

        return SimpleNamespace(get_function=get_function)

    device = SimpleNamespace(
        compute_capability="90", attributes={"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": 232448}
    )
    fake = SimpleNamespace(
        ndarray=FakeArray,
        RawModule=load,
        empty=refuse,
        array=lambda x, order: FakeArray(x.ctypes.data),
        get_default_memory_pool=lambda: SimpleNamespace(total_bytes=lambda: 5000),
        cuda=SimpleNamespace(
            Device=lambda number: device,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=SimpleNamespace(
                getDevice=lambda: 0, driverGetVersion=lambda: 12040, memGetInfo=lambda: (1000, 80_000)
            ),
        ),
    )
    monkeypatch.setattr(cupy_backend, "require_cuda", lambda function: fake)
    monkeypatch.setattr(cupy_backend, "binary", lambda file, arch, driver: tmp_path / f"{file}-{arch}-{driver}.cubin")
    made = cupy_backend.CupyBackend()
    made.launched = launched
    return made


def test_values_get_the_types_of_the_kernels_parameters(runtime):
    runtime.launch("optim.optim_step_f32", (7,), (256,), 0, (FakeArray(2**63), None, 3, 0.5, np.float64(0.25), True))
    (path, name, (grid, block, values), more, _) = runtime.launched[0]
    assert path.endswith("optim-sm_90-12040.cubin") and name == "optim_step_f32" and (grid, block) == ((7,), (256,))
    assert more == {"shared_mem": 0}
    expected = [np.uint64(2**63), np.uint64(0), np.int64(3), np.float32(0.5), np.float64(0.25), np.int64(1)]
    assert [(type(v), v) for v in values] == [(type(v), v) for v in expected]
    assert runtime.multiprocessors == 132 and runtime.capability == 90


def test_a_kernel_is_loaded_once(runtime, monkeypatch):
    runtime.launch("loss.softmax_f32", (1,), (1,), 0, ())
    monkeypatch.setattr(cupy_backend, "binary", lambda *args: pytest.fail("loaded again"))
    runtime.launch("loss.softmax_f32", (1,), (1,), 0, ())
    assert len(runtime.launched) == 2


def test_shared_memory_is_asked_for_and_never_given_up(runtime):
    assert runtime.shared_bytes == 232448
    for size in (0, 60_000, 100_000, 500):
        runtime.launch("rnn_forward.rnn_forward_0_1", (1,), (1,), size, ())
    assert [(more["shared_mem"], most) for *_, more, most in runtime.launched] == [
        (0, 0), (60_000, 60_000), (100_000, 100_000), (500, 100_000)
    ]  # fmt: skip


def test_an_array_comes_from_the_host(runtime):
    assert isinstance(runtime.array(np.zeros(3)), FakeArray)


def test_an_array_of_another_device_is_refused(runtime):
    with pytest.raises(
        ValueError, match=r"an array is on device 1, the current one is 0; use `with cupy\.cuda\.Device\(1\)"
    ):
        runtime.launch("loss.softmax_f32", (1,), (1,), 0, (FakeArray(1, device=1),))


class FakeStream:
    def __init__(self, said, non_blocking=False):
        self.said, self.name = said, "own" if non_blocking else "default"

    def __enter__(self):
        self.said.append("enter")
        return self

    def __exit__(self, *_):
        self.said.append("leave")

    def __getattr__(self, name):
        def call():
            self.said.append(f"{name} {self.name}")
            return SimpleNamespace(launch=lambda: self.said.append("launch"))

        return call


def test_a_step_is_captured_on_a_stream_and_from_a_pool_of_its_own(runtime):
    said, stream = [], None

    def current():
        return stream or FakeStream(said)

    @contextmanager
    def using(malloc):
        said.append(malloc)
        yield
        said.append("pool left")

    cuda = runtime._cupy.cuda
    cuda.get_current_stream, cuda.using_allocator = current, using
    cuda.Stream = lambda non_blocking: FakeStream(said, non_blocking)
    cuda.MemoryPool = lambda allocator: SimpleNamespace(malloc="pool")
    freed = SimpleNamespace(free_all_blocks=lambda stream: said.append(f"freed {stream.name}"))
    runtime._cupy.get_default_memory_pool = lambda: freed
    with runtime.capturing_stream():
        stream = FakeStream(said, True)
        replay = runtime.capture(lambda: said.append("work"))
        replay()
        with pytest.raises(RuntimeError, match="reads an array of the device"):
            runtime.capture(lambda: runtime.to_host(None))
        assert not runtime._thread.capturing
    assert said == [
        "synchronize default", "enter", "pool", "begin_capture own", "work", "end_capture own", "pool left", "launch",
        "pool", "begin_capture own", "end_capture own", "synchronize own", "freed own", "leave",
    ]  # fmt: skip


def test_a_graphs_pool_frees_none_of_its_own_blocks_for_memory(runtime):
    class CUDARuntimeError(RuntimeError):
        pass

    failing, freed, cuda = [1], [], runtime._cupy.cuda

    def memory(size):
        if failing:
            failing.pop()
            raise CUDARuntimeError
        return f"{size} bytes"

    cuda.runtime.CUDARuntimeError = CUDARuntimeError
    cuda.memory.Memory, cuda.memory.MemoryPointer = memory, lambda block, offset: block
    runtime._cupy.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: freed.append("default"))
    assert runtime._fresh(512) == "512 bytes" and freed == ["default"]
    failing += [1, 1]
    with pytest.raises(MemoryError, match="no 512 bytes for a captured step; use smaller batches or graph=False"):
        runtime._fresh(512)


def test_out_of_memory_says_what_was_asked_for_and_what_is_free(runtime):
    with pytest.raises(MemoryError, match=r"no 4,000,000 bytes .* \(1000, 1000\): 1,000 of 80,000 are free.* 5,000"):
        runtime.empty((1000, 1000), np.float32)
