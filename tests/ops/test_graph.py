"""Tests of reductions over lists of rows against the float64 oracle; odd lists, threads, layouts, errors, PyTorch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import ops
from catalase.nn import functional
from tests.agreement import same_as_cpu, same_at_fma_levels, same_with_threads
from tests.reference import graph as oracle
from tests.reference.gradients import directional

SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SQUARES = np.random.default_rng(3).standard_normal((3, 3, 3))
LENGTHS = st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 5, 17]), max_size=20)
SHAPES = st.sampled_from([(), (1,), (3,), (7,), (8,), (9,), (17,), (64,), (129,), (300,), (2, 3), (0,)])


def draw_lists(lengths, rows, seed):
    """The index, the offsets and a generator."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *lengths])
    return rng.integers(0, rows, offsets[-1]).astype(np.int32), offsets, rng


def close(found, exact, sizes, terms, dtype):
    return np.all(np.abs(found - exact) <= np.finfo(dtype).eps * (terms + 2) * sizes)


@given(lengths=LENGTHS, shape=SHAPES, rows=st.sampled_from([1, 2, 23]), double=st.booleans(), seed=st.integers(0, 999))
@SETTINGS
def test_sums_and_maxima_of_lists_agree_with_the_oracle_and_the_cpu(backend, lengths, shape, rows, double, seed):
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    index, offsets, rng = draw_lists(lengths, rows, seed)
    x = rng.standard_normal((rows, *shape)).astype(dtype)
    dy = rng.standard_normal((len(lengths), *shape)).astype(dtype)
    most = max(lengths, default=0)
    y = backend.run(ops.gather_sum, x, index, offsets)
    exact, sizes = (oracle.reduced("sum", v, offsets, index) for v in (x, np.abs(x)))
    assert y.shape == (len(lengths), *shape) and y.dtype == dtype and close(y, exact, sizes, most, dtype)
    assert same_as_cpu(y, ops.gather_sum(x, index, offsets))
    z, kind = dy[:1], np.zeros(len(lengths), np.int32)
    for more, expected in (
        ({"z": dy}, y + dy),
        ({"z": dy, "relu": True}, np.maximum(y + dy, 0)),
        ({"relu": True}, np.maximum(y, 0)),
        ({"z": z, "kind": kind, "relu": True}, np.maximum(y + z[kind], 0)),
    ):
        given_ = {name: backend.array(a) if isinstance(a, np.ndarray) else a for name, a in more.items()}
        assert np.array_equal(backend.get(ops.gather_sum(backend.array(x), index, offsets, **given_)), expected), more
    dx = backend.get(ops.gather_sum_backward(backend.array(dy), index, offsets, rows))
    exact, sizes = (oracle.reduced_backward("sum", v, x, offsets, index) for v in (dy, np.abs(dy)))
    assert dx.shape == x.shape and close(dx, exact, sizes, len(index), dtype)
    assert same_as_cpu(dx, ops.gather_sum_backward(dy, index, offsets, rows))
    x[rng.random(x.shape) < 0.5] = 1.0  # equal values: the first wins
    y = backend.run(ops.gather_max, x, index, offsets)
    assert np.array_equal(y, oracle.reduced("max", x, offsets, index))
    dx = backend.get(ops.gather_max_backward(*map(backend.array, (dy, x)), index, offsets))
    exact, sizes = (oracle.reduced_backward("max", v, x, offsets, index) for v in (dy, np.abs(dy)))
    assert close(dx, exact, sizes, len(index), dtype) and same_as_cpu(
        dx, ops.gather_max_backward(dy, x, index, offsets)
    )
    taken = backend.run(ops.gather_rows, x, index.astype(np.int64))
    assert np.array_equal(taken, x[index])
    given_ = rng.standard_normal(taken.shape).astype(dtype)
    dx = backend.get(ops.gather_rows_backward(backend.array(given_), backend.array(index.astype(np.int64)), rows))
    exact = np.zeros(x.shape)
    np.add.at(exact, index, given_.astype(np.float64))
    assert np.allclose(dx, exact, rtol=0, atol=1e-4) and same_as_cpu(dx, ops.gather_rows_backward(given_, index, rows))
    backend.run(ops.segment_sum, np.ones((1, 1), np.float32), np.array([0, 1]))  # what is empty launches nothing


