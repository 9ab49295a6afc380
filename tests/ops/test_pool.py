"""Tests of pooling and upsampling against the float64 oracle; gradients, ties, NaN, layouts, threads, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.agreement import FLOATS, same_as_cpu
from tests.reference import pool as reference
from tests.reference.gradients import directional

CHANNELS = [1, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 65]
SETTINGS = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def functions(kind, dims):
    return getattr(ct.ops, f"{kind}_pool{dims}d"), getattr(ct.ops, f"{kind}_pool{dims}d_backward")


@st.composite
def configurations(draw):
    dims = draw(st.integers(1, 3))
    size = tuple(draw(st.integers(1, 4)) for _ in range(dims))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(dims))
    lengths = tuple(draw(st.integers(1, 9 if dims < 3 else 5)) for _ in range(dims))
    pairs = [(draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in size]
    padding = draw(st.sampled_from(["same", "valid", "pairs"]))
    if padding != "same":
        pairs = [(0, 0)] * dims if padding == "valid" else pairs
        lengths = tuple(max(n, k - a - b) for n, k, (a, b) in zip(lengths, size, pairs, strict=True))
    batch, channels = draw(st.integers(1, 2)), draw(st.sampled_from(CHANNELS))
    return (batch, *lengths, channels), size, stride, pairs if padding == "pairs" else padding


def pooled(backend, kind, x, dy_of, size, options):
    """Both directions on a backend, which on a device have the CPU's bits, and the gradient that was drawn for them."""
    forward, backward = functions(kind, len(size))
    y = backend.run(forward, x, size, **options)
    assert same_as_cpu(y, forward(x, size, **options)), options
    dy, about = dy_of(y.shape).astype(x.dtype), x if kind == "max" else x.shape
    dx = backend.run(backward, dy, about, size, **options)
    assert same_as_cpu(dx, backward(dy, about, size, **options)), options
    return y, dy, dx


@pytest.mark.parametrize("dtype", FLOATS)
@given(config=configurations(), seed=st.integers(0, 2**32 - 1))
@SETTINGS
def test_every_geometry_agrees_with_the_oracle_and_the_cpu(backend, dtype, config, seed):
    shape, size, stride, padding = config
    shape = (*shape[:-1], min(shape[-1], 8 if backend.device == "host" else 65))  # more channels take the shim long
    rng, eps = np.random.default_rng(seed), np.finfo(dtype).eps
    options = {"stride": stride, "padding": padding}
    for kind in ("max", "avg"):
        x = rng.integers(-3, 4, shape).astype(dtype)  # many ties
        y, dy, dx = pooled(backend, kind, x, lambda made: rng.integers(-8, 9, made), size, options)
        exact = reference.pool(kind, x, size, stride, padding)
        assert y.shape == exact.shape and y.dtype == dtype, config
        exact_dx = reference.pool_backward(kind, dy.astype(np.float64), x, size, stride, padding)
        if kind == "max":
            assert np.array_equal(y, exact) and np.array_equal(dx, exact_dx), config
        else:  # small whole numbers: the sums are exact, and each window's division rounds once
            assert np.allclose(y, exact, rtol=eps, atol=0), config
            assert np.allclose(dx, exact_dx, rtol=0, atol=64 * eps * 8), config
        x = rng.standard_normal(shape).astype(dtype)
        y, _, _ = pooled(backend, kind, x, rng.standard_normal, size, options)
        exact = reference.pool(kind, x, size, stride, padding)
        assert np.allclose(y, exact, rtol=eps, atol=0 if kind == "max" else 64 * eps), config


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("dims, lengths", [(1, (11,)), (2, (6, 7)), (3, (4, 5, 3))])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_gradients(backend, rng, dims, lengths, padding, kind):
    x = rng.permutation(2 * int(np.prod(lengths)) * 5).reshape(2, *lengths, 5) / 7.0  # no ties
    forward, backward = functions(kind, dims)
    for size, stride in ((2, 2), (3, 2), (2, 1), (2, 3)):
        options = {"stride": stride, "padding": padding}
        y = forward(x, size, **options)
        dy = rng.standard_normal(y.shape)
        dx = backward(dy, x if kind == "max" else x.shape, size, **options)
        slope, claimed = directional(lambda v, o=options, s=size, d=dy: np.sum(d * forward(v, s, **o)), [x], [dx], rng)
        assert np.isclose(slope, claimed, rtol=1e-6, atol=1e-8), (size, stride)


