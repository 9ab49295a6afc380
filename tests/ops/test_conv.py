"""Tests of convolution against float64, on every level, over awkward geometry, and of its bits against im2col."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.backends.cuda import conv as device
from tests.agreement import FLOATS, same_as_cpu, same_at_fma_levels, same_with_threads
from tests.reference import conv as reference
from tests.reference import gradients
from tests.reference.activations import ACTIVATIONS, OF_OUTPUT

FORWARD = {1: ct.ops.conv1d, 2: ct.ops.conv2d, 3: ct.ops.conv3d}
BACKWARD = {1: ct.ops.conv1d_backward, 2: ct.ops.conv2d_backward, 3: ct.ops.conv3d_backward}

# x, kernel, channels out, options: lengths of 1, primes, either side of tiles and vectors; every option of every rank.
CASES = [
    ((2, 9, 11, 3), (3, 3), 17, {}),
    ((1, 28, 29, 1), (5, 5), 32, {"activation": "relu"}),
    ((3, 7, 7, 16), (3, 3), 49, {"padding": "valid"}),
    ((2, 14, 13, 8), (3, 2), 5, {"stride": 2}),
    ((2, 14, 13, 4), (2, 3), 8, {"stride": (3, 1), "dilation": (2, 3), "padding": "full"}),
    ((2, 6, 6, 12), (3, 3), 18, {"groups": 3}),
    ((2, 9, 8, 19), (3, 3), 19, {"groups": 19, "activation": "relu"}),
    ((2, 9, 8, 5), (3, 3), 15, {"groups": 5, "stride": 2}),
    ((1, 5, 4, 2), (1, 1), 3, {"stride": (7, 3), "flip_kernel": True}),
    ((2, 5, 6, 3), (3, 4), 33, {"flip_kernel": True, "padding": [(1, 0), (5, 2)], "activation": "tanh"}),
    ((5, 101, 4), (10,), 15, {"padding": 2}),
    ((2, 2500, 2), (3,), 7, {"dilation": 5}),
    ((2, 40, 3), (4,), 6, {"stride": 5, "padding": "same"}),
    ((2, 5, 6, 7, 3), (3, 2, 3), 9, {"stride": (1, 2, 1)}),
    ((1, 4, 4, 5, 4), (2, 2, 2), 8, {"groups": 2, "dilation": 2, "padding": "full"}),
    ((0, 5, 5, 3), (3, 3), 4, {}),
    ((2, 5, 5, 0), (3, 3), 4, {}),
    ((2, 5, 5, 3), (3, 3), 0, {}),
    ((2, 0, 5, 3), (3, 3), 4, {}),
    ((1, 8, 8, 600), (3, 3), 10, {"padding": "valid"}),  # 5,400 terms: two parts of a chain
    ((25, 14, 14, 2), (3, 3), 5, {}),  # 4,900 pixels: two parts of the weights' chain
    # Few outputs and long windows: the gradient of the weights has windows as lanes.
    ((3, 101, 15), (10,), 15, {}),
    ((7, 25, 28, 11), (3, 3), 3, {"flip_kernel": True, "padding": "full"}),
    ((2, 5, 6, 9, 12), (2, 2, 3), 4, {"stride": (1, 1, 2), "padding": "valid"}),
    ((2, 9, 8, 67), (1, 1), 1, {"dilation": 2}),
    ((3, 5000, 3), (21,), 2, {"stride": 2}),
    ((2, 7, 6, 5), (3, 3), 66, {"padding": "valid", "activation": "sigmoid"}),  # two of a device's tiles of channels
    ((3, 9, 8, 3), (3, 3), 4, {}),
]


def numbers(x, w, options):
    given = {k: options[k] for k in ("stride", "padding", "dilation") if k in options}
    return reference.geometry(x.shape[1:-1], w.shape[:-2], **given)


def draw(rng, shape, kernel, outputs, options, dtype):
    w_shape = (*kernel, shape[-1] // options.get("groups", 1), outputs)
    return [rng.standard_normal(s).astype(dtype) for s in (shape, w_shape, (outputs,))]


def everything(x, w, b, options):
    """The convolution and all gradients, with itself as what comes back."""
    dims = w.ndim - 2
    y = FORWARD[dims](x, w, b, **options)
    return y, *BACKWARD[dims](y, x, w, y, **options)


SLOPES = {
    "identity": np.ones_like, "relu": lambda y: y > 0, "tanh": lambda y: 1 - y * y, "sigmoid": lambda y: y * (1 - y),
}  # fmt: skip


def assert_near_float64(y, gradients, dy, x, w, b, options, note):
    """Within the rounding of one chain, which the weights' gradient cuts at 4,096 pixels; slopes are 1 at most."""
    g, eps, name = numbers(x, w, options), np.finfo(x.dtype).eps, options.get("activation", "identity")
    how = (g.stride, g.before, g.dilation, g.out, options.get("groups", 1), options.get("flip_kernel", False))
    exact, bound = reference.conv(x, w, *how)
    bound += 4 * eps * (np.abs(exact + b) + np.abs(b) + 1e-7)
    assert y.shape == exact.shape and np.all(np.abs(y - ACTIVATIONS[name](exact + b)) <= bound), note
    dz = dy * SLOPES[name](y.astype(np.float64))
    pixels, terms = int(np.prod(dy.shape[:-1])), int(np.prod(w.shape[:-2])) * w.shape[-1]
    exact = (*reference.conv_gradients(dz, x, w, *how), dz.sum(tuple(range(dy.ndim - 1))))
    sizes = *reference.conv_gradients(*map(np.abs, (dy, x, w)), *how), np.abs(dy).sum(tuple(range(dy.ndim - 1)))
    chains = (terms, min(pixels, 4096 + pixels / 4096), pixels)
    for found, right, size, chain in zip(gradients, exact, sizes, chains, strict=True):
        roundings = chain + (2 if name == "identity" else 6)
        assert found.shape == right.shape and np.all(np.abs(found - right) <= roundings * eps * size), note


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_float64_and_the_cpu(backend, threads, rng, case, dtype):
    shape, kernel, outputs, options = case
    forward, backward = FORWARD[len(kernel)], BACKWARD[len(kernel)]
    x, w, b = draw(rng, shape, kernel, outputs, options, dtype)
    on = {"exact": True, **options}
    y = backend.run(forward, x, w, b, **on)
    backend.run(ct.ops.relu, np.ones(1, np.float32))  # an empty convolution launches nothing
    dy = rng.standard_normal(y.shape).astype(dtype)
    out = {"out_dw": backend.poisoned(w.shape, dtype), "out_db": backend.poisoned(outputs, dtype)}
    found = backward(*map(backend.array, (dy, x, w, y)), **on, **out)
    assert found[1] is out["out_dw"] and found[2] is out["out_db"] and y.dtype == dtype
    dx, dw, db = map(backend.get, found)
    assert_near_float64(y, (dx, dw, db), dy, x, w, b, options, f"{backend} {threads} threads {case} {dtype.__name__}")
    none, again, _ = backend.run(backward, dy, x, w, y, **on, need_dx=False)
    assert none is None and np.array_equal(again, dw)
    if backend.device != "cpu":
        cpu_dx, *cpu = backward(dy, x, w, y, **on)
        assert all(map(same_as_cpu, (y, dw, db), (forward(x, w, b, **on), *cpu)))
        if shape[-1] <= 4 and options.get("groups", 1) == 1:  # there the CPU sums tap by tap
            assert np.allclose(dx, cpu_dx, rtol=1e-4, atol=4e-7 * max(int(np.prod(kernel)) * outputs, 16))
        else:
            assert same_as_cpu(dx, cpu_dx)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("case", [c for c in CASES if c[3].get("groups", 1) == 1 and 0 not in c[0]], ids=str)
