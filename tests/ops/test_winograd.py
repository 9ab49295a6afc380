"""Tests of the forced Winograd path against float64, on every level, with awkward shapes, and of promised bits."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import _core
from tests.reference import winograd as reference

pytestmark = pytest.mark.on_the_cpu

# batch, x (H, W), C, O, kernel, zeros before, y (OH, OW): either side of tiles, vectors and blocks of tiles.
SHAPES = [
    (1, (1, 1), 16, 16, 3, (1, 1), (1, 1)), (2, (4, 4), 16, 17, 3, (1, 1), (4, 4)), (3, (5, 3), 17, 16, 3, (0, 2), (4, 6)),
    (1, (9, 8), 31, 33, 3, (2, 0), (11, 6)), (2, (13, 37), 16, 47, 3, (1, 1), (13, 37)), (7, (14, 14), 48, 32, 3, (1, 1), (14, 14)),
    (1, (6, 6), 300, 49, 3, (5, 3), (9, 7)), (2, (3, 5), 19, 65, 3, (4, 1), (7, 5)), (1, (2, 2), 16, 16, 5, (2, 2), (2, 2)),
    (2, (5, 6), 40, 19, 5, (4, 0), (9, 2)), (3, (14, 14), 32, 64, 5, (2, 2), (14, 14)), (1, (7, 11), 16, 31, 5, (1, 6), (5, 13)),
]  # fmt: skip


def arrays(rng, batch, size, c, o, kernel, out):
    x, w, dy = (
        rng.standard_normal(s).astype(np.float32) for s in [(batch, *size, c), (kernel, kernel, c, o), (batch, *out, o)]
    )
    return x, w, dy


def forward(x, w, before, out, bias=None, relu=False):
    y = np.full((x.shape[0], *out, w.shape[3]), np.nan, np.float32)
    _core.winograd_forward(x, w, bias, relu, before, y)
    return y


def backward_data(dy, w, before, size):
    dx = np.full((dy.shape[0], *size, w.shape[2]), np.nan, np.float32)
    _core.winograd_backward_data(dy, w, before, dx)
    return dx


def backward_weights(x, dy, before, kernel):
    dw = np.full((kernel, kernel, x.shape[3], dy.shape[3]), np.nan, np.float32)
    _core.winograd_backward_weights(x, dy, before, dw)
    return dw


def all_three(x, w, dy, before):
    return (
        forward(x, w, before, dy.shape[1:3]),
        backward_data(dy, w, before, x.shape[1:3]),
        backward_weights(x, dy, before, w.shape[0]),
    )


def assert_within(value, exact, bound, note):
    error = np.abs(value - exact)
    worst = np.unravel_index(np.argmax(error - bound), error.shape) if error.size else None
    assert np.all(error <= bound), f"{note}: worst at {worst}, {error[worst]} > {bound[worst]}"


def oracle(x, w, dy, before):
    """Output and gradients in float64, each with its bound."""
    kernel, size, out = w.shape[0], x.shape[1:3], dy.shape[1:3]
    return {
        "forward": (reference.forward(x, w, before, out), reference.forward_bound(x, w, before, out)),
        "data": (reference.backward_data(dy, w, before, size), reference.backward_data_bound(dy, w, before, size)),
        "weights": (
            reference.backward_weights(x, dy, before, kernel), reference.backward_weights_bound(x, dy, before, kernel)
        ),
    }  # fmt: skip


def check_all_three(x, w, dy, before, note, expected=None):
    found = all_three(x, w, dy, before)
    for value, (name, (exact, bound)) in zip(found, (expected or oracle(x, w, dy, before)).items(), strict=True):
        assert_within(value, exact, bound, f"{name} {note}")


@functools.cache
def solved(shape):
    """Arrays of a shape and what the oracle says, once for all levels and numbers of threads."""
    batch, size, c, o, kernel, before, out = shape
    x, w, dy = arrays(np.random.default_rng(SHAPES.index(shape)), batch, size, c, o, kernel, out)
    return x, w, dy, oracle(x, w, dy, before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_float64(backend, threads, shape):
    x, w, dy, expected = solved(shape)
    check_all_three(x, w, dy, shape[5], f"{backend} {threads} {shape}", expected)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([3, 5]),
    st.integers(0, 3),
    st.tuples(st.integers(1, 13), st.integers(1, 13)),
    st.tuples(st.integers(1, 13), st.integers(1, 13)),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    st.integers(16, 70),
    st.integers(16, 70),
    st.integers(0, 2**31),
)
def test_random_shapes(kernel, batch, size, out, before, c, o, seed):
    x, w, dy = arrays(np.random.default_rng(seed), batch, size, c, o, kernel, out)
    check_all_three(x, w, dy, before, f"seed {seed} {x.shape} {w.shape} {dy.shape} {before}")


def test_the_transforms_are_those_of_the_reference():
    """The bound's matrices compute a convolution, exactly, in one dimension."""
    rng = np.random.default_rng(0)
    for kernel in (3, 5):
        w, d = rng.standard_normal(kernel), rng.standard_normal(6)
        y = reference.powers(7 - kernel).T @ ((reference.lagrange(kernel) @ w) * (reference.B @ d))
        assert np.allclose(y, np.correlate(d, w, "valid"))