@given(lengths=LENGTHS, shape=SHAPES, double=st.booleans(), seed=st.integers(0, 999))
@SETTINGS
def test_segments_agree_with_the_oracle_and_the_cpu(backend, lengths, shape, double, seed):
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    rng, offsets = np.random.default_rng(seed), np.cumsum([0, *lengths])
    rows, most = int(offsets[-1]), max(lengths, default=0)
    x = rng.standard_normal((rows, *shape)).astype(dtype)
    dy = rng.standard_normal((len(lengths), *shape)).astype(dtype)
    given_, kept = backend.array(dy), backend.array(x)
    for how in ("sum", "mean"):
        forward, backward = getattr(ops, f"segment_{how}"), getattr(ops, f"segment_{how}_backward")
        y = backend.run(forward, x, offsets)
        exact, sizes = (oracle.reduced(how, v, offsets) for v in (x, np.abs(x)))
        assert y.shape == dy.shape and y.dtype == dtype and close(y, exact, sizes, most, dtype)
        dx = backend.get(backward(given_, offsets, rows))
        exact = oracle.reduced_backward(how, dy, x, offsets)
        assert dx.shape == x.shape and close(dx, exact, np.abs(exact), 1, dtype)
        assert same_as_cpu(y, forward(x, offsets)) and same_as_cpu(dx, backward(dy, offsets, rows))
    y = backend.run(ops.segment_max, x, offsets)
    dx = backend.get(ops.segment_max_backward(given_, kept, offsets))
    assert np.array_equal(y, oracle.reduced("max", x, offsets))
    assert np.array_equal(dx, oracle.reduced_backward("max", dy, x, offsets).astype(dtype))
    y = backend.run(ops.segment_softmax, x, offsets)
    exact = oracle.softmax(x, offsets)
    assert y.shape == x.shape and np.all(np.abs(y - exact) <= 8 * np.finfo(dtype).eps * (most + 4) * exact)
    assert same_as_cpu(y, ops.segment_softmax(x, offsets))
    dz = rng.standard_normal(x.shape).astype(dtype)
    dx = backend.get(ops.segment_softmax_backward(backend.array(dz), backend.array(y), offsets))
    assert np.allclose(dx, oracle.softmax_backward(dz, y, offsets), rtol=0, atol=32 * np.finfo(dtype).eps)
    assert same_as_cpu(dx, ops.segment_softmax_backward(dz, y, offsets))
    backend.run(ops.segment_sum, np.ones((1, 1), np.float32), np.array([0, 1]))


@given(lengths=LENGTHS, rows=st.sampled_from([1, 4, 40]), seed=st.integers(0, 999))
@SETTINGS
def test_transposed_lists_ascend(lengths, rows, seed):
    index, offsets, _ = draw_lists(lengths, rows, seed)
    turned, starts = ops.transpose_index(index, offsets, rows)
    exact, ends = oracle.transposed(index, offsets, rows)
    assert turned.dtype == np.int32 and starts.dtype == np.int64
    assert np.array_equal(turned, exact) and np.array_equal(starts, ends)