def test_has_the_bits_of_a_product_with_im2col(backend, rng, case):
    shape, kernel, outputs, options = case
    if outputs == 0:
        return
    options = {k: v for k, v in options.items() if k != "activation"}
    x, w, b = draw(rng, shape, kernel, outputs, options, np.float32)
    g = numbers(x, w, options)
    columns = reference.im2col(x, kernel, g.stride, g.before, g.dilation, g.out)
    columns = columns.reshape(-1, columns.shape[-2] * columns.shape[-1])
    flip = options.get("flip_kernel", False)
    taps = w.reshape(int(np.prod(kernel)), *w.shape[-2:])[:: -1 if flip else 1]
    y = FORWARD[len(kernel)](x, w, b, exact=True, **options)
    expected = ct.ops.linear(columns, np.ascontiguousarray(taps.reshape(-1, outputs)), b)
    assert np.array_equal(y.reshape(-1, outputs), expected)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    _, dw, _ = BACKWARD[len(kernel)](dy, x, w, y, exact=True, need_dx=False, **options)
    product = ct.ops.matmul(columns, dy.reshape(-1, outputs), transpose_a=True).reshape(taps.shape)
    assert np.array_equal(dw.reshape(taps.shape)[:: -1 if flip else 1], product)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_bits_for_any_thread_count_and_batch(backend, rng, case):
    shape, kernel, outputs, options = case
    x, w, b = draw(rng, shape, kernel, outputs, options, np.float32)
    whole, *_ = same_with_threads(lambda: everything(x, w, b, options), (1, 2, 5))
    for i in range(min(2, shape[0])):
        assert np.array_equal(FORWARD[len(kernel)](x[i : i + 1], w, b, **options), whole[i : i + 1])


