"""Tests of attention against a float64 oracle and PyTorch: lengths, causal, layouts, gradients, bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.agreement import same_at_fma_levels, same_with_threads
from tests.reference import attention as reference
from tests.reference.gradients import directional

STEPS = [0, 1, 2, 5, 6, 7, 17, 31, 32, 33, 65, 66, 67, 131]
WIDTHS = [1, 3, 8, 15, 16, 17, 33, 64, 65, 80]
SLOWLY = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def arrays(rng, n, heads, queries, keys, width, value_width, dtype=np.float32):
    """q, k, v and dy."""
    shapes = ((queries, width), (keys, width), (keys, value_width), (queries, value_width))
    return [rng.standard_normal((n, heads, *shape)).astype(dtype) for shape in shapes]


def both_ways(run, q, k, v, dy, **options):
    """y, dq, dk and dv, by a function that runs a function."""
    y, statistics = run(ct.ops.attention_forward, q, k, v, **options)
    return [y, *run(ct.ops.attention_backward, dy, q, k, v, y, statistics, **options)]


def plainly(function, *args, **options):
    return function(*args, **options)


def agrees(found, expected, unit, q, k, v, dy):
    """Whether results are as near to the oracle's as sums of float numbers of this size can be."""
    score = 1 + np.abs(q).max(initial=0) * np.abs(k).max(initial=0) * np.sqrt(q.shape[3])
    near = unit * 16 * score * (1 + np.sqrt(max(q.shape[2], k.shape[2])))
    size = [np.abs(v).max(initial=1)] + [
        np.abs(dy).max(initial=1) * np.abs(v).max(initial=1) * v.shape[3] * (1 + np.abs(other).max(initial=0))
        for other in (k, q, dy)
    ]
    return all(
        a.shape == b.shape and np.all(np.abs(a - b) <= near * s) for a, b, s in zip(found, expected, size, strict=True)
    )


@given(
    n=st.integers(0, 3), heads=st.integers(1, 3), queries=st.sampled_from(STEPS), keys=st.sampled_from(STEPS),
    width=st.sampled_from(WIDTHS), value_width=st.sampled_from(WIDTHS), causal=st.booleans(), padded=st.booleans(),
    double=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=80, **SLOWLY)
def test_agrees_with_the_oracle(backend, n, heads, queries, keys, width, value_width, causal, padded, double, seed):
    if backend.device == "host":  # the shim is slow
        n, heads, queries, keys, width, value_width = (min(a, b) for a, b in (
            (n, 2), (heads, 2), (queries, 33), (keys, 67), (width, 33), (value_width, 33)))  # fmt: skip
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    rng = np.random.default_rng(seed)
    q, k, v, dy = arrays(rng, n, heads, queries, keys, width, value_width, dtype)
    options = {"causal": causal, "scale": 0.3}
    if padded:
        options |= {"lengths": rng.integers(0, keys + 1, n), "query_lengths": rng.integers(0, queries + 1, n)}
    found = both_ways(backend.run, q, k, v, dy, **options)
    assert all(a.dtype == dtype for a in found)
    assert agrees(found, reference.attention(q, k, v, dy, **options), np.finfo(dtype).eps, q, k, v, dy), options
    assert np.array_equal(backend.run(ct.ops.attention, q, k, v, **options), found[0])


@pytest.mark.on_the_cpu
@pytest.mark.parametrize(
    "queries, keys, causal",
    [(513, 512, True), (40, 1100, False), (1030, 1030, True), (4100, 20, False), (4200, 300, True)],
)
def test_long_sequences_go_by_blocks_of_keys_and_chains_of_queries(backend, rng, queries, keys, causal):
    q, k, v, dy = arrays(rng, 1, 1, queries, keys, 9, 5)
    q *= 3  # so that later blocks raise the maximum
    found = both_ways(plainly, q, k, v, dy, causal=causal)
    assert agrees(found, reference.attention(q, k, v, dy, causal=causal), np.finfo(np.float32).eps, q, k, v, dy)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("queries, keys", [(5, 7), (70, 70), (300, 600)])
