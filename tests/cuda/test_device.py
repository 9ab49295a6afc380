"""What is said where there is no device, and that device arrays cost callers with NumPy arrays nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import catalase as ct
from catalase import _cuda
from catalase._cuda import _compile, _device
from tests.cuda import build


def test_without_cupy_the_sentence_names_the_package(monkeypatch):
    monkeypatch.setattr(_device.util, "find_spec", lambda name: None)
    assert _cuda.describe_device() == (
        'none: CuPy is not installed; pip install "catalase[cuda12]" (CUDA 12) or "catalase[cuda13]" (CUDA 13)'
    )
    with pytest.raises(
        RuntimeError, match=r'needs a CUDA device, but there is none.*pip install "catalase\[cuda12\]".*cpu'
    ):
        _cuda.require_cuda("to")


def test_with_cupy_and_no_driver_the_reason_is_given():
    pytest.importorskip("cupy", exc_type=ImportError)
    sentence = _cuda.describe_device()
    if not sentence.startswith("none"):
        pytest.skip("there is a device")
    assert sentence.startswith("none: ") and "\n" not in sentence
    with pytest.raises(RuntimeError, match="needs a CUDA device, but there is none"):
        _cuda.require_cuda("to")


def test_cupys_arrays_are_known_by_their_class():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    assert (cupy.ndarray.__module__, cupy.ndarray.__name__) == ("cupy", "ndarray")


def test_the_configuration_shows_it():
    assert ct._config.config()["gpu"] == _cuda.describe_device()


def test_products_of_numpy_arrays_load_nothing_of_the_device():
    code = (
        "import sys, numpy as np, catalase as ct; x = np.ones((2, 2), np.float32); ct.ops.matmul(x, x); ct.ops.relu(x); "
        "print([m for m in sys.modules if m.startswith('catalase._cuda.') and m.rpartition('.')[2][0] != '_'], 'cupy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_the_package_carries_the_device_code():
    def contents(folder):
        return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".cu", ".cuh")}

    assert contents(_compile.sources()) == contents(build.KERNELS)


def test_subclasses_and_strangers_are_no_device_arrays():
    class Mine(np.ndarray):
        pass

    assert not any(map(_cuda.is_device_array, (np.ones(2), np.ones(2).view(Mine), [1.0], None)))