@pytest.mark.on_the_cpu
def test_nothing_is_read_that_was_not_set(backend, rng):
    for case in CASES:
        shape, kernel, outputs, options = case
        x, w, b = draw(rng, shape, kernel, outputs, options, np.float32)
        results = []
        for value in (np.nan, 1e30):
            kept = [ct.ops.empty(2**i, np.float32) for i in range(6, 20) for _ in range(3)]
            for array in kept:
                array.fill(value)
            del kept, array  # scratch memory of the kernels to come
            results.append(everything(x, w, b, options))
        assert all(np.array_equal(a, o) for a, o in zip(*results, strict=True)), case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_avx2_and_avx512_give_the_same_bits(rng, case):
    shape, kernel, outputs, options = case
    x, w, b = draw(rng, shape, kernel, outputs, options, np.float32)
    same_at_fma_levels(lambda: everything(x, w, b, options))


@st.composite
def configurations(draw_):
    dims = draw_(st.integers(1, 3))
    small = st.integers(1, [40, 13, 6][dims - 1])
    each = st.tuples(*[st.integers(1, 3)] * dims)
    groups, inputs, outputs = draw_(st.integers(1, 3)), draw_(st.integers(1, 5)), draw_(st.integers(1, 18))
    pads = draw_(st.one_of(st.sampled_from(["same", "full"]), st.tuples(*[st.tuples(*[st.integers(0, 3)] * 2)] * dims)))
    shape = (draw_(st.integers(0, 3)), *(draw_(small) for _ in range(dims)), inputs * groups)
    kernel = tuple(draw_(st.integers(1, 4)) for _ in range(dims))
    options = {"stride": draw_(each), "dilation": draw_(each), "padding": pads, "groups": groups}
    return shape, kernel, outputs * groups, options | {"flip_kernel": draw_(st.booleans())}


@settings(max_examples=80, deadline=None)
@given(configurations(), st.integers(0, 2**31))
def test_random_configurations(case, seed):
    shape, kernel, outputs, options = case
    x, w, b = draw(np.random.default_rng(seed), shape, kernel, outputs, options, np.float64)
    forward, backward = FORWARD[len(kernel)], BACKWARD[len(kernel)]
    try:
        g = numbers(x, w, options)
    except ValueError:
        with pytest.raises(ValueError, match="more than the padded input"):
            forward(x, w, b, **options)
        return
    more = (options["groups"], options["flip_kernel"])
    y = forward(x, w, b, **options)
    exact, _ = reference.conv(x, w, g.stride, g.before, g.dilation, g.out, *more)
    assert y.shape == exact.shape and np.allclose(y, exact + b, rtol=0, atol=1e-11), case
    dx, dw, _ = backward(y, x, w, y, **options)
    exact_dx, exact_dw = reference.conv_gradients(y, x, w, g.stride, g.before, g.dilation, g.out, *more)
    assert np.allclose(dx, exact_dx, rtol=0, atol=1e-9) and np.allclose(dw, exact_dw, rtol=0, atol=1e-9), case
    plain = ct.ops.convnd(x, w, b, **options)
    assert np.allclose(plain, y, rtol=0, atol=1e-11), case
    for a, o in zip((dx, dw), ct.ops.convnd_backward(y, x, w, y, **options)[:2], strict=True):
        assert np.allclose(a, o, rtol=0, atol=1e-9), case


