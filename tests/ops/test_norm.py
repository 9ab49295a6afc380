"""Tests of batch and layer normalization against float64 oracles; hard statistics, gradients, layouts, threads, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.agreement import FLOATS, same_as_cpu, same_at_fma_levels, same_with_threads
from tests.reference import norm as reference
from tests.reference.gradients import directional

CHANNELS = [1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 65, 130]
ROWS = [1, 2, 3, 63, 64, 65, 127, 129, 211]


def parameters(rng, channels, dtype):
    return [rng.standard_normal(channels).astype(dtype) for _ in range(2)]


@given(
    rows=st.sampled_from(ROWS), channels=st.sampled_from(CHANNELS), double=st.booleans(),
    relu=st.booleans(), inference=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_agrees_with_the_oracle_and_the_cpu(backend, rows, channels, double, relu, inference, seed):
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    channels = min(channels, 17 if backend.device == "host" else 130)  # more of them take the shim long
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((rows, channels)) * 3 + rng.standard_normal(channels)).astype(dtype)
    gamma, beta = parameters(rng, channels, dtype)
    eps, activation = 1e-3, "relu" if relu else None
    given_ = (
        [rng.standard_normal(channels).astype(dtype), (rng.random(channels) + 0.1).astype(dtype)] if inference else []
    )
    options = {"eps": eps, "activation": activation}
    y, mean, var = found = backend.run(ct.ops.batch_norm, x, gamma, beta, *given_, **options)
    assert all(map(same_as_cpu, found, ct.ops.batch_norm(x, gamma, beta, *given_, **options)))
    exact_mean, exact_var = given_ if inference else reference.moments(x)
    unit = np.finfo(dtype).eps
    span = np.abs(x).max(axis=0).astype(np.float64)
    assert np.all(np.abs(mean - exact_mean) <= 2 * unit * span)
    assert np.all(np.abs(var - exact_var) <= 64 * unit * exact_var + 4 * (unit * span) ** 2)
    # From here the statistics that were used: they are outputs of their own.
    mean64, var64 = mean.astype(np.float64), var.astype(np.float64)
    exact = reference.batch_norm(x, gamma, beta, mean64, var64, eps, relu)
    size = (span + np.abs(mean64)) / np.sqrt(var64 + eps) * np.abs(gamma) + np.abs(beta)
    assert y.dtype == dtype and np.all(np.abs(y - exact) <= 4 * unit * size)
    dy = rng.standard_normal(x.shape).astype(dtype)
    arguments = (dy, x, gamma, beta, mean, var)
    options["batch_statistics"] = not inference
    results = backend.run(ct.ops.batch_norm_backward, *arguments, **options)
    assert all(map(same_as_cpu, results, ct.ops.batch_norm_backward(*arguments, **options)))
    none, *less = backend.run(ct.ops.batch_norm_backward, *arguments, **options, input_gradient=False)
    assert none is None and all(map(np.array_equal, less, results[1:]))
    if relu and np.any(np.abs(exact[exact != 0]) < 1e-5):
        return  # on the edge either side is right
    expected = reference.batch_norm_backward(
        dy, x, gamma.astype(np.float64), beta, mean64, var64, eps, relu, not inference
    )
    for name, a, b in zip(("dx", "dgamma", "dbeta"), results, expected, strict=True):
        assert a.shape == b.shape and np.allclose(a, b, rtol=0, atol=100 * unit * (1 + np.abs(b).max() + rows)), name


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_nothing_cancels_where_the_mean_is_far_from_zero(backend, rng, offset):
    x = (rng.standard_normal((3001, 5)) + offset).astype(np.float32)
    _, mean, var = backend.run(ct.ops.batch_norm, x, np.ones(5, np.float32), np.zeros(5, np.float32))
    exact_mean, exact_var = reference.moments(x)
    assert np.allclose(mean, exact_mean, rtol=1e-7) if offset else np.allclose(mean, exact_mean, atol=1e-6)
    assert np.allclose(var, exact_var, rtol=1e-5)


def test_constant_columns_and_outliers(backend):
    x = np.full((1000, 3), 1e5 + 0.5, np.float32)
    x[0, 1] = 1e7
    y, _, var = backend.run(ct.ops.batch_norm, x, np.ones(3, np.float32), np.full(3, 2, np.float32))
    assert var[0] == 0 and np.all(y[:, [0, 2]] == 2)
    assert np.isclose(var[1], reference.moments(x)[1][1], rtol=1e-5)
    x[5, 2] = np.nan
    y, mean, var = backend.run(ct.ops.batch_norm, x, np.ones(3, np.float32), np.zeros(3, np.float32), activation="relu")
    assert np.isnan(mean[2]) and np.isnan(var[2]) and np.isnan(y[:, 2]).all() and np.isfinite(y[:, :2]).all()


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("training", [True, False])
def test_gradients(backend, rng, activation, training):
    x, dy = rng.standard_normal((2, 5, 7, 6)), rng.standard_normal((2, 5, 7, 6))
    gamma, beta = parameters(rng, 6, np.float64)
    fixed = () if training else (rng.standard_normal(6), rng.random(6) + 0.5)
    _, mean, var = ct.ops.batch_norm(x, gamma, beta, *fixed)
    gradients = ct.ops.batch_norm_backward(
        dy, x, gamma, beta, mean, var, batch_statistics=training, activation=activation
    )
    value = lambda a, g, b: np.sum(dy * ct.ops.batch_norm(a, g, b, *fixed, activation=activation)[0])  # noqa: E731
    slope, claimed = directional(value, [x, gamma, beta], gradients, rng, h=1e-7)
    assert np.isclose(slope, claimed, rtol=1e-5, atol=1e-6)


def everything(x, dy, gamma, beta):
    forward = ct.ops.batch_norm(x, gamma, beta, activation="relu")
    return *forward, *ct.ops.batch_norm_backward(dy, x, gamma, beta, *forward[1:], activation="relu")


@pytest.mark.on_the_cpu
def test_bits_do_not_depend_on_threads_nor_on_other_rows_in_inference(backend, rng):
    x, dy = (rng.standard_normal((9, 31, 31, 35)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 35, np.float32)
    y, mean, var, *_ = same_with_threads(lambda: everything(x, dy, gamma, beta))
    assert np.array_equal(ct.ops.batch_norm(x[4:5, 7:8], gamma, beta, mean, var, activation="relu")[0], y[4:5, 7:8])


def test_fma_levels_agree_to_the_bit(rng):
    x, dy = (rng.standard_normal((201, 45)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 45, np.float32)
    same_at_fma_levels(lambda: everything(x, dy, gamma, beta))


def test_layouts(backend, rng):
    x = rng.standard_normal((12, 20)).astype(np.float32)
    gamma, beta = parameters(rng, 20, np.float32)
    y = ct.ops.batch_norm(x, gamma, beta)[0]
    square = backend.run(ct.ops.batch_norm, x.reshape(3, 2, 2, 20), gamma, beta)[0]
    assert same_as_cpu(square.reshape(12, 20), y)
    on, scale = backend.array(x), backend.array(np.stack([gamma, beta], axis=1))[:, 0]
    expected = ct.ops.batch_norm(x[::2, ::-3].copy(), gamma[:7], beta[:7])
    found = ct.ops.batch_norm(on[::2, ::-3], scale[:7], backend.array(beta[:7]))
    assert all(map(same_as_cpu, map(backend.get, found), expected))


@pytest.mark.on_the_cpu
def test_memory_in_any_order_and_read_only(backend, rng):
    x, dy = (rng.standard_normal((12, 20)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 20, np.float32)
    y, mean, var = ct.ops.batch_norm(x, gamma, beta)
    gradients = ct.ops.batch_norm_backward(dy, x, gamma, beta, mean, var)
    frozen = x.copy()
    frozen.flags.writeable = False
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    strided = np.stack([gamma, beta], axis=1)[:, 0]
    for other in (np.asfortranarray(x), x[::-1].copy()[::-1], frozen, raw):
        assert np.array_equal(ct.ops.batch_norm(other, strided, beta)[0], y)
        again = ct.ops.batch_norm_backward(np.asfortranarray(dy), other, strided, beta, mean, var)
        assert all(np.array_equal(a, b) for a, b in zip(again, gradients, strict=True))


def test_no_rows_and_no_channels():
    none = np.zeros(0, np.float32)
    assert ct.ops.batch_norm(np.zeros((5, 0), np.float32), none, none)[0].shape == (5, 0)
    c = np.ones(3, np.float32)
    assert ct.ops.batch_norm(np.zeros((0, 3), np.float32), c, c, c, c)[0].shape == (0, 3)
    empty = np.zeros((0, 3), np.float32)
    dx, dgamma, dbeta = ct.ops.batch_norm_backward(empty, empty, c, c, c, c)
    assert dx.shape == (0, 3) and not dgamma.any() and not dbeta.any()


@pytest.mark.on_the_cpu
def test_against_pytorch(backend, rng):
    torch = pytest.importorskip("torch")
    x, dy = (rng.standard_normal((4, 9, 8, 19)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 19, np.float32)
    tensors = [torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(gamma), torch.from_numpy(beta)]
    for t in tensors:
        t.requires_grad_()
    theirs = torch.nn.functional.batch_norm(tensors[0], None, None, tensors[1], tensors[2], True)
    y, mean, var = ct.ops.batch_norm(x, gamma, beta)
    assert np.allclose(y, theirs.detach().permute(0, 2, 3, 1).numpy(), atol=2e-6)
    expected = torch.autograd.grad(theirs, tensors, torch.from_numpy(dy).permute(0, 3, 1, 2))
    ours = ct.ops.batch_norm_backward(dy, x, gamma, beta, mean, var)
    assert np.allclose(ours[0], expected[0].permute(0, 2, 3, 1).numpy(), atol=1e-5)
    assert all(np.allclose(a, b.numpy(), atol=1e-4) for a, b in zip(ours[1:], expected[1:], strict=True))


@pytest.mark.at_one_level
@pytest.mark.parametrize(
    "shapes, options, error, words",
    [
        ([3, 3, 3], {}, ValueError, "two axes or more"),
        ([(2, 3), 2, 3], {}, ValueError, r"gamma must have shape \(3,\)"),
        ([(2, 3), 3, 3, 3], {}, ValueError, "both mean and var"),
        ([(0, 3), 3, 3], {}, ValueError, "no rows"),
        ([(2, 3), 3, 3], {"eps": 0}, ValueError, "eps must be above 0"),
        ([(2, 3), 3, 3], {"activation": "tanh"}, ValueError, "activation must be"),
    ],
)  # fmt: skip
def test_bad_input(backend, shapes, options, error, words):
    with pytest.raises(error, match=words):
        backend.run(ct.ops.batch_norm, *(np.ones(shape, np.float32) for shape in shapes), **options)
    x, one = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    assert np.all(backend.run(ct.ops.batch_norm, x, one, one)[0] == 1)


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="one dtype"):
        ct.ops.batch_norm(np.ones((2, 3)), np.ones(3, np.float32), np.ones(3))
    with pytest.raises(TypeError, match="float32 or float64, got int64"):
        ct.ops.batch_norm(np.ones((2, 3), int), np.ones(3), np.ones(3))


WIDTHS = [1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 300]


def layer_norm_and_gradients(run, x, dy, gamma, beta, **options):
    y = run(ct.ops.layer_norm, x, gamma, beta, **options)
    return [y, *run(ct.ops.layer_norm_backward, dy, x, gamma, **options)]


@given(
    rows=st.sampled_from(ROWS), channels=st.sampled_from(WIDTHS), double=st.booleans(), offset=st.sampled_from([0, 30]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_layer_norm_agrees_with_the_oracle_and_the_cpu(backend, rows, channels, double, offset, seed):
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    rows, channels = (min(rows, 65), min(channels, 65)) if backend.device == "host" else (rows, channels)
    rng = np.random.default_rng(seed)
    x, dy = ((rng.standard_normal((rows, channels)) * 3 + offset).astype(dtype) for _ in range(2))
    gamma, beta = parameters(rng, channels, dtype)
    eps, unit = 1e-3, np.finfo(dtype).eps
    y, *gradients = found = layer_norm_and_gradients(backend.run, x, dy, gamma, beta, eps=eps)
    expected = layer_norm_and_gradients(lambda f, *a, **k: f(*a, **k), x, dy, gamma, beta, eps=eps)
    assert all(map(same_as_cpu, found, expected))
    none, *less = backend.run(ct.ops.layer_norm_backward, dy, x, gamma, eps=eps, input_gradient=False)
    assert none is None and all(map(np.array_equal, less, gradients[1:]))
    # An error of an epsilon in x moves h by that much times the inverse deviation.
    inverse = 1 / np.sqrt(x.astype(np.float64).var(-1, keepdims=True) + eps)
    moved = unit * (4 * np.abs(x).max(-1, keepdims=True) * inverse + 8 * np.sqrt(channels))
    exact = reference.layer_norm(x, gamma.astype(np.float64), beta, eps)
    assert y.dtype == dtype and np.all(np.abs(y - exact) <= moved * np.abs(gamma) + 4 * unit * np.abs(beta))
    dx, dgamma, dbeta = reference.layer_norm_backward(dy, x, gamma.astype(np.float64), eps)
    size = np.abs(dy * gamma).max(-1, keepdims=True).astype(np.float64)
    assert np.all(
        np.abs(gradients[0] - dx) <= (channels + 2) * size * inverse * (moved * np.sqrt(channels) + 16 * unit)
    )
    assert np.all(np.abs(gradients[1] - dgamma) <= (np.abs(dy) * (moved + 64 * unit * np.sqrt(channels))).sum(0))
    assert np.all(np.abs(gradients[2] - dbeta) <= 64 * unit * np.abs(dy.astype(np.float64)).sum(0))


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_layer_norm_cancels_nothing_where_the_mean_is_far_from_zero(backend, rng, offset):
    x = (rng.standard_normal((5, 301)) + offset).astype(np.float32)
    y = backend.run(ct.ops.layer_norm, x)
    # The mean is rounded to float32, as x is: half a unit in its last place, of a deviation of 1.
    assert np.all(np.abs(y - reference.layer_norm(x, 1, 0, 1e-5)) <= 1e-5 + 0.6 * np.spacing(np.float32(offset)))
    assert np.all(np.abs(y.astype(np.float64).std(-1) - 1) < 1e-5)


def test_constant_rows_give_beta_and_a_nan_stays_in_its_row(backend, rng):
    x = np.full((4, 37), 1e5 + 0.3, np.float32)
    x[1, 5], x[2, 36] = np.nan, np.inf
    beta = rng.standard_normal(37).astype(np.float32)
    y = backend.run(ct.ops.layer_norm, x, np.ones(37, np.float32), beta, eps=1e-12)
    assert np.array_equal(y[0], beta) and np.array_equal(y[3], beta) and np.isnan(y[1:3]).all()


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("shape", [(6,), (7, 5), (2, 3, 40), (70, 33)])
def test_gradients_of_layer_norm(backend, rng, shape):
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta = parameters(rng, shape[-1], np.float64)
    gradients = ct.ops.layer_norm_backward(dy, x, gamma)
    value = lambda a, g, b: np.sum(dy * ct.ops.layer_norm(a, g, b))  # noqa: E731
    slope, claimed = directional(value, [x, gamma, beta], gradients, rng)
    assert np.isclose(slope, claimed, rtol=1e-6, atol=1e-6)


@given(rows=st.integers(1, 300), channels=st.integers(1, 400), double=st.booleans(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_layer_norm_has_the_same_bits_at_all_levels_with_any_threads_and_in_any_batch(rows, channels, double, seed):
    rng = np.random.default_rng(seed)
    dtype = np.float64 if double else np.float32
    x, dy = (rng.standard_normal((rows, channels)).astype(dtype) for _ in range(2))
    gamma, beta = parameters(rng, channels, dtype)
    run = lambda rows: layer_norm_and_gradients(lambda f, *a: f(*a), x[rows], dy[rows], gamma, beta)  # noqa: E731
    level, results = _core.get_cpu_level(), []
    try:
        for name in _core.build_info()["cpu_levels"]:  # the portable one too: nothing is fused
            _core.set_cpu_level(name)
            results.append(same_with_threads(lambda: run(slice(None)), (1, 2, 3, 7)))
    finally:
        _core.set_cpu_level(level)
    for other in results[1:]:
        assert all(map(np.array_equal, results[0], other))
    first = int(rng.integers(0, rows))
    part = slice(first, int(rng.integers(first, rows)) + 1)
    assert all(np.array_equal(a, b[part]) for a, b in zip(run(part)[:2], results[0][:2], strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
def test_layer_norm_takes_any_axes_strides_and_no_scale(backend, rng, dtype):
    x = rng.standard_normal((6, 4, 20)).astype(dtype)
    one, zero = np.ones(20, dtype), np.zeros(20, dtype)
    y = ct.ops.layer_norm(x, one, zero)
    assert same_as_cpu(backend.run(ct.ops.layer_norm, x), y)
    assert same_as_cpu(backend.run(ct.ops.layer_norm, x.reshape(24, 20)).reshape(x.shape), y)
    assert same_as_cpu(backend.run(ct.ops.layer_norm, x[2, 3]), y[2, 3])
    on, expected = backend.array(x), ct.ops.layer_norm(x[::2, 1:, ::-3].copy())
    assert same_as_cpu(backend.get(ct.ops.layer_norm(on[::2, 1:, ::-3])), expected)
    found, wanted = backend.run(ct.ops.layer_norm_backward, y, x), ct.ops.layer_norm_backward(y, x, one)
    assert all(map(same_as_cpu, found, wanted))


@pytest.mark.on_the_cpu
def test_layer_norm_takes_memory_in_any_order_and_read_only(backend, rng):
    x, dy = (rng.standard_normal((12, 45)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 45, np.float32)
    expected = layer_norm_and_gradients(backend.run, x, dy, gamma, beta)
    frozen = x.copy()
    frozen.flags.writeable = False
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    for other in (np.asfortranarray(x), x[::-1].copy()[::-1], frozen, raw):
        assert all(map(np.array_equal, layer_norm_and_gradients(backend.run, other, dy, gamma, beta), expected))


def test_layer_norm_of_no_rows_and_no_channels():
    empty, c = np.zeros((0, 3), np.float32), np.ones(3, np.float32)
    assert ct.ops.layer_norm(empty, c, c).shape == (0, 3) and ct.ops.layer_norm(np.zeros((5, 0))).shape == (5, 0)
    dx, dgamma, dbeta = ct.ops.layer_norm_backward(empty, empty, c)
    assert dx.shape == (0, 3) and not dgamma.any() and not dbeta.any()
    assert [a.shape for a in ct.ops.layer_norm_backward(np.zeros((5, 0)), np.zeros((5, 0)))] == [(5, 0), (0,), (0,)]


@pytest.mark.on_the_cpu
def test_layer_norm_against_pytorch(backend, rng):
    torch = pytest.importorskip("torch")
    x, dy = (rng.standard_normal((4, 9, 119)).astype(np.float32) for _ in range(2))
    gamma, beta = parameters(rng, 119, np.float32)
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, gamma, beta)]
    theirs = torch.nn.functional.layer_norm(tensors[0], (119,), *tensors[1:])
    expected = [theirs.detach(), *torch.autograd.grad(theirs, tensors, torch.from_numpy(dy))]
    ours = layer_norm_and_gradients(backend.run, x, dy, gamma, beta)
    assert all(np.allclose(a, b.numpy(), atol=2e-5) for a, b in zip(ours, expected, strict=True))


@pytest.mark.at_one_level
@pytest.mark.parametrize(
    "shapes, options, words",
    [
        ([(), ()], {}, "one axis or more"),
        ([(2, 3), 2], {}, r"layer_norm: gamma must have shape \(3,\)"),
        ([(2, 3), 3, (1, 3)], {}, r"layer_norm: beta must have shape \(3,\)"),
        ([(2, 3), 3, 3], {"eps": 0}, "layer_norm: eps must be above 0"),
    ],
)  # fmt: skip
def test_layer_norm_refuses_bad_input(backend, shapes, options, words):
    with pytest.raises(ValueError, match=words):
        backend.run(ct.ops.layer_norm, *(np.ones(shape, np.float32) for shape in shapes), **options)
    x = np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match="layer_norm_backward: dy and x must have equal shapes"):
        backend.run(ct.ops.layer_norm_backward, x[:2], x)
    assert np.all(backend.run(ct.ops.layer_norm, x) == 0)


@given(
    rows=st.sampled_from(ROWS), channels=st.sampled_from(WIDTHS), double=st.booleans(), seed=st.integers(0, 2**32 - 1)
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rms_norm_agrees_with_the_oracle_and_the_cpu(backend, rows, channels, double, seed):
    dtype = np.float64 if double and backend.device == "cpu" else np.float32
    rows, channels = (min(rows, 65), min(channels, 65)) if backend.device == "host" else (rows, channels)
    rng = np.random.default_rng(seed)
    x, dy = ((rng.standard_normal((rows, channels)) * 3 + 1).astype(dtype) for _ in range(2))
    gamma, unit = parameters(rng, channels, dtype)[0], np.finfo(dtype).eps
    y = backend.run(ct.ops.rms_norm, x, gamma, eps=1e-3)
    dx, dgamma = backend.run(ct.ops.rms_norm_backward, dy, x, gamma, eps=1e-3)
    expected = ct.ops.rms_norm(x, gamma, eps=1e-3), *ct.ops.rms_norm_backward(dy, x, gamma, eps=1e-3)
    assert all(map(same_as_cpu, (y, dx, dgamma), expected))
    none, again = backend.run(ct.ops.rms_norm_backward, dy, x, gamma, eps=1e-3, input_gradient=False)
    assert none is None and np.array_equal(again, dgamma)
    exact = reference.rms_norm(x, gamma, 1e-3)
    assert y.dtype == dtype and np.all(np.abs(y - exact) <= 8 * unit * np.abs(exact))
    exact_dx, exact_dgamma = reference.rms_norm_backward(dy, x, gamma, 1e-3)
    inverse = 1 / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-3)
    size = np.abs(dy * gamma).max(-1, keepdims=True) * inverse
    assert np.all(np.abs(dx - exact_dx) <= 64 * unit * size * (1 + np.abs(x) * inverse) * np.sqrt(channels))
    assert np.all(np.abs(dgamma - exact_dgamma) <= 64 * unit * (np.abs(dy * x) * inverse).sum(0))


@given(rows=st.integers(1, 200), channels=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_rms_norm_has_the_same_bits_at_all_levels(rows, channels, seed):
    rng, found, before = np.random.default_rng(seed), [], _core.get_cpu_level()
    x, dy = (rng.standard_normal((rows, channels)).astype(np.float32) for _ in range(2))
    gamma = parameters(rng, channels, np.float32)[0]
    try:
        for level in _core.build_info()["cpu_levels"]:
            _core.set_cpu_level(level)
            found.append([ct.ops.rms_norm(x, gamma), *ct.ops.rms_norm_backward(dy, x, gamma)])
    finally:
        _core.set_cpu_level(before)
    assert all(all(map(np.array_equal, other, found[0])) for other in found)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("shape", [(6,), (7, 5), (2, 3, 40)])
def test_gradients_of_rms_norm_and_pytorchs_epsilon(backend, rng, shape):
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma = parameters(rng, shape[-1], np.float64)[0]
    gradients = ct.ops.rms_norm_backward(dy, x, gamma)
    slope, claimed = directional(lambda a, g: np.sum(dy * ct.ops.rms_norm(a, g)), [x, gamma], gradients, rng)
    assert np.isclose(slope, claimed, rtol=1e-6, atol=1e-6)
    torch = pytest.importorskip("torch")
    small = (x * 1e-7).astype(np.float32)
    theirs = torch.nn.functional.rms_norm(torch.from_numpy(small), shape[-1:])
    assert np.allclose(ct.ops.rms_norm(small), theirs.numpy(), rtol=1e-5)
