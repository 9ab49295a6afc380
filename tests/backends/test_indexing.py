"""Tests that tensors indexed by arrays have NumPy's elements, and gradients summed in the order of the numbers."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_as_cpu

pytestmark = pytest.mark.at_one_level

_A = np.array
_MASK = np.arange(20).reshape(4, 5) % 3 == 0
# Of x (4, 5, 3, 2). Host arrays, lists, masks and whole numbers beside slices, new axes and ellipses.
_INDICES = [
    [1, 3, 1], _A([[0, -1], [2, 2]]), _A(3), ([1, 1], [0, 4]), (slice(None), [4, 0, 4]), (slice(1, 4, 2), [4, 0], slice(None, None, -1)),
    (..., [1, 0, 1, 1]), (0, slice(None), [2, 2]), ([0, 1], slice(None), [2, 2]), ([0, 1], None, [2, 2]), (None, [0, 3], 1),
    ([[0], [3]], [1, 2, 2]), _MASK, (_MASK[:, 0], 1), (slice(None), _MASK[1], ..., [1]), ([], slice(None)), ([1, 2], ..., [0, 1]),
    (slice(None), [0, 1], ..., [2, 0], slice(None)), (slice(None), slice(None), 1, ..., [0, 1]), (slice(2, 2), [0, 1]), np.zeros((2, 0), np.int64),
    (slice(None, None, -1), [1, 1], [0, 2], [1, 0]), np.uint8([3, 0]), _A([0] * 17 + [3] * 14), (slice(None), [0], ..., 1),
]  # fmt: skip


@pytest.mark.parametrize("index", _INDICES, ids=lambda index: str(index).replace("\n", "")[:40])
def test_agrees_with_numpy(backend, rng, index):
    _same(backend, rng, rng.standard_normal((4, 5, 3, 2)).astype(np.float32), index, index)


def _same(backend, rng, values, index, on_device):
    cpu, on = ct.Tensor(values, requires_grad=True), ct.Tensor(backend.array(values), requires_grad=True)
    y, expected = on[on_device], cpu[index]
    assert y.shape == values[index].shape and np.array_equal(backend.get(y.data), values[index])
    dy = rng.standard_normal(y.shape).astype(np.float32)
    (y * backend.array(dy)).sum().backward()
    (expected * dy).sum().backward()
    assert same_as_cpu(backend.get(on.grad), cpu.grad)
    exact, size = np.zeros(values.shape), np.zeros(values.shape)
    np.add.at(exact, index, dy)
    np.add.at(size, index, np.abs(dy))
    assert np.all(np.abs(backend.get(on.grad) - exact) <= np.finfo(np.float32).eps * dy.size * size)


@pytest.mark.parametrize("shape", [(1,), (131, 3), (5, 1, 2), (7, 0), (3, 257)], ids=str)
@pytest.mark.parametrize("count", [0, 1, 31, 4095, 4097, 9001])
def test_long_sums_are_one_chain(backend, rng, shape, count):
    if count > 5000 and shape != (131, 3):
        count = 33
    ids = rng.integers(-shape[0], shape[0], count)
    _same(backend, rng, rng.standard_normal(shape).astype(np.float32), ids, ids)
    backend.get(ct.ops.relu(backend.array(np.ones(1, np.float32))))  # what is empty launches nothing


def test_numbers_on_the_device(backend, rng):
    x = rng.standard_normal((4, 5, 3)).astype(np.float32)
    rows, columns = _A([[0, -1, 3], [3, 3, 0]]), _A([[4, 4, 0], [1, 1, -5]])
    at = [backend.array(ids) for ids in (rows, columns)]
    _same(backend, rng, x, rows, at[0])
    _same(backend, rng, x, (rows, columns), tuple(at))
    _same(backend, rng, x, (rows.T, slice(None), 1), (at[0].T, slice(None), 1))
    _same(backend, rng, x, (_A([2, 0, 1]), columns), (_A([2, 0, 1]), at[1]))
    _same(backend, rng, x[:, ::-1], (slice(1, None), columns[:, :2]), (slice(1, None), at[1][:, :2]))


def test_more_axes_than_arithmetic_takes(backend, rng):
    x = rng.standard_normal((2, 4, 2, 4, 3, 4, 2)).astype(np.float32)
    index = (slice(None), slice(None, None, 2), slice(None), slice(1, 3), [2, 0, 2], slice(None, None, -2))
    _same(backend, rng, x, index, index)


@pytest.mark.on_a_device
@pytest.mark.parametrize("schedule", [0, 1, 5, 6])
def test_the_order_of_threads_changes_nothing(backend, rng, schedule):
    if backend.device == "host":
        backend.runtime.schedule = schedule
    ids = rng.integers(0, 5, 300)
    try:
        _same(backend, rng, rng.standard_normal((5, 3)).astype(np.float32), ids, backend.array(ids))
    finally:
        if backend.device == "host":
            backend.runtime.schedule = None


@pytest.mark.on_a_device
def test_numbers_on_the_device_without_an_element(backend):
    x = ct.Tensor(backend.array(np.arange(6, dtype=np.float32).reshape(3, 2)), requires_grad=True)
    y = x[backend.array(_A([0, 3, -4, -1, 0])), backend.array(_A([0, 0, 1, 1, 2]))]
    assert np.array_equal(backend.get(y.data), [0, np.nan, np.nan, 5, np.nan], equal_nan=True)
    (y * 2).sum().backward()
    assert np.array_equal(backend.get(x.grad), [[2, 0], [0, 0], [0, 2]])


@pytest.mark.on_a_device
def test_errors(backend):
    x = ct.Tensor(backend.array(np.ones((3, 2), np.float32)), requires_grad=True)
    for index, message in (
        ([0, 3], "index 3 is out of bounds for axis 0 of length 3"), ((slice(None), [-3]), "index -3 is out of bounds for axis 1"),
        ([0.5], "indices are whole numbers"), (([0], [0], [0]), "3 indices"), (_A([True, False]), r"a mask of shape \(2,\)"),
        ((..., [0], ...), "two ellipses"), (_A([2**64 - 1], np.uint64), "out of bounds"), ("name", "indices are whole numbers"),
    ):  # fmt: skip
        with pytest.raises(IndexError, match=message):
            _ = x[index]
    with pytest.raises(TypeError, match="must be int64, got int32"):
        _ = x[backend.array(np.zeros(2, np.int32))]
    with pytest.raises(ValueError, match=r"must have one shape, got \(2,\) beside \(1, 2\)"):
        _ = x[backend.array(np.zeros(2, np.int64)), backend.array(np.zeros((1, 2), np.int64))]
    _ = x[[0]]
