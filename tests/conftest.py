"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase import _core


@pytest.fixture
def data_dir() -> Path:
    """The folder of real data sets; tests that need it are skipped where ``CATALASE_DATA_DIR`` is not set."""
    value = os.environ.get("CATALASE_DATA_DIR")
    if not value:
        pytest.skip("CATALASE_DATA_DIR is not set")
    return Path(value)


def _levels() -> list[str]:
    """The levels under test: the one that CATALASE_CPU names, or all that this machine has."""
    forced = os.environ.get("CATALASE_CPU")
    return [forced] if forced and forced != "auto" else list(_core.build_info()["cpu_levels"])


@pytest.fixture(params=_levels())
def backend(request: pytest.FixtureRequest):
    """Runs a test once for each CPU level, and makes sure that this level is what ran."""
    before = _core.get_cpu_level()
    _core.set_cpu_level(request.param)
    yield request.param
    assert _core.get_cpu_level() == request.param
    _core.set_cpu_level(before)


@pytest.fixture(params=[*_levels(), *(["avx512 without vpopcntdq"] if "avx512" in _levels() else [])])
def fingerprint_backend(request: pytest.FixtureRequest):
    """As `backend`; the AVX-512 level also as it is on a CPU that lacks VPOPCNTDQ."""
    before = _core.get_cpu_level()
    level, _, rest = request.param.partition(" ")
    _core.set_cpu_level(level)
    _core.allow_vpopcntdq(not rest)
    yield request.param
    assert _core.get_cpu_level() == level
    _core.allow_vpopcntdq(True)
    _core.set_cpu_level(before)


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
