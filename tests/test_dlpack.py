"""Tests of tensors that share their memory with other libraries through DLPack."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", [1, 2])
def test_an_array_is_shared_both_ways(dtype, step):
    x = np.arange(12, dtype=dtype).reshape(3, 4)[:, ::step]
    tensor = ct.from_dlpack(x)
    again = np.from_dlpack(tensor)
    x[0, 0] = 7
    assert tensor.numpy()[0, 0] == again[0, 0] == 7
    assert tensor.dtype == again.dtype == dtype
    assert np.array_equal(again, x)
    assert tensor.__dlpack_device__() == (1, 0)


def test_tensors_and_parameters_are_given_away():
    for tensor in (ct.Tensor(np.arange(6, dtype=np.float32)), ct.nn.Linear(3, 40, rng=0).w, ct.Tensor(2.0)):
        assert np.array_equal(np.from_dlpack(tensor), tensor.numpy())


def test_arrays_of_a_batch_are_given_away():
    data = ct.data.NumpyDataset(np.ones((5, 3), np.float32), np.ones((5, 1), np.float32))
    for X, y, w, _ in data.iterbatches(2):
        for array in (X, y, w):
            assert np.shares_memory(np.from_dlpack(array), array)


def test_tensors_are_shared_with_pytorch():
    torch = pytest.importorskip("torch")
    ours = ct.Tensor(np.arange(6, dtype=np.float32))
    theirs = torch.from_dlpack(ours)
    theirs[0] = 9
    assert ours.numpy()[0] == 9
    assert ct.from_dlpack(theirs).numpy().ctypes.data == theirs.data_ptr()


def test_a_tensor_of_pytorch_is_no_weight_of_an_operation():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"linear: w must be a NumPy array, got Tensor; wrap it in np\.asarray"):
        ct.ops.linear(np.ones((2, 3), np.float32), torch.ones(2, 3))


def test_a_tensor_of_pytorch_that_needs_a_gradient_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="from_dlpack: x cannot be read where it is: "):
        ct.from_dlpack(torch.ones(3, requires_grad=True))


@pytest.mark.parametrize("x", [None, 3, "x", [1.0], np.ndarray, object()])
def test_what_is_no_array_is_refused(x):
    with pytest.raises(TypeError, match="from_dlpack: x must be an array with __dlpack__"):
        ct.from_dlpack(x)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.uint8, bool, np.complex64])
def test_other_numbers_are_refused(dtype):
    with pytest.raises(TypeError, match="from_dlpack: x must be float32 or float64"):
        ct.from_dlpack(np.ones(3, dtype))


def test_another_device_is_refused():
    class Elsewhere:
        def __dlpack__(self, **_):
            raise AssertionError("must not be asked")

        def __dlpack_device__(self):
            return (10, 0)

    with pytest.raises(ValueError, match="the DLPack device 10"):
        ct.from_dlpack(Elsewhere())
