"""Tests of embedding against the float64 oracle and the one-hot product's bits; threads, layouts, errors, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import nn, ops
from tests.agreement import same_as_cpu
from tests.reference.embedding import gradient
from tests.reference.gradients import directional

SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(
    shape=st.sampled_from([(), (0,), (1,), (7,), (3, 5), (0, 4), (2, 3, 4), (131,)]), rows=st.sampled_from([1, 2, 5, 97]),
    dim=st.sampled_from([0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 130]), double=st.booleans(),
    kind=st.sampled_from([np.int64, np.int32, np.uint8]), padded=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@SETTINGS
def test_agrees_with_the_oracle_and_the_cpu(backend, shape, rows, dim, double, kind, padded, seed):
    dtype, kind = (np.float64 if double else np.float32, kind) if backend.device == "cpu" else (np.float32, np.int64)
    rng = np.random.default_rng(seed)
    ids, w = rng.integers(0, rows, shape, kind), rng.standard_normal((rows, dim)).astype(dtype)
    w[rng.integers(rows)] = np.nan
    y = backend.run(ops.embedding, ids, w)
    assert y.shape == (*shape, dim) and y.dtype == dtype and np.array_equal(y, w[ids], equal_nan=True)
    dy = rng.standard_normal(y.shape).astype(dtype)
    padding = int(rng.integers(rows)) if padded else None
    out = backend.poisoned((rows, dim), dtype)
    found = ops.embedding_backward(backend.array(dy), backend.array(ids), rows, padding_index=padding, out=out)
    dw, exact = backend.get(found), gradient(dy, ids, rows, padding)
    sizes = gradient(np.abs(dy), ids, rows, padding)
    assert found is out and np.all(np.abs(dw - exact) <= np.finfo(dtype).eps * max(ids.size, 1) * sizes)
    assert same_as_cpu(dw, ops.embedding_backward(dy, ids, rows, padding_index=padding))
    backend.run(ops.embedding, np.zeros(1, np.int64), np.ones((1, 1), np.float32))  # what is empty launches nothing


def test_gradient_check(rng):
    ids, w, factor = rng.integers(0, 7, (3, 11)), rng.standard_normal((7, 5)), rng.standard_normal((3, 11, 5))
    dw = ops.embedding_backward(factor * np.cos(w[ids]), ids, 7)
    measured, claimed = directional(lambda v: float(np.sum(factor * np.sin(ops.embedding(ids, v)))), [w], [dw], rng)
    assert np.isclose(measured, claimed, rtol=1e-7)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("tokens, rows, dim", [(9001, 40, 72), (5000, 3000, 200), (20000, 1, 16)])
def test_bits_are_those_of_the_one_hot_product_for_any_threads(backend, tokens, rows, dim, rng):
    ids, dy = rng.integers(0, rows, tokens), rng.standard_normal((tokens, dim)).astype(np.float32)
    one_hot = np.zeros((tokens, rows), np.float32)
    one_hot[np.arange(tokens), ids] = 1
    w = rng.standard_normal((rows, dim)).astype(np.float32)
    expected = ops.matmul(one_hot, dy, transpose_a=True)
    before = ct.get_num_threads()
    try:
        for count in (1, 2, 3):
            ct.set_num_threads(count)
            assert np.array_equal(ops.embedding_backward(dy, ids, rows), expected)
            assert np.array_equal(ops.embedding(ids, w), w[ids])
    finally:
        ct.set_num_threads(before)


@pytest.mark.parametrize("tokens, rows, dim", [(4095, 3, 2), (4096, 70, 1), (4097, 1, 5), (9001, 9, 3)])
def test_long_sums_are_cut_as_on_the_cpu(backend, rng, tokens, rows, dim):
    ids, dy = rng.integers(0, rows, tokens), rng.standard_normal((tokens, dim)).astype(np.float32)
    dw = backend.get(ops.embedding_backward(backend.array(dy), backend.array(ids), rows))
    assert same_as_cpu(dw, ops.embedding_backward(dy, ids, rows))
    assert np.allclose(dw, gradient(dy, ids, rows), rtol=0, atol=1e-3)


@pytest.mark.on_a_device
@pytest.mark.parametrize("schedule", [0, 1, 5, 6])
def test_the_order_of_threads_changes_nothing(backend, rng, schedule):
    if backend.device == "host":
        backend.runtime.schedule = schedule
    ids, dy = rng.integers(0, 5, 300), rng.standard_normal((300, 2)).astype(np.float32)
    dw = backend.get(ops.embedding_backward(backend.array(dy), backend.array(ids), 5))
    backend.runtime.schedule = None
    assert same_as_cpu(dw, ops.embedding_backward(dy, ids, 5))


def test_views(backend, rng):
    ids, w = rng.integers(0, 9, (4, 6)), rng.standard_normal((9, 10)).astype(np.float32)
    dy = rng.standard_normal((6, 4, 5)).astype(np.float32)
    numbers, table = backend.array(ids), backend.array(w)
    assert np.array_equal(backend.get(ops.embedding(numbers.T, table[:, 2:7])), w[ids.T][..., 2:7])
    few = ids % 5
    assert np.array_equal(backend.get(ops.embedding(backend.array(few), table[::-2, ::3])), w[::-2, ::3][few])
    wide = backend.poisoned((9, 8))
    ops.embedding_backward(backend.array(dy), numbers.T, 9, out=wide[:, :5])
    assert same_as_cpu(backend.get(wide)[:, :5].copy(), ops.embedding_backward(dy, ids.T, 9))
    assert np.isnan(backend.get(wide)[:, 5:]).all()


def test_any_layout(rng):
    ids, w, dy = rng.integers(0, 9, (4, 6)), rng.standard_normal((9, 5)), rng.standard_normal((4, 6, 5))
    y, dw = ops.embedding(ids, w), ops.embedding_backward(dy, ids, 9)
    raw = np.zeros(w.nbytes + 1, np.uint8)[1:].view(w.dtype).reshape(w.shape)
    raw[...] = w
    wide = np.zeros((18, 10))
    wide[::2, ::2] = w
    w.flags.writeable = ids.flags.writeable = dy.flags.writeable = False
    for other in (w, raw, wide[::2, ::2], np.asfortranarray(w), w[::-1].copy()[::-1], w[:, ::-1].copy()[:, ::-1]):
        assert np.array_equal(ops.embedding(ids, other), y)
    assert np.array_equal(ops.embedding(np.asfortranarray(ids), w), y) and np.array_equal(
        ops.embedding(ids.T, w), w[ids.T]
    )
    for other in (dy, np.asfortranarray(dy), dy[..., ::-1].copy()[..., ::-1], dy[::-1].copy()[::-1]):
        assert np.array_equal(ops.embedding_backward(other, ids, 9), dw)
    rows = np.full((9, 8), np.nan)
    assert np.array_equal(ops.embedding_backward(dy, ids, 9, out=rows[:, :5]), dw) and np.isnan(rows[:, 5:]).all()
    assert np.array_equal(
        ops.embedding_backward(np.broadcast_to(2.0, dy.shape), ids, 9)[:, 0], 2.0 * np.bincount(ids.flat, minlength=9)
    )


def test_nan_stays_in_its_row(rng):
    w, dy = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    w[2], dy[1] = np.nan, np.nan
    ids = [0, 2, 2, 1, 3]
    assert np.array_equal(np.isnan(ops.embedding(ids, w)).any(axis=1), [False, True, True, False, False])
    assert np.array_equal(np.isnan(ops.embedding_backward(dy, ids, 4)).any(axis=1), [False, False, True, False])


@pytest.mark.at_one_level
def test_errors_say_where(backend):
    w, ids, dy = (
        backend.array(x) for x in (np.ones((4, 2), np.float32), np.zeros(1, int), np.ones((1, 2), np.float32))
    )
    with pytest.raises(
        ValueError, match=r"embedding: ids must be from 0 to 3.*ids\[1, 2\] is 4; give tokens that are not"
    ):
        ops.embedding([[0, 1, 2], [3, 3, 4]], w)
    with pytest.raises(ValueError, match=r"ids\[1\] is -1"):
        ops.embedding([0, -1, 9], w)
    with pytest.raises(ValueError, match=r"ids\[0\] is 18446744073709551615"):
        ops.embedding(np.array([2**64 - 1], np.uint64), w)
    for wrong in (np.zeros(3), np.zeros(3, bool), [0.0, 1.0], np.zeros((0, 2), np.float32), "CC", np.array(["C"])):
        with pytest.raises(TypeError, match="ids must be whole numbers, got"):
            ops.embedding(wrong, w)
    assert ops.embedding([], w).shape == (0, 2)
    with pytest.raises(ValueError, match=r"w must be \(V, D\)"):
        ops.embedding(ids, w[0])
    with pytest.raises(TypeError, match="float32"):
        ops.embedding(ids, backend.array(np.ones((4, 2), int)))
    for number in (4, -1):
        with pytest.raises(ValueError, match=rf"ids\[0\] is {number}"):
            ops.embedding_backward(dy, [number], 4)
    with pytest.raises(ValueError, match=r"dy must have shape \(\*ids.shape, D\) for ids \(1,\), got \(4, 2\)"):
        ops.embedding_backward(w, ids, 4)
    with pytest.raises(ValueError, match="padding_index must be from 0 to 3, got 4"):
        ops.embedding_backward(dy, ids, 4, padding_index=4)
    with pytest.raises(ValueError, match="rows of out must have unit stride"):
        ops.embedding_backward(dy, ids, 4, out=backend.array(np.zeros((2, 4), np.float32)).T)
    with pytest.raises(ValueError, match=r"out must be float32 of shape \(4, 2\)"):
        ops.embedding_backward(dy, ids, 4, out=w[:2])
    with pytest.raises(ValueError, match="out shares memory with dy"):
        ops.embedding_backward(w[:1], ids, 4, out=w)
    assert np.all(backend.get(ops.embedding([0, 3], w)) == 1)


def test_errors_of_the_layer_and_of_dtypes_say_where():
    with pytest.raises(TypeError, match="one dtype"):
        ops.embedding_backward(np.zeros((1, 2)), [0], 4, out=np.zeros((4, 2), np.float32))
    with pytest.raises(TypeError, match="got a Tensor"):
        nn.Embedding(4, 2)(ct.Tensor(np.zeros((4, 2), np.float32)))
    with pytest.raises(ValueError, match="1 or more"):
        nn.Embedding(0, 2)
    with pytest.raises(ValueError, match="Embedding: padding_index must be from 0 to 3, got -1"):
        nn.Embedding(4, 2, -1)


def test_layer_trains_only_the_rows_that_were_taken(rng):
    layer = nn.Embedding(6, 20, padding_index=1, rng=0)
    before = layer.state_dict()["w"]
    assert not before[1].any() and before[0].any()
    optimizer = ct.optim.SGD(layer, 0.5)
    ids = np.array([[0, 4, 1], [4, 4, 1]])
    for again in range(2):  # the second time the gradient is written over the first one's
        y = layer(ids)
        ids[...] = 3  # the way back goes by what was looked up
        (y * y).sum().backward()
        assert np.array_equal(np.flatnonzero(layer.w.grad.any(axis=1)), [0, 4])
        assert np.allclose(layer.w.grad[4], 6 * layer.w.data[4], rtol=1e-6)
        ids[...] = [[0, 4, 1], [4, 4, 1]]
        if again == 0:
            optimizer.zero_grad()
    optimizer.step()
    after = layer.state_dict()["w"]
    assert np.array_equal(after[[1, 2, 3, 5]], before[[1, 2, 3, 5]]) and not np.array_equal(after[4], before[4])
    twice = nn.Embedding(6, 3, rng=0)
    (twice([1, 2]).sum() + twice([2]).sum()).backward()  # taken twice on one tape: added
    assert np.array_equal(twice.w.grad[:, 0], [0, 1, 2, 0, 0, 0])
    with ct.no_grad():
        assert not layer(ids).requires_grad


def test_tokens_of_a_dataset_go_through_fit(rng):
    ids = rng.integers(0, 9, (60, 4))
    net = nn.Sequential(nn.Embedding(9, 3, rng=0), nn.Flatten(), nn.Linear(12, 1, rng=0))
    data = ct.data.NumpyDataset(ids, (ids == 5).sum(axis=1, keepdims=True).astype(np.float32))

    def loss(pred, y, w):
        return nn.functional.squared_error(pred, y).mean()

    history = ct.train.fit(net, data, loss=loss, optimizer=ct.optim.Adam(net, 0.02), nb_epoch=15, batch_size=20)
    assert history["loss"][-1] < 0.2 * history["loss"][0]


def test_like_pytorch(rng):
    torch = pytest.importorskip("torch")
    layer, theirs = nn.Embedding(11, 6, padding_index=2, rng=3), torch.nn.Embedding(11, 6, padding_idx=2)
    theirs.load_state_dict({"weight": torch.from_numpy(layer.state_dict()["w"])})
    ids = rng.integers(0, 11, (5, 9))
    y, z = layer(ids), theirs(torch.from_numpy(ids))
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert np.array_equal(y.data, z.detach().numpy()) and np.allclose(
        layer.w.grad, theirs.weight.grad.numpy(), rtol=1e-6
    )


@pytest.mark.on_a_device
def test_ids_on_the_device_without_a_row(backend):
    w, dy = backend.array(np.ones((3, 2), np.float32)), backend.array(np.ones((4, 2), np.float32))
    ids = np.array([0, -1, 3, 2])
    assert np.isnan(backend.get(ops.embedding(backend.array(ids), w))).all(1).tolist() == [False, True, True, False]
    dw = ops.embedding_backward(dy, backend.array(ids), 3)
    assert np.array_equal(backend.get(dw), [[1, 1], [0, 0], [1, 1]])


@pytest.mark.on_a_device
def test_mixtures_and_other_dtypes_are_refused(backend):
    w, ids = backend.array(np.ones((3, 2), np.float32)), backend.array(np.zeros(4, np.int64))
    with pytest.raises(TypeError, match="ids must be int64 on CUDA, got int32"):
        ops.embedding(backend.array(np.zeros(4, np.int32)), w)
    with pytest.raises(TypeError, match="ids are on the GPU"):
        ops.embedding(ids, np.ones((3, 2), np.float32))
    with pytest.raises(TypeError, match="w must be float32 on CUDA"):
        ops.embedding(ids, backend.array(np.ones((3, 2))))
    with pytest.raises(TypeError, match="on one device"):
        ops.embedding_backward(w, ids[:3], 3, out=np.ones((3, 2), np.float32))
    ops.embedding(ids, w)