def test_nan_is_the_largest_and_the_first_gets_the_gradient(backend):
    nan, inf = np.nan, np.inf
    for row, largest, first in [
        ([1, nan, 3, nan], nan, 1), ([nan, 5, 6, 7], nan, 0), ([1, 2, 3, nan], nan, 3), ([-inf] * 4, -inf, 0),
        ([2, 5, 5, 1], 5, 1), ([inf, nan, inf, 0], nan, 1), ([0.0, -0.0, 0.0, -1], 0, 0),
    ]:  # fmt: skip
        for channels in (1, 16, 35, 67):
            for shape, size in (((1, 2, 2, 1), 2), ((1, 1, 4, 1), (1, 4))):
                x = np.tile(np.array(row, np.float32).reshape(shape), channels)
                y = backend.run(ct.ops.max_pool2d, x, size)
                assert np.array_equal(y, np.full_like(y, largest), equal_nan=True), (row, channels)
                dx = backend.run(ct.ops.max_pool2d_backward, np.ones_like(y), x, size).reshape(4, channels)
                assert np.array_equal(dx, np.eye(4)[:, [first] * channels]), (row, channels, size)
    x = np.ones((1, 4, 4, 3), np.float32)
    x[0, 1, 1, 2] = nan
    assert np.isnan(backend.run(ct.ops.avg_pool2d, x)).sum() == 1
    assert np.isnan(backend.run(ct.ops.avg_pool2d, x, 3, stride=1)).sum() == 4


@pytest.mark.on_the_cpu
def test_averages_are_as_exact_as_their_sums(backend, rng):
    x = (rng.standard_normal((2, 40, 50, 17)) + 100).astype(np.float32)
    exact = x.astype(np.float64).mean(axis=(1, 2))
    bound = (40 + 50) * np.finfo(np.float32).eps * np.abs(x).astype(np.float64).mean(axis=(1, 2))
    assert np.all(np.abs(ct.ops.global_avg_pool(x) - exact) <= bound)
    dy = rng.standard_normal((2, 17)).astype(np.float32)
    dx = ct.ops.global_avg_pool_backward(dy, x.shape)
    assert np.array_equal(dx, np.broadcast_to((dy / np.float32(2000))[:, None, None], x.shape))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 18), (1, 2, 3, 4, 33)])
def test_global_pooling(backend, rng, shape, dtype):
    x, dy = rng.standard_normal(shape).astype(dtype), rng.standard_normal((shape[0], shape[-1])).astype(dtype)
    axes, pixels = tuple(range(1, x.ndim - 1)), int(np.prod(shape[1:-1]))
    for missing in (False, True):
        if missing:
            x[0, 1, ..., 0] = np.nan  # the first of them gets the gradient
        largest, mean = (backend.run(f, x) for f in (ct.ops.global_max_pool, ct.ops.global_avg_pool))
        assert np.array_equal(largest, x.max(axis=axes), equal_nan=True)
        exact = x.astype(np.float64).mean(axis=axes)
        assert np.allclose(mean, exact, rtol=0, atol=10 * np.finfo(dtype).eps, equal_nan=True)
        assert same_as_cpu(mean, ct.ops.global_avg_pool(x))
        dx = backend.run(ct.ops.global_max_pool_backward, dy, x)
        assert same_as_cpu(dx, ct.ops.global_max_pool_backward(dy, x)) and np.count_nonzero(dx) == dy.size
        wide = dy.reshape(shape[0], *(1,) * len(axes), shape[-1])
        assert np.array_equal(dx.sum(axis=axes), dy) and (
            missing or np.array_equal(dx != 0, x == x.max(axes, keepdims=True))
        )
        dx = backend.run(ct.ops.global_avg_pool_backward, dy, shape)
        assert same_as_cpu(dx, ct.ops.global_avg_pool_backward(dy, shape))
        assert np.allclose(dx, np.broadcast_to(wide / pixels, shape), rtol=1e-6)


def upsampled(backend, x, dy, factor, mode):
    """Both directions on a backend, which on a device have the CPU's bits."""
    y, dx = (
        backend.run(ct.ops.upsample, x, factor, mode=mode),
        backend.run(ct.ops.upsample_backward, dy, factor, mode=mode),
    )
    assert same_as_cpu(y, ct.ops.upsample(x, factor, mode=mode))
    assert same_as_cpu(dx, ct.ops.upsample_backward(dy, factor, mode=mode))
    return y, dx