def test_gradients(backend, rng, queries, keys, causal):
    q, k, v, dy = arrays(rng, 2, 2, queries, keys, 4, 3, np.float64)
    options = {"causal": causal, "lengths": [keys, keys // 2], "query_lengths": [queries // 2, queries]}
    _, *gradients = both_ways(plainly, q, k, v, dy, **options)
    value = lambda *given: float(np.sum(dy * ct.ops.attention(*given, **options)))  # noqa: E731
    slope, claimed = directional(value, [q, k, v], gradients, rng)
    assert np.isclose(slope, claimed, rtol=1e-6, atol=1e-6)


@given(
    queries=st.integers(1, 90), keys=st.integers(1, 700), width=st.integers(1, 70), causal=st.booleans(),
    double=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=25, deadline=None, derandomize=True)
def test_bits_do_not_depend_on_threads_levels_batch_or_padding(queries, keys, width, causal, double, seed):
    rng = np.random.default_rng(seed)
    dtype = np.float64 if double else np.float32
    q, k, v, dy = arrays(rng, 3, 2, queries, keys, width, int(rng.integers(1, 70)), dtype)
    options = {
        "causal": causal,
        "lengths": rng.integers(1, keys + 1, 3),
        "query_lengths": rng.integers(1, queries + 1, 3),
    }
    whole = same_with_threads(lambda: both_ways(plainly, q, k, v, dy, **options), (1, 2, 3, 7))
    for n, (i, j) in enumerate(zip(options["query_lengths"], options["lengths"], strict=True)):
        at, of = (slice(n, n + 1), slice(1, 2), slice(0, i)), (slice(n, n + 1), slice(1, 2), slice(0, j))
        alone = both_ways(plainly, q[at], k[of], v[of], dy[at], causal=causal)
        for a, b, part in zip(alone, whole, (at, at, of, of), strict=True):
            assert np.array_equal(a, b[part])
    if set(_core.build_info()["cpu_levels"]) >= {"avx2", "avx512"}:
        same_at_fma_levels(lambda: both_ways(plainly, q, k, v, dy, **options))


@pytest.mark.on_the_cpu
def test_a_query_has_the_same_bits_by_itself_and_among_the_keys_it_sees(backend, rng):
    q, k, v, _ = arrays(rng, 1, 2, 600, 600, 33, 20)
    y = ct.ops.attention(q, k, v, causal=True)
    for i in (0, 5, 64, 511, 512, 599):
        alone = ct.ops.attention(q[:, :, i : i + 1], k[:, :, : i + 1], v[:, :, : i + 1])
        assert np.array_equal(alone, y[:, :, i : i + 1]), i


def test_parts_of_one_projection_are_read_and_written_in_place(backend, rng):
    x, dy = (
        rng.standard_normal((2, 5, 3, 4, 6)).astype(np.float32),
        rng.standard_normal((2, 4, 5, 6)).astype(np.float32),
    )
    on = backend.array(x)
    parts = [on[:, :, i].transpose(0, 2, 1, 3) for i in range(3)]
    y, statistics = ct.ops.attention_forward(*parts, causal=True)
    dx = backend.array(np.full(x.shape, np.nan, np.float32))
    out = tuple(dx[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    made = ct.ops.attention_backward(backend.array(dy), *parts, y, statistics, causal=True, out=out)
    assert all(a is b for a, b in zip(made, out, strict=True))
    q, k, v = (np.ascontiguousarray(x[:, :, i].transpose(0, 2, 1, 3)) for i in range(3))
    expected = both_ways(backend.run, q, k, v, dy, causal=True)
    found = backend.get(dx)
    assert np.array_equal(backend.get(y), expected[0])
    for i in range(3):
        assert np.array_equal(found[:, :, i].transpose(0, 2, 1, 3), expected[1 + i])


@pytest.mark.on_the_cpu
def test_memory_in_any_order_and_read_only(backend, rng):
    q, k, v, dy = arrays(rng, 2, 3, 20, 30, 17, 9)
    expected = both_ways(plainly, q, k, v, dy)
    raw = np.zeros(q.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(q.shape)
    raw[...] = q
    frozen = q.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(q), q[::-1, :, ::-1].copy()[::-1, :, ::-1], frozen, raw):
        found = both_ways(plainly, other, np.asfortranarray(k), v[:, ::-1].copy()[:, ::-1], np.asfortranarray(dy))
        assert all(map(np.array_equal, found, expected))


def test_what_is_not_there_is_not_read_and_has_no_gradient(backend, rng):
    q, k, v, dy = arrays(rng, 2, 2, 9, 11, 7, 5)
    options = {"lengths": [4, 0], "query_lengths": [9, 3]}
    expected = both_ways(backend.run, q, k, v, dy, **options)
    k[0, :, 4:], v[0, :, 4:], k[1], v[1], q[1, :, 3:], dy[1, :, 3:] = (np.nan,) * 6
    found = both_ways(backend.run, q, k, v, dy, **options)
    assert all(map(np.array_equal, found, expected))
    y, dq, dk, dv = found
    assert (
        not y[1].any() and not dq[1].any() and not dk[0, :, 4:].any() and not dv[0, :, 4:].any() and dk[0, :, :4].any()
    )


def test_large_scores_do_not_overflow_and_a_nan_stays_in_its_query(backend):
    q = np.array([[[[3e3], [-3e3], [np.nan], [1]]]], np.float32)
    k = np.array([[[[1e3], [1], [-1e3]]]], np.float32)
    v = np.array([[[[1.0], [2], [4]]]], np.float32)
    y = backend.run(ct.ops.attention, q, k, v)[0, 0, :, 0]
    assert y[0] == 1 and y[1] == 4 and np.isnan(y[2]) and y[3] == 1


@pytest.mark.on_the_cpu
@given(
    n=st.integers(1, 3), heads=st.integers(1, 4), steps=st.integers(1, 80), keys=st.integers(1, 80), width=st.integers(1, 70),
    how=st.sampled_from(["all", "causal", "padded"]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=30, **SLOWLY)
def test_equals_pytorch(backend, n, heads, steps, keys, width, how, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    q, k, v, dy = arrays(rng, n, heads, steps, keys, width, width)
    options, mask = {}, None
    if how == "causal":
        options, mask = {"causal": True}, torch.from_numpy(np.tri(steps, keys, dtype=bool))
    elif how == "padded":
        options = {"lengths": rng.integers(1, keys + 1, n)}
        mask = torch.from_numpy(np.arange(keys) < options["lengths"][:, None])[:, None, None, :]
    tensors = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
    theirs = torch.nn.functional.scaled_dot_product_attention(*tensors, attn_mask=mask)
    expected = [theirs, *torch.autograd.grad(theirs, tensors, torch.from_numpy(dy))]
    expected = [t.detach().numpy() for t in expected]
    assert agrees(both_ways(plainly, q, k, v, dy, **options), expected, np.finfo(np.float32).eps, q, k, v, dy)


@pytest.mark.on_the_cpu
def test_long_sequences_take_little_memory(backend, rng):
    q, k, v, dy = arrays(rng, 1, 1, 8192, 8192, 2, 2)
    _core.release_cached_memory()
    both_ways(plainly, q, k, v, dy)
    stats = _core.cache_stats()
    assert stats["cached_bytes"] + stats["live_bytes"] < 16 << 20  # the scores are 256 MiB


@pytest.mark.at_one_level
@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"q": (2, 3, 4)}, ValueError, r"q must be \(N, heads, T, D\), got shape \(2, 3, 4\)"),
        ({"k": (2, 3, 5, 5)}, ValueError, "k must be .* with the N, the heads and the D of q"),
        ({"k": (2, 2, 5, 4)}, ValueError, "k must be .* with the N, the heads and the D of q"),
        ({"v": (2, 3, 6, 4)}, ValueError, "v must have a row for each row of k"),
        ({"v": (2, 3, 5, 0)}, ValueError, "the last axis of v must have 1 to 4096 values"),
        ({"lengths": [6, 1]}, ValueError, "lengths must be from 0 to 5, but sequence 0 has 6"),
        ({"query_lengths": [1]}, ValueError, r"query_lengths must have shape \(2,\)"),
        ({"lengths": [1.5, 2.0]}, TypeError, "lengths must be whole numbers"),
        ({"scale": 0}, ValueError, "scale must be above 0"),
        ({"causal": 2}, TypeError, "causal"),
    ],
)
def test_bad_input(backend, change, error, words):
    shapes = {"q": (2, 3, 4, 4), "k": (2, 3, 5, 4), "v": (2, 3, 5, 4)}
    given = [np.ones(change.get(name, shape), np.float32) for name, shape in shapes.items()]
    options = {name: value for name, value in change.items() if name not in shapes}
    with pytest.raises(error, match=words):
        backend.run(ct.ops.attention, *given, **options)
    assert np.all(backend.run(ct.ops.attention, *(np.ones(shape, np.float32) for shape in shapes.values())) == 1)
