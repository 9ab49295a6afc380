"""The fixture `backend`: what its markers leave out, and that a test which ran elsewhere fails."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from tests.conftest import on_the_cpu, on_the_host

ONE = np.ones(1, np.float32)
LEVEL = _core.get_cpu_level()  # while tests are collected: the one in use


def test_the_backend_is_the_one_that_computes(backend):
    assert backend.run(ct.ops.relu, ONE) == 1
    assert backend.device == "cpu" or backend.name == backend.device
    assert backend.device != "cpu" or _core.get_cpu_level() == backend.name


@pytest.mark.on_the_cpu
def test_devices_are_left_out(backend):
    assert backend.device == "cpu"


@pytest.mark.on_a_device
def test_the_cpu_is_left_out(backend):
    assert backend.device != "cpu" and backend.run(ct.ops.relu, ONE) == 1


@pytest.mark.at_one_level
@pytest.mark.parametrize("size", [1, pytest.param(2, marks=pytest.mark.slow_on_the_host)])
def test_one_level_is_enough_and_large_sizes_are_not_the_shims(backend, size):
    assert backend.run(ct.ops.relu, ONE) == 1
    assert backend.name == LEVEL if backend.device == "cpu" else size == 1 or backend.name != "host"


def test_threads_are_the_cpus(backend, threads):
    assert backend.run(ct.ops.relu, ONE) == 1 and (threads == 1 or backend.device == "cpu")


def test_a_result_that_lies_elsewhere_is_refused(backend):
    assert backend.run(ct.ops.relu, ONE) == 1
    with pytest.raises(AssertionError, match=f"the result is not on {backend}"):
        backend.get(object() if backend.device == "cpu" else ONE)


@pytest.mark.on_the_cpu
def test_a_test_at_another_level_and_one_that_looks_at_nothing_fail(backend):
    if backend.name != "portable":
        run = on_the_cpu(backend.name, must_look=False)
        next(run)
        _core.set_cpu_level("portable")
        with pytest.raises(AssertionError, match=f"the test ran at portable, not at {backend}"):
            next(run)
    run = on_the_cpu(backend.name, must_look=True)
    next(run)
    with pytest.raises(AssertionError, match="looked at no result"):
        next(run)


def test_a_test_that_launches_nothing_fails(host_runtime):
    run = on_the_host(host_runtime)
    next(run)
    with pytest.raises(AssertionError, match="ran no kernel on the host"):
        next(run)
