"""Fixtures that every test may use.

`backend` runs a test once on each backend: at each CPU level of this machine, on the host shim ("host"), and on a GPU
where there is one ("cuda"). It brings arrays there and results back, and fails a test that did not run there. Markers
leave backends out, for a test, for a file or for one parameter of a test:

- ``on_the_cpu``: is about the CPU's levels only (float64, threads, strides that a device copies away);
- ``on_a_device``: is about what only a device does;
- ``slow_on_the_host``: the shim, which runs every thread of a kernel as a fiber, would take too long;
- ``at_one_level``: what it shows does not depend on the CPU's level, so the one in use is enough.

``counts_bits`` adds AVX-512 as it is on a CPU that lacks VPOPCNTDQ.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from catalase.backends import backend_of, register
from catalase.backends.cuda import describe_device, require_cuda
from tests.cuda import build
from tests.cuda.host import HostArray, HostRuntime

MARKERS = {
    "host": "runs on the host shim",
    "on_the_cpu": "is about the CPU's levels only, so devices are left out",
    "on_a_device": "is about what only a device does, so the CPU is left out",
    "slow_on_the_host": "would take too long on the host shim",
    "at_one_level": "does not depend on the CPU's level, so the one in use is enough",
    "counts_bits": "runs also at AVX-512 without VPOPCNTDQ",
}
DEVICES = [pytest.param("host", marks=pytest.mark.host), pytest.param("cuda", marks=pytest.mark.cuda)]
WITHOUT_VPOPCNTDQ = "avx512 without vpopcntdq"


def _levels() -> list[str]:
    """The levels under test: the one that CATALASE_CPU names, or all that this machine has."""
    forced = os.environ.get("CATALASE_CPU")
    levels = [forced] if forced and forced != "auto" else list(_core.build_info()["cpu_levels"])
    return [*levels, *([WITHOUT_VPOPCNTDQ] if "avx512" in levels else [])]


LEVELS = _levels()


@dataclass
class Backend:
    """Where a test runs: how arrays get there and back."""

    name: str  # "portable", "avx2", "avx512", "host" or "cuda"
    device: str  # what functions are given as `device=`: "cpu", "host" or "cuda"
    array: Callable[[np.ndarray[Any, Any]], Any]
    runtime: Any = None  # the device's
    results: int = 0  # looked at

    def __str__(self) -> str:
        return self.name

    def get(self, x: Any) -> np.ndarray[Any, Any]:
        """A result as an array of NumPy; fails where it is not on this backend."""
        assert isinstance(x, np.ndarray) == (self.device == "cpu"), f"the result is not on {self.name}"
        self.results += 1
        return x if self.device == "cpu" else self.runtime.to_host(x)

    def run(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What a function gives for arrays of NumPy, which are brought here first; its results as arrays of NumPy."""

        def bring(x: Any) -> Any:
            return self.array(x) if isinstance(x, np.ndarray) and self.device != "cpu" else x

        found = function(*map(bring, args), **{name: bring(x) for name, x in options.items()})
        if isinstance(found, tuple):
            return tuple(None if x is None else self.get(x) for x in found)
        return self.get(found)

    def poisoned(self, shape: Any, dtype: Any = np.float32) -> Any:
        """An array that an operation must write wholly."""
        return self.array(np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 0xA5, dtype))


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def _belongs(item: pytest.Item) -> bool:
    """Whether a test is to run on the backend that it was made for."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    name = params.get("backend")
    if name in ("host", "cuda"):
        left_out = ["on_the_cpu", *(["slow_on_the_host"] if name == "host" else [])]
        return params.get("threads", 1) == 1 and not any(map(item.get_closest_marker, left_out))  # the CPU's threads
    if name in LEVELS:
        one = name == _core.get_cpu_level() or not item.get_closest_marker("at_one_level")
        counted = name != WITHOUT_VPOPCNTDQ or item.get_closest_marker("counts_bits")
        return bool(one and counted and not item.get_closest_marker("on_a_device"))
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if _belongs(item)]


@contextlib.contextmanager
def _at_level(name: str) -> Iterator[None]:
    """Runs what stands in it at a CPU level, and makes sure that this level is what ran."""
    before, level = _core.get_cpu_level(), name.partition(" ")[0]
    _core.set_cpu_level(level)
    _core.allow_vpopcntdq(name != WITHOUT_VPOPCNTDQ)
    yield
    ran = _core.get_cpu_level()
    _core.allow_vpopcntdq(True)
    _core.set_cpu_level(before)
    assert ran == level


@pytest.fixture(params=[*LEVELS, *DEVICES])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Runs a test once on each backend, and makes sure that this backend is what ran."""
    name = request.param
    if name == "host":
        runtime = request.getfixturevalue("host_runtime")
        before = runtime.launches
        yield Backend("host", "host", runtime.array, runtime)
        assert runtime.launches > before, "the test ran no kernel on the host"
    elif name == "cuda":
        yield from _on_cuda()
    else:
        with _at_level(name):
            made = Backend(name, "cpu", np.array)
            yield made
            level_only = request.node.get_closest_marker("on_the_cpu")
            assert made.results > 0 or level_only, "the test looked at no result through the backend"


def _on_cuda() -> Iterator[Backend]:
    if describe_device().startswith("none"):
        pytest.skip(describe_device())
    cupy = require_cuda("tests")
    if "CATALASE_TEST_NO_POOL" in os.environ:  # compute-sanitizer knows the ends of what the driver allocated
        cupy.cuda.set_allocator(None)
    runtime = backend_of(cupy.zeros(1))
    launches, launch = 0, runtime.launch

    def counted(*args: Any) -> None:
        nonlocal launches
        launches += 1
        launch(*args)

    runtime.launch = counted
    yield Backend("cuda", "cuda", cupy.asarray, runtime)
    del runtime.launch
    assert launches > 0, "the test ran no kernel on the device"


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


@pytest.fixture
def data_dir() -> Path:
    """The folder of real data sets; tests that need it are skipped where ``CATALASE_DATA_DIR`` is not set."""
    value = os.environ.get("CATALASE_DATA_DIR")
    if not value:
        pytest.skip("CATALASE_DATA_DIR is not set")
    return Path(value)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest):
    """Runs a test with one thread and with two."""
    before = ct.get_num_threads()
    ct.set_num_threads(request.param)
    yield request.param
    ct.set_num_threads(before)


@pytest.fixture(scope="session")
def quick_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The folder and the scores of one run of the demo, in its quick form, with seed 1."""
    from catalase.demo import run_demo

    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, run_demo(folder, seed=1, quick=True)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed depends on the test's name only."""
    return np.random.default_rng(sum(map(ord, request.node.name)))