@pytest.mark.parametrize("how", ["strided", "reversed", "misaligned", "read-only"])
def test_any_layout_gives_the_same_bits(rng, how):
    x, w, b = draw(rng, (2, 9, 8, 4), (3, 3), 6, {}, np.float32)
    y = ct.ops.conv2d(x, w, b)
    if how == "strided":
        wide = np.zeros((2, 9, 16, 8), np.float32)
        wide[:, :, ::2, ::2] = x
        x = wide[:, :, ::2, ::2]
    elif how == "reversed":
        x = np.ascontiguousarray(x[:, ::-1, :, ::-1])[:, ::-1, :, ::-1]
    elif how == "misaligned":
        raw = np.zeros(x.nbytes + 1, np.uint8)
        raw[1:].view(np.float32)[...] = x.ravel()
        x = raw[1:].view(np.float32).reshape(x.shape)
    else:
        for array in (x, w, b):
            array.flags.writeable = False
    assert np.array_equal(ct.ops.conv2d(x, w, b), y)
    assert all(
        np.array_equal(a, o)
        for a, o in zip(ct.ops.conv2d_backward(y, x, w, y), ct.ops.conv2d_backward(y, x.copy(), w, y), strict=True)
    )


@pytest.mark.parametrize("activation", [None, *OF_OUTPUT])
def test_gradient_check(rng, activation):
    x, w, b = draw(rng, (2, 6, 5, 3), (3, 2), 4, {}, np.float64)
    options = {"stride": (2, 1), "activation": activation}
    v = rng.standard_normal(ct.ops.conv2d(x, w, b, **options).shape)
    y = ct.ops.conv2d(x, w, b, **options)
    got = ct.ops.conv2d_backward(v, x, w, y, **options)
    slope, claimed = gradients.directional(
        lambda *a: float(np.sum(v * ct.ops.conv2d(*a, **options))), [x, w, b], got, rng
    )
    assert abs(slope - claimed) <= 1e-6 * max(1, abs(slope))


def test_an_image_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    x, w, b = draw(rng, (3, 9, 8, 5), (3, 3), 6, {}, np.float32)
    whole = backend.run(ct.ops.conv2d, x, w, b)
    assert np.array_equal(backend.run(ct.ops.conv2d, x[1:2], w, b)[0], whole[1])