def test_gradients_by_central_differences(rng):
    index, offsets, _ = draw_lists([3, 0, 1, 4, 2], 7, 5)
    x = rng.standard_normal((7, 3))
    y = functional.gather_sum
    for run in (
        lambda v: functional.gather_sum(v, index, offsets),
        lambda v: y(v, index, offsets, transposed=ops.transpose_index(index, offsets, 7)),
        lambda v: functional.gather_max(v, index, offsets),
        lambda v: functional.gather_rows(v, index),
        lambda v: functional.grouped_linear(v, SQUARES, [0, 3, 3, 7], SQUARES[:, 0], activation="tanh"),
        lambda v: functional.message_update(v, SQUARES[0], index, offsets, z=v, kind=[0, 6, 6, 2, 1], activation="gelu"),
        lambda v: functional.message_update(v, SQUARES[0], index, offsets, z=SQUARES[1][[0, 1, 2, 0, 1]], b=SQUARES[0, 0]),
        *(lambda v, f=f: f(v, [0, 2, 2, 7]) for f in (
            functional.segment_sum, functional.segment_mean, functional.segment_max, functional.segment_softmax)),
    ):  # fmt: skip
        factor = rng.standard_normal(run(x).shape)
        leaf = ct.Tensor(x, requires_grad=True)
        (run(leaf).tanh() * factor).sum().backward()
        measured, claimed = directional(
            lambda v, run=run, factor=factor: float((run(v).tanh() * factor).sum()), [x], [leaf.grad], rng
        )
        assert np.isclose(measured, claimed, rtol=1e-6)


@pytest.mark.parametrize("offsets", [[0, 3, 3, 10], [0, 0, 0, 10], [0, 4, 9, 10]])
def test_groups_have_the_bits_of_their_own_products(backend, offsets, rng):
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((10, 7), (3, 7, 5), (3, 5)))
    y = backend.get(ops.grouped_linear(*map(backend.array, (x, w)), offsets, backend.array(b), activation="relu"))
    dy = rng.standard_normal(y.shape).astype(np.float32)
    arrays = map(backend.array, (dy, x, w, y))
    dx, dw, db = map(backend.get, ops.grouped_linear_backward(*arrays, offsets, activation="relu"))
    for g, (i, j) in enumerate(pairwise(offsets)):
        own = ops.linear(x[i:j], w[g], b[g], activation="relu")
        assert same_as_cpu(y[i:j], own)
        exact = ops.linear_backward(dy[i:j], x[i:j], w[g], own, activation="relu")
        for found, expected in zip((dx[i:j], dw[g], db[g]), exact, strict=True):
            assert same_as_cpu(found, expected)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "gelu"])
@pytest.mark.parametrize(
    "rows, columns, width", [(0, 5, 3), (1, 300, 17), (40, 4099, 9), (700, 33, 130), (311, 300, 300)]
)
def test_the_update_has_the_bits_of_its_parts_for_any_threads(backend, rows, columns, width, activation, rng):
    index, offsets, _ = draw_lists(rng.integers(0, 4, rows), 50, 1)
    h, w, z, b = (
        rng.standard_normal(s).astype(np.float32) for s in ((50, columns), (columns, width), (6, width), width)
    )
    kind = rng.integers(0, 6, rows)
    m = ops.gather_sum(h, index, offsets)
    y, sums = same_with_threads(
        lambda: ops.message_update_forward(h, w, index, offsets, z=z, kind=kind, b=b, activation=activation),
        (1, 2, 3, 7),
    )
    expected = ops.activation(ops.linear(m, w, b) + z[kind], activation)
    (alone,) = same_with_threads(
        lambda: ops.message_update(h, w, index, offsets, z=z, kind=kind, b=b, activation=activation), (1, 2, 3)
    )
    assert np.array_equal(alone, expected)
    assert np.array_equal(sums, m) and np.array_equal(y, expected)
    direct = ops.message_update(h, w, index, offsets, z=z[kind], activation=activation)
    assert np.array_equal(direct, ops.activation(ops.matmul(m, w) + z[kind], activation))
    wide = np.full((50, columns + 3), np.nan, np.float32)
    wide[:, :columns] = h
    views = wide[:, :columns], np.asfortranarray(w)
    assert np.array_equal(ops.message_update(*views, index, offsets, z=z, kind=kind, b=b, activation=activation), y)


