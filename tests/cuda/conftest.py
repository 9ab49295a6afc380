"""One fixture for every test of an array function: the CPU ("cpu"), the emulated device ("host"), and a real one ("cuda") if
present. It asserts that the requested backend ran. Tests marked ``on_a_device`` do not run on the CPU."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalase.backends import backend_of, register
from catalase.backends import cuda as _cuda
from tests.cuda import build
from tests.cuda.host import HostArray, HostRuntime


@dataclass
class Backend:
    """Where a test runs: how arrays get there and back."""

    name: str
    runtime: Any
    array: Callable[[np.ndarray[Any, Any]], Any]
    results: int = 0  # looked at

    def get(self, x: Any) -> np.ndarray[Any, Any]:
        assert isinstance(x, np.ndarray) == (self.name == "cpu"), f"the result is not on {self.name}"
        self.results += 1
        return x if self.name == "cpu" else self.runtime.to_host(x)

    def poisoned(self, shape: Any, dtype: Any = np.float32) -> Any:
        """An array that an operation must write wholly."""
        return self.array(np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 0xA5, dtype))


def _folder(config: pytest.Config) -> Path:
    """Where programs are kept from one run to the next; for one run only where pytest keeps no cache."""
    cache = getattr(config, "cache", None)
    return cache.mkdir("cuda-host") if cache is not None else Path(tempfile.mkdtemp())


@pytest.fixture(scope="session")
def host_program(request: pytest.FixtureRequest) -> Callable[[list[Path]], Path]:
    """Builds a program from device code; skips where there is no g++ with its sanitizers."""
    folder = _folder(request.config)
    reason = build.why_not(folder)
    if reason:
        pytest.skip(reason)
    return lambda sources: build.build(sources, folder)


@pytest.fixture(scope="session")
def host_runtime(host_program: Callable[[list[Path]], Path]) -> Iterator[HostRuntime]:
    runtime = HostRuntime(host_program(sorted(build.KERNELS.glob("*.cu"))))
    register(HostArray, runtime)
    yield runtime
    runtime.close()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "on_a_device: is about what only a device does, so the CPU is left out")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        cpu = [] if metafunc.definition.get_closest_marker("on_a_device") else ["cpu"]
        metafunc.parametrize("backend", [*cpu, "host", pytest.param("cuda", marks=pytest.mark.cuda)], indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Runs a test on each backend, and makes sure that kernels of that backend ran."""
    if request.param == "cpu":
        made = Backend("cpu", None, np.array)
        yield made
        assert made.results > 0, "the test looked at no result"
        return
    if request.param == "host":
        runtime = request.getfixturevalue("host_runtime")
        made = Backend("host", runtime, runtime.array)
        before = runtime.launches
        yield made
        assert runtime.launches > before, "the test ran no kernel on the host"
        return
    if not _device():
        pytest.skip(_cuda.describe_device())
    cupy = _cuda.require_cuda("tests")
    if (
        "CATALASE_TEST_NO_POOL" in os.environ
    ):  # for compute-sanitizer, which knows the ends of what the driver allocated
        cupy.cuda.set_allocator(None)
    runtime = backend_of(cupy.zeros(1))
    launches, launch = 0, runtime.launch

    def counted(*args: Any) -> None:
        nonlocal launches
        launches += 1
        launch(*args)

    runtime.launch = counted
    yield Backend("cuda", runtime, cupy.asarray)
    del runtime.launch
    assert launches > 0, "the test ran no kernel on the device"


def _device() -> bool:
    return not _cuda.describe_device().startswith("none")
