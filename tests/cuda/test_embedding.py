"""Tests of embedding rows and gradients against the oracle, and that a device has the CPU's bits for any grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.cuda.agreement import same_as_cpu
from tests.reference.embedding import gradient


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.sampled_from([(), (0,), (1,), (7,), (3, 5), (0, 4), (2, 3, 4), (131,)]), rows=st.sampled_from([1, 2, 5, 97]),
    dim=st.sampled_from([0, 1, 3, 31, 32, 33, 127, 128, 129]), padded=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_agrees_with_the_oracle_and_with_the_cpu(backend, shape, rows, dim, padded, seed):
    rng = np.random.default_rng(seed)
    ids, w = rng.integers(0, rows, shape), rng.standard_normal((rows, dim)).astype(np.float32)
    w[rng.integers(rows)] = np.nan
    on = backend.array(ids)
    assert np.array_equal(backend.get(ct.ops.embedding(on, backend.array(w))), w[ids], equal_nan=True)
    dy = rng.standard_normal((*shape, dim)).astype(np.float32)
    padding = int(rng.integers(rows)) if padded else None
    out = backend.poisoned((rows, dim))
    found = ct.ops.embedding_backward(backend.array(dy), on, rows, padding_index=padding, out=out)
    dw, sizes = backend.get(found), gradient(np.abs(dy), ids, rows, padding)
    assert found is out and np.all(
        np.abs(dw - gradient(dy, ids, rows, padding)) <= np.finfo(np.float32).eps * max(ids.size, 1) * sizes
    )
    assert same_as_cpu(dw, ct.ops.embedding_backward(dy, ids, rows, padding_index=padding))


@pytest.mark.parametrize("tokens, rows, dim", [(4095, 3, 2), (4096, 70, 1), (4097, 1, 5), (9001, 9, 3)])
def test_long_sums_are_cut_as_on_the_cpu(backend, rng, tokens, rows, dim):
    ids, dy = rng.integers(0, rows, tokens), rng.standard_normal((tokens, dim)).astype(np.float32)
    dw = backend.get(ct.ops.embedding_backward(backend.array(dy), backend.array(ids), rows))
    assert same_as_cpu(dw, ct.ops.embedding_backward(dy, ids, rows))
    assert np.allclose(dw, gradient(dy, ids, rows), rtol=0, atol=1e-3)


@pytest.mark.on_a_device
@pytest.mark.parametrize("schedule", [0, 1, 5, 6])
def test_the_order_of_threads_changes_nothing(backend, rng, schedule):
    if backend.name == "host":
        backend.runtime.schedule = schedule
    ids, dy = rng.integers(0, 5, 300), rng.standard_normal((300, 2)).astype(np.float32)
    dw = backend.get(ct.ops.embedding_backward(backend.array(dy), backend.array(ids), 5))
    backend.runtime.schedule = None
    assert same_as_cpu(dw, ct.ops.embedding_backward(dy, ids, 5))


def test_layouts(backend, rng):
    ids, w = rng.integers(0, 9, (4, 6)), rng.standard_normal((9, 10)).astype(np.float32)
    dy = rng.standard_normal((6, 4, 5)).astype(np.float32)
    numbers, table = backend.array(ids), backend.array(w)
    assert np.array_equal(backend.get(ct.ops.embedding(numbers.T, table[:, 2:7])), w[ids.T][..., 2:7])
    few = ids % 5
    assert np.array_equal(backend.get(ct.ops.embedding(backend.array(few), table[::-2, ::3])), w[::-2, ::3][few])
    wide = backend.poisoned((9, 8))
    ct.ops.embedding_backward(backend.array(dy), numbers.T, 9, out=wide[:, :5])
    assert same_as_cpu(backend.get(wide)[:, :5].copy(), ct.ops.embedding_backward(dy, ids.T, 9))
    assert np.isnan(backend.get(wide)[:, 5:]).all()


@pytest.mark.on_a_device
def test_ids_on_the_device_without_a_row(backend):
    w, dy = backend.array(np.ones((3, 2), np.float32)), backend.array(np.ones((4, 2), np.float32))
    ids = np.array([0, -1, 3, 2])
    assert np.isnan(backend.get(ct.ops.embedding(backend.array(ids), w))).all(1).tolist() == [False, True, True, False]
    dw = ct.ops.embedding_backward(dy, backend.array(ids), 3)
    assert np.array_equal(backend.get(dw), [[1, 1], [0, 0], [1, 1]])


def test_ids_from_the_host(backend):
    w, dy = backend.array(np.ones((3, 2), np.float32)), backend.array(np.ones((4, 2), np.float32))
    ids = np.array([0, -1, 3, 2])
    assert np.array_equal(backend.get(ct.ops.embedding([[0, 2]], w)), np.ones((1, 2, 2)))
    for run in (lambda: ct.ops.embedding(ids, w), lambda: ct.ops.embedding_backward(dy, ids, 3)):
        with pytest.raises(ValueError, match=r"ids\[1\] is -1"):
            run()
    with pytest.raises(ValueError, match=r"ids\[0\] is 18446744073709551615"):
        ct.ops.embedding(np.array([2**64 - 1], np.uint64), w)


def test_errors(backend):
    w, ids = backend.array(np.ones((3, 2), np.float32)), backend.array(np.zeros(4, np.int64))
    with pytest.raises(ValueError, match=r"w must be \(V, D\)"):
        ct.ops.embedding(ids, w[0])
    with pytest.raises(ValueError, match=r"dy must have shape \(\*ids.shape, D\) for ids \(4,\), got \(3, 2\)"):
        ct.ops.embedding_backward(w, ids, 3)
    with pytest.raises(ValueError, match="padding_index must be from 0 to 2"):
        ct.ops.embedding_backward(w, ids, 3, padding_index=3)
    with pytest.raises(ValueError, match=r"out must be float32 of shape \(3, 2\)"):
        ct.ops.embedding_backward(w, ids[:3], 3, out=w[:2])
    with pytest.raises(ValueError, match="out shares memory with dy"):
        ct.ops.embedding_backward(w, ids[:3], 3, out=w)
    assert np.all(backend.get(ct.ops.embedding(ids, w)) == 1)


@pytest.mark.on_a_device
def test_mixtures_and_other_dtypes_are_refused(backend):
    w, ids = backend.array(np.ones((3, 2), np.float32)), backend.array(np.zeros(4, np.int64))
    with pytest.raises(TypeError, match="ids must be int64 on CUDA, got int32"):
        ct.ops.embedding(backend.array(np.zeros(4, np.int32)), w)
    with pytest.raises(TypeError, match="ids are on the GPU"):
        ct.ops.embedding(ids, np.ones((3, 2), np.float32))
    with pytest.raises(TypeError, match="w must be float32 on CUDA"):
        ct.ops.embedding(ids, backend.array(np.ones((3, 2))))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.embedding_backward(w, ids[:3], 3, out=np.ones((3, 2), np.float32))
    ct.ops.embedding(ids, w)