@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=3), batch=st.integers(1, 2), channels=st.sampled_from(CHANNELS),
    data=st.data(), mode=st.sampled_from(["nearest", "linear"]), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@SETTINGS
def test_upsampling_agrees_with_the_oracle_and_its_gradient_is_the_transpose(
    backend, lengths, batch, channels, data, mode, seed
):
    if backend.device == "host":
        lengths, channels = lengths[:2], min(channels, 8)  # three axes: the test below
    rng = np.random.default_rng(seed)
    factors = tuple(data.draw(st.integers(1, 5)) for _ in lengths)
    x = rng.standard_normal((batch, *lengths, channels))
    exact = reference.upsample(x, factors, mode)
    dy = rng.standard_normal(exact.shape)
    if backend.device == "cpu":
        y, dx = upsampled(backend, x, dy, factors, mode)
        assert y.shape == exact.shape and np.allclose(y, exact, rtol=1e-12, atol=1e-12)
        assert dx.shape == x.shape and np.isclose(np.sum(dx * x), np.sum(dy * y), rtol=1e-10, atol=1e-10)
    y, dx = upsampled(backend, x.astype(np.float32), dy.astype(np.float32), factors, mode)
    assert y.dtype == np.float32 and np.allclose(y, exact, rtol=1e-5, atol=1e-5)
    assert np.allclose(dx, ct.ops.upsample_backward(dy, factors, mode=mode), rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(
    "shape, factor",
    [((1, 2, 3, 2, 1), 2), ((2, 2, 1, 5, 3), (1, 3, 2)), ((1, 257, 2), 3), ((3, 5, 1, 33), (2, 4))],
    ids=str,
)
def test_upsampling_of_long_and_of_three_axes(backend, rng, shape, factor, mode):
    factors = factor if isinstance(factor, tuple) else (factor,) * (len(shape) - 2)
    x = rng.standard_normal(shape).astype(np.float32)
    exact = reference.upsample(x, factors, mode)
    dy = rng.standard_normal(exact.shape).astype(np.float32)
    y, dx = upsampled(backend, x, dy, factor, mode)
    assert np.array_equal(y, exact) if mode == "nearest" else np.allclose(y, exact, rtol=0, atol=1e-5)
    assert np.isclose(np.sum(dx.astype(float) * x), np.sum(dy * exact), rtol=1e-5, atol=1e-3)


def test_upsampling_of_views_and_of_what_is_not_finite(backend, rng):
    x = rng.standard_normal((4, 6, 5, 3)).astype(np.float32)
    x[0, 2, 1, 0], x[1, 3, 3, 1] = np.nan, np.inf
    for view in (lambda a: a[::2, ::-1, 1:4], lambda a: a.transpose(3, 2, 1, 0)):
        for run, part in ((ct.ops.upsample, slice(None)), (ct.ops.upsample_backward, slice(2))):
            given_ = x if run is ct.ops.upsample else ct.ops.upsample(x, (2, 2))
            found = run(view(backend.array(given_))[:, part, part], 2, mode="linear")
            with np.errstate(invalid="ignore"):
                assert same_as_cpu(backend.get(found), run(view(given_)[:, part, part].copy(), 2, mode="linear"))
    edge = np.array([[[np.inf], [1], [2], [-np.inf]]], np.float32)  # 0 times infinity is NaN, where the CPU has it
    with np.errstate(invalid="ignore"):
        upsampled(backend, edge, edge[:, :3], 3, "linear")
    on = backend.array(x)
    same = ct.ops.upsample(on, 1, mode="linear")
    assert same is not on and np.array_equal(backend.get(same), x, equal_nan=True)


def everything(x, dy):
    """Results of all kernels on one input."""
    y = ct.ops.max_pool2d(x), ct.ops.avg_pool2d(x, 3, stride=2, padding="same"), ct.ops.upsample(x)
    return [
        *y, ct.ops.global_avg_pool(x), ct.ops.max_pool2d_backward(dy, x), ct.ops.avg_pool2d_backward(dy, x.shape),
        ct.ops.max_pool2d_backward(y[1], x, 3, stride=2, padding="same"), ct.ops.upsample_backward(y[2]),
    ]  # fmt: skip


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("shape", [(7, 26, 26, 33), (1, 40, 40, 70)])
def test_bits_do_not_depend_on_threads_or_on_the_batch(backend, rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    dy = rng.standard_normal(ct.ops.max_pool2d(x).shape).astype(np.float32)
    before, results = ct.get_num_threads(), []
    for count in (1, 2, 3):
        ct.set_num_threads(count)
        results.append(everything(x, dy))
    ct.set_num_threads(before)
    for other in (*results[1:], everything(x[-1:], dy[-1:])):
        assert all(np.array_equal(a[-len(b) :], b) for a, b in zip(results[0], other, strict=True))


def test_fma_levels_agree_to_the_bit(rng):
    levels = [name for name in ("avx2", "avx512") if name in _core.build_info()["cpu_levels"]]
    if len(levels) < 2:
        pytest.skip("this machine has one FMA level only")
    before, results = _core.get_cpu_level(), []
    x = rng.standard_normal((3, 9, 11, 45)).astype(np.float32)
    dy = rng.standard_normal((3, 4, 5, 45)).astype(np.float32)
    for name in levels:
        _core.set_cpu_level(name)
        results.append(everything(x, dy))
    _core.set_cpu_level(before)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("shape", [(0, 4, 6, 3), (2, 4, 6, 0), (0, 4, 6, 0)])
def test_nothing_in_nothing_out(backend, shape):
    x = backend.array(np.zeros(shape, np.float32))
    n, h, w, c = shape
    for y in (ct.ops.max_pool2d(x), ct.ops.avg_pool2d(x, 3, stride=2, padding="same")):
        assert y.shape == (n, h // 2, w // 2, c)
        assert ct.ops.max_pool2d_backward(y, x).shape == ct.ops.avg_pool2d_backward(y, shape).shape == shape
    for mode in ("nearest", "linear"):
        up = ct.ops.upsample(x, 3, mode=mode)
        assert up.shape == (n, 3 * h, 3 * w, c) and ct.ops.upsample_backward(up, 3, mode=mode).shape == shape
    assert ct.ops.global_max_pool(x).shape == ct.ops.global_avg_pool(x).shape == (n, c)
    assert ct.ops.max_pool1d(backend.array(np.zeros((2, 0, 3), np.float32)), padding="same").shape == (2, 0, 3)
    assert backend.run(ct.ops.upsample, np.ones((1, 2, 2, 1), np.float32)).shape == (1, 4, 4, 1)


@pytest.mark.on_the_cpu
def test_layouts(backend, rng):
    x = rng.standard_normal((3, 8, 10, 6)).astype(np.float32)
    dy = rng.standard_normal((3, 4, 5, 6)).astype(np.float32)
    expected = everything(x, dy)
    frozen = x.copy()
    frozen.flags.writeable = False
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    wide = np.zeros((3, 8, 10, 12), np.float32)
    wide[..., ::2] = x
    for other in (np.asfortranarray(x), x[:, ::-1].copy()[:, ::-1], frozen, raw, wide[..., ::2]):
        for dy_too in (dy, np.asfortranarray(dy), dy[::-1].copy()[::-1]):
            assert all(np.array_equal(a, b) for a, b in zip(everything(other, dy_too), expected, strict=True))


@pytest.mark.on_the_cpu
def test_against_pytorch(backend, rng):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    x = rng.standard_normal((2, 9, 12, 19)).astype(np.float32)
    channels_first = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    for size, stride, padding in ((2, 2, 0), (3, 2, 1), (2, 1, 0), (3, 3, 1), (2, 3, 0)):
        options = {"stride": stride, "padding": padding}
        for ours, theirs in (
            ((ct.ops.max_pool2d, ct.ops.max_pool2d_backward, x), F.max_pool2d(channels_first, size, **options)),
            (
                (ct.ops.avg_pool2d, ct.ops.avg_pool2d_backward, x.shape),
                F.avg_pool2d(channels_first, size, count_include_pad=False, **options),
            ),
        ):
            y = ours[0](x, size, **options)
            assert np.allclose(y, theirs.detach().permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-6)
            dy = rng.standard_normal(y.shape).astype(np.float32)
            (dx,) = torch.autograd.grad(theirs, channels_first, torch.from_numpy(dy).permute(0, 3, 1, 2))
            assert np.allclose(ours[1](dy, ours[2], size, **options), dx.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    for mode, name in (("nearest", "nearest"), ("linear", "bilinear")):
        theirs = F.interpolate(channels_first, scale_factor=2, mode=name).detach().permute(0, 2, 3, 1).numpy()
        assert np.allclose(ct.ops.upsample(x, mode=mode), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ct.ops.max_pool2d([[1.0]]), TypeError, "max_pool2d: x must be a NumPy array, got list"),
        (lambda: ct.ops.max_pool2d(np.ones((1, 4, 4, 1), np.int64)), TypeError, "must be float32 or float64"),
        (lambda: ct.ops.max_pool2d(np.ones((4, 4, 1))), ValueError, r"must have 4 axes, \(N, H, W, C\), got shape \(4, 4, 1\)"),
        (lambda: ct.ops.max_pool2d(np.ones((1, 2, 5, 1)), 3), ValueError, "size 3 is larger than x along axis 1"),
        (lambda: ct.ops.max_pool2d(np.ones((1, 4, 4, 1)), 0), ValueError, "size must be 1 or more, got 0"),
        (lambda: ct.ops.max_pool2d(np.ones((1, 4, 4, 1)), (2, 2, 2)), ValueError, "size must have 2 entries"),
        (lambda: ct.ops.max_pool2d(np.ones((1, 4, 4, 1)), 2.0), TypeError, "size must be a whole number"),
        (lambda: ct.ops.avg_pool2d(np.ones((1, 4, 4, 1)), 2, padding=2), ValueError, "less than the window"),
        (lambda: ct.ops.avg_pool2d(np.ones((1, 4, 4, 1)), padding="full"), ValueError, "'valid', 'same', a number"),
        (lambda: ct.ops.avg_pool2d(np.ones((1, 4, 4, 1)), padding=[(0, 0)]), ValueError, "each of 2 axes"),
        (lambda: ct.ops.avg_pool1d(np.ones((1, 4, 4, 1))), ValueError, r"\(N, L, C\)"),
        (lambda: ct.ops.max_pool2d_backward(np.ones((1, 2, 3, 1)), np.ones((1, 4, 4, 1))), ValueError, r"dy must have shape \(1, 2, 2, 1\)"),
        (lambda: ct.ops.max_pool2d_backward(np.ones((1, 2, 2, 1)), np.ones((1, 4, 4, 1), np.float32)), TypeError, "one dtype"),
        (lambda: ct.ops.global_max_pool(np.ones((2, 0, 3))), ValueError, "none empty"),
        (lambda: ct.ops.global_avg_pool(np.ones((2, 3))), ValueError, "one to three axes between"),
        (lambda: ct.ops.global_avg_pool_backward(np.ones((2, 4)), (2, 5, 3)), ValueError, r"dy must have shape \(2, 3\)"),
        (lambda: ct.ops.upsample(np.ones((2, 3, 1)), mode="cubic"), ValueError, "mode must be 'nearest' or 'linear'"),
        (lambda: ct.ops.upsample(np.ones((2, 3, 1)), 1.5), TypeError, "factor must be a whole number"),
        (lambda: ct.ops.upsample_backward(np.ones((2, 3, 1)), 2), ValueError, "multiples of the factors"),
    ],
)  # fmt: skip
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.at_one_level
def test_errors(backend):
    x = backend.array(np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(ValueError, match="x must have 3 axes"):
        ct.ops.max_pool1d(x)
    with pytest.raises(ValueError, match="the window of size 5 is larger than x"):
        ct.ops.max_pool2d(x, 5)
    with pytest.raises(ValueError, match="dy must have shape"):
        ct.ops.max_pool2d_backward(x, x)
    with pytest.raises(ValueError, match="must be multiples of the factors"):
        ct.ops.upsample_backward(x, 3, mode="linear")
    assert np.all(backend.get(ct.ops.max_pool2d(x)) == 1)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend):
    x = backend.array(np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.max_pool2d_backward(x[:, :2, :2], np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.avg_pool2d(backend.array(np.ones((1, 4, 4, 2))))
    with pytest.raises(TypeError, match="upsample: x must be float32 on CUDA"):
        ct.ops.upsample(backend.array(np.ones((1, 4, 2))), mode="linear")
    with pytest.raises(TypeError, match="upsample_backward: dy must be float32 on CUDA"):
        ct.ops.upsample_backward(backend.array(np.ones((1, 4, 2))), mode="linear")
    ct.ops.max_pool2d(x)