@pytest.mark.on_a_device
@pytest.mark.parametrize("groups, flip", [(1, False), (2, True)])
def test_the_weight_gradient_of_many_pixels_is_summed_in_parts(backend, rng, monkeypatch, groups, flip):
    monkeypatch.setattr(device, "SCRATCH_BYTES", 1)  # two parts at a time, whatever their number
    x = rng.standard_normal((1, 16_500, 2)).astype(np.float32)  # five parts of 4,096 pixels
    w = rng.standard_normal((3, 2 // groups, 4)).astype(np.float32)
    dy = rng.standard_normal((1, 16_500, 4)).astype(np.float32)
    options = {"groups": groups, "flip_kernel": flip, "need_dx": False}
    dw = ct.ops.conv1d_backward(*map(backend.array, (dy, x, w, dy)), **options)[1]
    padded = np.pad(x[0].astype(np.float64), ((1, 1), (0, 0)))
    expected = np.zeros(w.shape)
    for tap, channel, output in np.ndindex(w.shape):
        shift, group = (2 - tap if flip else tap), output // (4 // groups)
        of_group = padded[shift : shift + 16_500, group * w.shape[1] + channel]
        expected[tap, channel, output] = of_group @ dy[0, :, output]
    assert np.allclose(backend.get(dw), expected, rtol=0, atol=5e-3)
    monkeypatch.setattr(device, "SCRATCH_BYTES", 2**28)
    whole = ct.ops.conv1d_backward(*map(backend.array, (dy, x, w, dy)), **options)[1]
    assert np.array_equal(backend.get(dw), backend.get(whole))


def test_same_padding_is_tensorflows():
    x = np.arange(1.0, 7).reshape(1, 6, 1)
    y = ct.ops.conv1d(x, np.array([1.0, 10, 100]).reshape(3, 1, 1), stride=2).ravel()
    assert y.tolist() == [321.0, 543.0, 65.0]  # the one zero lies behind


def test_nan_goes_through_and_four_dimensions_work(rng):
    x = rng.standard_normal((1, 5, 5, 2)).astype(np.float32)
    x[0, 2, 2, 1] = np.nan
    y = ct.ops.conv2d(x, np.ones((3, 3, 2, 3), np.float32), activation="relu")
    assert np.isnan(y[0, 1:4, 1:4]).all() and not np.isnan(y[0, 0]).any()
    x, w = rng.standard_normal((1, 4, 3, 4, 3, 2)), rng.standard_normal((2, 2, 2, 2, 2, 3))
    y = ct.ops.convnd(x, w, padding="valid")
    exact, _ = reference.conv(x, w, (1,) * 4, (0,) * 4, (1,) * 4, y.shape[1:-1])
    assert np.allclose(y, exact, rtol=0, atol=1e-12)


X, W = np.zeros((2, 5, 5, 4), np.float32), np.zeros((3, 3, 4, 8), np.float32)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((X[0], W), {}, ValueError, "x must be .N, H, W, C."),
        ((X, W[0]), {}, ValueError, "4 dimensions each"),
        ((X[..., :3], W), {}, ValueError, "x has 3 channels but w takes 4"),
        ((X, W), {"groups": 3}, ValueError, "groups must divide"),
        ((X, W), {"groups": 0}, ValueError, "groups must be 1 or more"),
        ((X, W), {"groups": 2}, ValueError, "w takes 4 a group"),
        ((X, W), {"groups": 1.0}, TypeError, "groups must be a whole number"),
        (
            (X, np.zeros((7, 3, 4, 8), np.float32)),
            {"padding": "valid"},
            ValueError,
            "spans .7, 3., more than the padded",
        ),
        ((X, W), {"padding": "valid", "dilation": 3}, ValueError, "spans .7, 7."),
        ((X, W), {"padding": "sane"}, ValueError, "'valid', 'same', 'full'"),
        ((X, W), {"padding": (1, 2)}, TypeError, "pairs .before, after."),
        ((X, W), {"padding": [(1, 2)]}, ValueError, "2 pairs"),
        ((X, W), {"padding": -1}, ValueError, "must not be negative"),
        ((X, W), {"stride": 0}, ValueError, "stride must be 1 or more"),
        ((X, W), {"stride": (1, 2, 3)}, ValueError, "2 entries"),
        ((X, W), {"dilation": 1.5}, TypeError, "dilation must be a whole number"),
        ((X, W, np.zeros(7, np.float32)), {}, ValueError, "b must have shape .8,."),
        ((X, W.astype(np.float64)), {}, TypeError, "one dtype"),
        ((X.astype(np.int32), W), {}, TypeError, "float32 or float64"),
        ((X.tolist(), W), {}, TypeError, "NumPy array"),
        ((X, W[:0]), {}, ValueError, "1 tap or more"),
        ((X, W), {"activation": "swish"}, ValueError, "activation must be"),
    ],
)
def test_refuses(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ct.ops.conv2d(*arguments, **options)


@pytest.mark.at_one_level
def test_what_does_not_fit_is_refused(backend):
    x, w = backend.array(np.ones((1, 5, 5, 3), np.float32)), backend.array(np.ones((3, 3, 3, 2), np.float32))
    with pytest.raises(ValueError, match="x has 3 channels but w takes 2"):
        ct.ops.conv2d(x, w[:, :, :2])
    y = ct.ops.conv2d(x, w)
    with pytest.raises(ValueError, match="dy must have shape"):
        ct.ops.conv2d_backward(x, x, w, y)
    with pytest.raises(ValueError, match="contiguous"):
        ct.ops.conv2d_backward(y, x, w, y, out_dw=backend.poisoned((3, 3, 3, 4))[..., ::2])
    assert backend.get(y).max() == 27


def test_gradients_of_another_dtype_are_refused():
    y = ct.ops.conv2d(X, W)
    with pytest.raises(TypeError, match="dy must be float32"):
        ct.ops.conv2d_backward(y.astype(np.float64), X, W, y)


@pytest.mark.on_a_device
def test_large_arrays_are_refused(backend, monkeypatch):
    x, w = backend.array(np.ones((1, 5, 5, 3), np.float32)), backend.array(np.ones((3, 3, 3, 2), np.float32))
    ct.ops.conv2d(x, w)
    monkeypatch.setattr(device, "_FAR", 5)
    with pytest.raises(ValueError, match=r"must stay below 2\*\*30 on CUDA"):
        ct.ops.conv2d(x, w)