def test_bits_are_equal_at_fma_levels(rng):
    index, offsets, _ = draw_lists([3, 0, 1, 4, 2] * 9, 30, 5)
    h, w, z = (rng.standard_normal(s).astype(np.float32) for s in ((30, 70), (70, 41), (45, 41)))
    dy = rng.standard_normal((45, 41)).astype(np.float32)

    def run():
        y, m = ops.message_update_forward(h, w, index, offsets, z=z)
        back = ops.message_update_backward(dy, y, m, w, index, offsets, 30)
        wide = ops.gather_rows(h, index)
        return (y, m, *back, ops.segment_softmax(wide, offsets), ops.gather_max_backward(m, h, index, offsets))

    same_at_fma_levels(run)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("lists, rows, columns", [(1, 9000, 40), (3, 500, 300), (4000, 900, 33), (500, 20, 1)])
def test_bits_are_equal_for_any_threads(backend, lists, rows, columns, rng):
    offsets = np.cumsum([0, *rng.integers(0, 9, lists)]) if lists > 3 else np.linspace(0, rows, lists + 1).astype(int)
    index = rng.integers(0, rows, offsets[-1])
    x, dy = (rng.standard_normal((n, columns)).astype(np.float32) for n in (rows, lists))
    wide = rng.standard_normal((offsets[-1], columns)).astype(np.float32)
    same_with_threads(
        lambda: (
            ops.gather_sum(x, index, offsets), ops.gather_sum_backward(dy, index, offsets, rows),
            ops.gather_max(x, index, offsets), ops.gather_max_backward(dy, x, index, offsets),
            ops.segment_mean(wide, offsets), ops.segment_mean_backward(dy, offsets, offsets[-1]),
            ops.segment_max_backward(dy, wide, offsets), ops.segment_softmax(wide, offsets),
        ), (1, 2, 3, 7),
    )  # fmt: skip


@pytest.mark.parametrize("length", [4095, 4096, 4097, 9001])
def test_long_sums_are_cut_as_products_are(backend, rng, length):
    x = rng.standard_normal((length, 2)).astype(np.float32)
    y = backend.run(ops.segment_sum, x, np.array([0, length]))
    parts = [x[i : i + 4096] for i in range(0, length, 4096)]
    expected = sum(np.cumsum(part, axis=0, dtype=np.float32)[-1:] for part in parts)
    assert np.array_equal(y, expected)
    order = rng.permutation(length)
    assert np.array_equal(
        backend.run(ops.gather_sum, x[order], np.argsort(order).astype(np.int32), np.array([0, length])), expected
    )


def test_nan_is_the_largest_and_stays_in_its_list():
    x = np.array([[1.0, np.nan], [np.nan, 2.0], [3.0, np.nan], [5.0, 6.0]])
    y = ops.segment_max(x, [0, 3, 4])
    assert np.isnan(y[0]).all() and np.array_equal(y[1], [5, 6])
    dx = ops.segment_max_backward(np.ones((2, 2)), x, [0, 3, 4])
    assert np.array_equal(dx, [[0, 1], [1, 0], [0, 0], [1, 1]])
    assert np.array_equal(np.isnan(ops.segment_sum(x, [0, 2, 4])), [[True, True], [False, True]])
    assert np.isnan(ops.segment_softmax(x, [0, 3, 4])[:3]).all() and np.array_equal(
        ops.segment_softmax(x, [0, 3, 4])[3], [1, 1]
    )


def test_any_layout_gives_the_same_bits(rng):
    index, offsets, _ = draw_lists([3, 0, 1, 4, 2], 9, 1)
    x = rng.standard_normal((9, 5))
    expected = ops.gather_sum(x, index, offsets), ops.gather_max(x, index, offsets), ops.segment_mean(x, [0, 4, 9])
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    raw[...] = x
    wide = np.zeros((18, 10))
    wide[::2, ::2] = x
    x.flags.writeable = False
    for other in (x, raw, wide[::2, ::2], np.asfortranarray(x), x[::-1].copy()[::-1], x[:, ::-1].copy()[:, ::-1]):
        found = ops.gather_sum(other, index, offsets), ops.gather_max(other, index, offsets)
        for a, b in zip((*found, ops.segment_mean(other, [0, 4, 9])), expected, strict=True):
            assert np.array_equal(a, b)
    for kind in (np.uint8, np.int16, np.int64, np.uint64, list):
        more = (index.tolist(), offsets.tolist()) if kind is list else (index.astype(kind), offsets.astype(kind))
        assert np.array_equal(ops.gather_sum(x, *more), expected[0])


