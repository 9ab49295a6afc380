"""Tests of the messages without a device, and that device arrays cost callers with NumPy arrays no time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import catalase as ct
from catalase.backends import cuda as _cuda
from catalase.backends import description, is_device_array
from catalase.backends.cuda import compile as _compile
from catalase.backends.cuda import device as _device
from tests.cuda import build

pytestmark = pytest.mark.at_one_level


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
    assert description.config()["gpu"] == _cuda.describe_device()


def test_products_of_numpy_arrays_load_nothing_of_the_device():
    code = (
        "import sys, numpy as np, catalase as ct; x = np.ones((2, 2), np.float32); ct.ops.matmul(x, x); ct.ops.relu(x); "
        "print([m for m in sys.modules if m.startswith('catalase.backends.cuda.') and m.rpartition('.')[2][0] != '_'], 'cupy' in sys.modules)"
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

    assert not any(map(is_device_array, (np.ones(2), np.ones(2).view(Mine), [1.0], None)))


class Foreign:
    """As PyTorch's and JAX's arrays: offers itself by DLPack, from a place of this kind."""

    shape, ndim, size, dtype, strides = (2, 2), 2, 4, "torch.float32", (2, 1)

    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0

    def __dlpack__(self, **options):
        raise AssertionError("nothing is taken unasked")


F32 = np.ones((2, 2), np.float32)
TAKERS = {
    "matmul: a": lambda x: ct.ops.matmul(x, F32),
    "matmul: b": lambda x: ct.ops.matmul(F32, x),
    "linear: w": lambda x: ct.ops.linear(F32, x),
    "relu: x": ct.ops.relu,
    "as_sparse: x": ct.ops.as_sparse,
    "conv1d: x": lambda x: ct.ops.conv1d(x, F32[None]),
    "tanimoto: a": lambda x: ct.ops.tanimoto(x, x),
    "softmax_cross_entropy: labels": lambda x: ct.ops.softmax_cross_entropy(F32, x),
}


@pytest.mark.parametrize("where", TAKERS)
def test_arrays_of_other_libraries_on_a_gpu_are_told_the_way(where):
    function, name = where.split(": ")
    for kind in (2, 13):  # CUDA, CUDA's managed memory
        with pytest.raises(
            TypeError, match=rf"{function}: {name} is an array of tests on the GPU; cupy.from_dlpack\({name}\)"
        ):
            TAKERS[where](Foreign(kind))
    with pytest.raises(TypeError, match=rf"{function}: {name} must be a") as caught:
        TAKERS[where](Foreign(1))  # on the CPU
    assert "from_dlpack" not in str(caught.value)


@pytest.mark.on_a_device
def test_beside_arrays_of_the_device_too(backend):
    x = backend.array(F32)
    ct.ops.relu(x)
    for call in (lambda y: ct.ops.matmul(x, y), lambda y: ct.ops.linear(x, y), lambda y: ct.ops.linear(x, x, y)):
        with pytest.raises(TypeError, match=r"cupy\.from_dlpack"):
            call(Foreign(2))
