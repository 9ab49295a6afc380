"""Tests that all backends keep to one protocol."""

from __future__ import annotations

import inspect
from types import ModuleType

import numpy as np
import pytest

from catalase.backends import CPU, backend_named, backend_of, device_of, same_backend, to_device, to_host
from catalase.backends.base import Backend
from catalase.backends.cpu import CpuBackend
from catalase.backends.cuda.backend import CudaBackend, add_kernels
from catalase.backends.cuda.cupy_backend import CupyBackend
from tests.cuda.host import HostRuntime

METHODS = [name for name in vars(Backend) if callable(getattr(Backend, name)) and not name.startswith("_")]


def arguments(method):
    """Names, kinds and defaults, without the first argument, which is the backend."""
    return [(p.name, p.kind, p.default) for p in list(inspect.signature(method).parameters.values())[1:]]


@pytest.mark.parametrize("backend", [CpuBackend, CudaBackend, CupyBackend, HostRuntime])
@pytest.mark.parametrize("name", METHODS)
def test_every_backend_takes_what_the_protocol_says(backend, name):
    assert arguments(getattr(backend, name)) == arguments(getattr(Backend, name))


@pytest.mark.parametrize("backend", [CpuBackend, CupyBackend, HostRuntime])
def test_nothing_of_the_protocol_is_left_open(backend):
    assert not inspect.isabstract(backend)


def test_a_function_of_a_family_is_a_method_if_the_protocol_has_its_name():
    class Some(CudaBackend):
        pass

    def pool(device, kind, x, windows): ...
    def helper(device): ...

    family, other = ModuleType("family"), ModuleType("other")
    pool.__module__ = helper.__module__ = "family"
    vars(family).update(pool=pool, helper=helper)
    vars(other).update(pool=pool)  # imported, so it is not the other file's
    add_kernels(Some, [family, other])
    assert vars(Some)["pool"] is pool and not hasattr(Some, "helper")
    other.pool = lambda device, kind, x, windows: None
    other.pool.__module__ = "other"
    with pytest.raises(TypeError, match="pool is in family and in other; rename one"):
        add_kernels(Some, [other])


def test_nothing_public_stands_beside_the_protocol_on_the_cpu():
    assert {name for name in vars(CpuBackend) if not name.startswith("_")} <= {
        *METHODS,
        "name",
        "float_dtypes",
        "is_host",
    }


def test_arrays_of_numpy_and_numbers_are_the_cpus():
    assert backend_of(np.ones(2), None, 3.0) is backend_of() is backend_named("cpu") is CPU
    assert same_backend("f", a=np.ones(1), b=None) is CPU and device_of(np.ones(1)) == "cpu"
    x = np.ones(2)
    assert to_host(x) is x and to_device(x, "cpu") is x


def test_a_device_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="f: device must be 'cpu' or 'cuda', got 'tpu'"):
        backend_named("tpu", "f")