@pytest.mark.at_one_level
def test_errors_say_where(backend):
    x, dy = backend.array(np.ones((4, 2), np.float32)), backend.array(np.ones((2, 2), np.float32))
    for number in (4, -1, 2**32, 2**63 - 1):
        with pytest.raises(ValueError, match=rf"gather_sum: index must be from 0 to 3.*index\[1\] is {number}"):
            ops.gather_sum(x, np.array([0, number]), [0, 2])
    for offsets, where in (([1, 2], 0), ([0, 3, 2], 1), ([0, 1], 1), ([0, 3], 1), ([0, -1, 2], 1)):
        with pytest.raises(ValueError, match=rf"gather_sum: offsets must ascend from 0 to 2.*offsets\[{where}\] is"):
            ops.gather_sum(x, [0, 1], offsets)
    with pytest.raises(ValueError, match=r"segment_max: offsets must ascend from 0 to 4, the number of rows of values"):
        ops.segment_max(x, [0, 5])
    for wrong in (np.zeros((2, 2), int), np.zeros((), int)):
        with pytest.raises(ValueError, match="one axis"):
            ops.gather_rows(x, wrong)
    for wrong in ([0.0], np.zeros(3), "x", [True]):
        with pytest.raises(TypeError, match="index must be whole numbers"):
            ops.gather_rows(x, wrong)
    with pytest.raises(ValueError, match="offsets must have one axis and one element more"):
        ops.segment_sum(x, [])
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 2\), got \(4, 2\)"):
        ops.segment_max_backward(x, x, [0, 2, 4])
    with pytest.raises(ValueError, match="dy must have a row for each of the 3 segments"):
        ops.segment_sum_backward(dy, [0, 1, 2, 3], 3)
    with pytest.raises(TypeError, match="gather_sum: transposed must be"):
        functional.gather_sum(x, [0], [0, 1], transposed=3)
    backend.get(ops.segment_sum(x, [0, 4]))


def test_what_the_caller_writes_later_changes_no_gradient(rng):
    index, offsets = np.array([0, 1, 1, 2]), np.array([0, 2, 4])
    x = ct.Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    y = functional.gather_sum(x, index, offsets)
    index[:], offsets[1] = 0, 1
    y.sum().backward()
    assert np.array_equal(x.grad, [[1, 1], [2, 2], [1, 1]])


def test_like_pytorch(rng):
    torch = pytest.importorskip("torch")
    index, offsets, _ = draw_lists([3, 1, 4, 2], 7, 2)
    x = rng.standard_normal((7, 5))
    ours, theirs = ct.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    owner = torch.from_numpy(np.repeat(np.arange(4), np.diff(offsets)))
    a = functional.gather_sum(ours, index, offsets)
    b = torch.zeros(4, 5, dtype=torch.float64).index_add(0, owner, theirs[torch.from_numpy(index).long()])
    weights = functional.segment_softmax(functional.gather_rows(ours, index), offsets)
    scores = theirs[torch.from_numpy(index).long()]
    soft = torch.cat([torch.softmax(part, 0) for part in torch.split(scores, np.diff(offsets).tolist())])
    ((a * a).sum() + (weights * weights).sum()).backward()
    ((b * b).sum() + (soft * soft).sum()).backward()
    assert np.allclose(a.numpy(), b.detach().numpy()) and np.allclose(weights.numpy(), soft.detach().numpy())
    assert np.allclose(ours.grad, theirs.grad.numpy())