@pytest.mark.parametrize("relu", [False, True])
def test_bias_and_relu(backend, rng, relu):
    x, w, _ = arrays(rng, 2, (7, 9), 20, 35, 3, (7, 9))
    bias = rng.standard_normal(35).astype(np.float32)
    expected = forward(x, w, (1, 1), (7, 9)) + bias
    y = forward(x, w, (1, 1), (7, 9), bias, relu)
    assert np.array_equal(y, np.maximum(expected, 0) if relu else expected)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("c", [16, 64, 256])
def test_rms_error(backend, rng, kernel, c):
    """Some 2e-6 of the output's deviation; the figures are in cpp/conv/winograd.md."""
    x, w, dy = arrays(rng, 2, (12, 12), c, 32, kernel, (12, 12))
    before = (kernel // 2, kernel // 2)
    exact = (
        reference.forward(x, w, before, (12, 12)),
        reference.backward_data(dy, w, before, (12, 12)),
        reference.backward_weights(x, dy, before, kernel),
    )
    for value, expected in zip(all_three(x, w, dy, before), exact, strict=True):
        assert np.sqrt(np.mean((value - expected) ** 2)) < 4e-6 * expected.std()


@pytest.mark.parametrize("kernel", [3, 5])
def test_same_bits_for_any_thread_count(backend, rng, kernel):
    x, w, dy = arrays(rng, 5, (19, 22), 18, 50, kernel, (19, 22))
    before = ct.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3, 7):
            ct.set_num_threads(count)
            results.append(all_three(x, w, dy, (kernel // 2, kernel // 2)))
    finally:
        ct.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_an_image_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    x, w, dy = arrays(rng, 9, (11, 10), 24, 40, 3, (11, 10))
    y, dx = forward(x, w, (1, 1), (11, 10)), backward_data(dy, w, (1, 1), (11, 10))
    for i in (0, 4, 8):
        assert np.array_equal(forward(x[i : i + 1], w, (1, 1), (11, 10))[0], y[i])
        assert np.array_equal(backward_data(dy[i : i + 1], w, (1, 1), (11, 10))[0], dx[i])


def test_avx2_and_avx512_give_the_same_bits(rng):
    levels = [name for name in ("avx2", "avx512") if name in _core.build_info()["cpu_levels"]]
    if len(levels) < 2:
        pytest.skip("this machine has one FMA level only")
    before = _core.get_cpu_level()
    for kernel in (3, 5):
        x, w, dy = arrays(rng, 3, (17, 21), 301, 45, kernel, (17, 21))
        results = []
        for name in levels:
            _core.set_cpu_level(name)
            results.append(all_three(x, w, dy, (1, 2)))
        _core.set_cpu_level(before)
        assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_the_gradients_are_the_adjoints(backend, rng):
    """A bilinear function: <dy, conv(x, w)> = <dx, x> = <dw, w>."""
    for kernel, before in ((3, (0, 1)), (5, (3, 2))):
        x, w, dy = arrays(rng, 3, (10, 9), 33, 18, kernel, (9, 10))
        y, dx, dw = (a.astype(float) for a in all_three(x, w, dy, before))
        slope = np.sum(y * dy)
        scale = np.sqrt(np.sum(y**2) * np.sum(dy.astype(float) ** 2))
        assert abs(np.sum(dx * x) - slope) < 1e-5 * scale and abs(np.sum(dw * w) - slope) < 1e-5 * scale


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def test_misaligned_and_read_only_input_gives_the_same_bits(backend, rng):
    x, w, dy = arrays(rng, 2, (6, 7), 21, 30, 3, (6, 7))
    others = [misaligned(a) for a in (x, w, dy)]
    for a in others:
        a.flags.writeable = False
    for a, b in zip(through_ops(x, w, dy), through_ops(*others), strict=True):
        assert np.array_equal(a, b)


def through_ops(x, w, dy):
    """The functions that take the path where it pays; kernels themselves want aligned arrays."""
    y = ct.ops.conv2d(x, w, padding="same")
    return (y, *ct.ops.conv2d_backward(dy, x, w, y, padding="same"))


def test_nothing_is_written_beside_the_output(backend, rng):
    x, w, dy = arrays(rng, 2, (6, 7), 17, 19, 5, (5, 9))
    for shape, run in (
        (dy.shape, lambda to: _core.winograd_forward(x, w, None, False, (2, 3), to)),
        (x.shape, lambda to: _core.winograd_backward_data(dy, w, (2, 3), to)),
        (w.shape, lambda to: _core.winograd_backward_weights(x, dy, (2, 3), to)),
    ):
        size = int(np.prod(shape))
        store = np.full(size + 64, 7, np.float32)
        run(store[32:-32].reshape(shape))
        assert np.all(store[:32] == 7) and np.all(store[-32:] == 7)


def test_nan_reaches_every_output_that_sees_it(backend, rng):
    x, w, _ = arrays(rng, 2, (12, 12), 16, 16, 3, (12, 12))
    x[0, 5, 6, 3] = np.nan
    y = forward(x, w, (1, 1), (12, 12))
    assert np.isnan(y[0, 4:7, 5:8]).all()
    assert np.isfinite(y[0, :4]).all() and np.isfinite(y[0, 8:]).all() and np.isfinite(y[1]).all()


def test_an_empty_batch(backend, rng):
    x, w, dy = arrays(rng, 0, (6, 7), 16, 20, 3, (6, 7))
    y, dx, dw = all_three(x, w, dy, (1, 1))
    assert y.shape == dy.shape and dx.shape == x.shape and not dw.any()


def test_what_it_does_not_take_is_refused(rng):
    x, w, dy = arrays(rng, 1, (6, 6), 16, 16, 3, (6, 6))
    y = np.empty_like(dy)
    with pytest.raises(ValueError, match="16 channels"):
        _core.winograd_forward(x[..., :15].copy(), w[:, :, :15].copy(), None, False, (1, 1), y)
    with pytest.raises(ValueError, match="3x3 and 5x5"):
        _core.winograd_forward(x, w[:2].copy(), None, False, (1, 1), y)
    with pytest.raises(ValueError, match="contiguous"):
        _core.winograd_forward(x[:, ::-1], w, None, False, (1, 1), y)
    with pytest.raises(ValueError, match="dtype"):
        _core.winograd_forward(x.astype(float), w, None, False, (1, 1), y)
    with pytest.raises(ValueError, match="shapes"):
        _core.winograd_backward_weights(x, dy[:, :, :, :8].copy(), (1, 1), w)


def test_where_it_applies(rng):
    def applies(batch, size, c, o, kernel):
        x, w, dy = arrays(rng, batch, size, c, o, kernel, size)
        return _core.winograd_applies(x, w, dy, (kernel // 2, kernel // 2))

    assert applies(4, (28, 28), 64, 64, 3) and applies(4, (28, 28), 32, 64, 5)
    assert not applies(1, (1, 1), 64, 64, 3) and not applies(1, (7, 7), 256, 256, 3)
    assert all(applies(n, (14, 14), 64, 64, 3) == applies(1, (14, 14), 64, 64, 3) for n in (2, 50))


@pytest.mark.parametrize("size", [4, 7, 10, 14, 20])
def test_an_image_has_the_same_bits_alone_and_in_a_batch_whichever_way_is_taken(rng, size):
    x = rng.standard_normal((9, size, size, 24)).astype(np.float32)
    w = rng.standard_normal((3, 3, 24, 32)).astype(np.float32)
    y = ct.ops.conv2d(x, w)
    assert all(np.array_equal(ct.ops.conv2d(x[i : i + 1], w), y[i : i + 1]) for i in range(9))


def test_agrees_with_pytorch(backend, rng):
    torch = pytest.importorskip("torch")
    for kernel in (3, 5):
        x, w, dy = arrays(rng, 2, (14, 15), 32, 48, kernel, (14, 15))
        xt, wt = (torch.tensor(a.transpose(p), requires_grad=True) for a, p in ((x, (0, 3, 1, 2)), (w, (3, 2, 0, 1))))
        yt = torch.nn.functional.conv2d(xt, wt, padding=kernel // 2)
        yt.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
        theirs = (yt.detach(), xt.grad, wt.grad)
        back = ((0, 2, 3, 1), (0, 2, 3, 1), (2, 3, 1, 0))
        for ours, other, axes in zip(all_three(x, w, dy, (kernel // 2, kernel // 2)), theirs, back, strict=True):
            expected = other.numpy().transpose(axes)
            assert np.abs(ours - expected).max() < 2e-5 * np.abs(expected).max()
