"""Convolutions: close to float64 over awkward geometry; on a device the CPU's bits where both sum in one order."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda import conv as device
from tests.cuda.agreement import same_as_cpu
from tests.ops.test_conv import BACKWARD, CASES, FORWARD, numbers
from tests.reference import conv as reference
from tests.reference.activations import ACTIVATIONS

TRANSPOSED = {1: ct.ops.conv_transpose1d, 2: ct.ops.conv_transpose2d, 3: ct.ops.conv_transpose3d}
TRANSPOSED_BACKWARD = {
    1: ct.ops.conv_transpose1d_backward, 2: ct.ops.conv_transpose2d_backward, 3: ct.ops.conv_transpose3d_backward,
}  # fmt: skip
MORE = [
    ((2, 7, 6, 5), (3, 3), 66, {"padding": "valid", "activation": "sigmoid"}),  # two tiles of channels
    ((3, 9, 8, 3), (3, 3), 4, {}),
]


def case(rng, shape, kernel, channels, options):
    groups = options.get("groups", 1)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((*kernel, shape[-1] // groups, channels)).astype(np.float32)
    return x, w, rng.standard_normal(channels).astype(np.float32), len(kernel)


SLOPES = {
    "identity": np.ones_like, "relu": lambda y: y > 0, "tanh": lambda y: 1 - y * y, "sigmoid": lambda y: y * (1 - y),
}  # fmt: skip


def assert_near_float64(y, gradients, dy, x, w, b, options):
    """Within the rounding of one chain; slopes of activations are 1 at most."""
    g, eps, name = numbers(x, w, options), np.finfo(np.float32).eps, options.get("activation", "identity")
    how = (g.stride, g.before, g.dilation, g.out, options.get("groups", 1), options.get("flip_kernel", False))
    exact, bound = reference.conv(x, w, *how)
    bound += 4 * eps * (np.abs(exact + b) + np.abs(b) + 1e-7)
    assert y.shape == exact.shape and np.all(np.abs(y - ACTIVATIONS[name](exact + b)) <= bound)
    dz = dy * SLOPES[name](y.astype(np.float64))
    pixels, terms = int(np.prod(dy.shape[:-1])), int(np.prod(w.shape[:-2])) * w.shape[-1]
    exact = (*reference.conv_gradients(dz, x, w, *how), dz.sum(tuple(range(dy.ndim - 1))))
    sizes = *reference.conv_gradients(*map(np.abs, (dy, x, w)), *how), np.abs(dy).sum(tuple(range(dy.ndim - 1)))
    for found, right, size, chain in zip(gradients, exact, sizes, (terms, pixels, pixels), strict=True):
        assert found.shape == right.shape and np.all(np.abs(found - right) <= (chain + 6) * eps * size)


def close(found, expected, terms):
    """Within the rounding of two chains of so many terms of size 1 or so."""
    assert found.shape == expected.shape and found.dtype == np.float32
    return np.allclose(found, expected, rtol=1e-4, atol=4e-7 * max(terms, 16))


@pytest.mark.parametrize("shape, kernel, channels, options", CASES + MORE, ids=str)
def test_forward_and_gradients(backend, rng, shape, kernel, channels, options):
    x, w, b, dims = case(rng, shape, kernel, channels, options)
    on = [backend.array(a) for a in (x, w, b)]
    ct.ops.relu(backend.array(np.ones(1, np.float32)))  # since an empty convolution launches nothing
    y = FORWARD[dims](*on, **options)
    cpu = FORWARD[dims](x, w, b, **options, exact=True)
    assert same_as_cpu(backend.get(y), cpu)
    dy = rng.standard_normal(cpu.shape).astype(np.float32)
    dw, db = backend.poisoned(w.shape), backend.poisoned(channels)
    found = BACKWARD[dims](backend.array(dy), on[0], on[1], backend.array(cpu), **options, out_dw=dw, out_db=db)
    expected = BACKWARD[dims](dy, x, w, cpu, **options, exact=True)
    assert found[1] is dw and same_as_cpu(backend.get(dw), expected[1])
    assert found[2] is db and same_as_cpu(backend.get(db), expected[2])
    dx, terms = backend.get(found[0]), int(np.prod(kernel)) * channels
    assert_near_float64(backend.get(y), (dx, *map(backend.get, (dw, db))), dy, x, w, b, options)
    if shape[-1] <= 4 and options.get("groups", 1) == 1:  # there the CPU sums tap by tap
        assert close(dx, expected[0], terms)
    else:
        assert same_as_cpu(dx, expected[0])
    none = BACKWARD[dims](backend.array(dy), on[0], on[1], backend.array(cpu), **options, need_dx=False)
    assert none[0] is None and np.array_equal(backend.get(none[1]), backend.get(dw))


@pytest.mark.parametrize(
    "shape, kernel, channels, options",
    [((2, 5, 6, 7), (3, 3), 5, {"stride": 2}), ((1, 4, 5, 6), (2, 3), 6, {"groups": 2, "activation": "relu", "flip_kernel": True}),
     ((2, 9, 3), (4,), 6, {"stride": 3, "padding": "valid"}), ((1, 3, 3, 4, 2), (2, 2, 2), 5, {"stride": (1, 2, 1)})], ids=str,
)  # fmt: skip
def test_transposed(backend, rng, shape, kernel, channels, options):
    groups, dims = options.get("groups", 1), len(kernel)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((*kernel, channels // groups, shape[-1])).astype(np.float32)
    b = rng.standard_normal(channels).astype(np.float32)
    y, cpu = (
        TRANSPOSED[dims](*map(backend.array, (x, w, b)), **options),
        TRANSPOSED[dims](x, w, b, **options, exact=True),
    )
    assert close(backend.get(y), cpu, w[..., 0, :].size) and same_as_cpu(backend.get(y), cpu)
    dy = rng.standard_normal(cpu.shape).astype(np.float32)
    found = TRANSPOSED_BACKWARD[dims](*map(backend.array, (dy, x, w, cpu)), **options)
    expected = TRANSPOSED_BACKWARD[dims](dy, x, w, cpu, **options, exact=True)
    assert all(same_as_cpu(backend.get(a), e) for a, e in zip(found, expected, strict=True))
    double = [a.astype(np.float64) for a in (dy, x, w, cpu)]
    assert close(backend.get(y), TRANSPOSED[dims](*double[1:3], b.astype(np.float64), **options), w[..., 0, :].size)
    for a, exact in zip(found, TRANSPOSED_BACKWARD[dims](*double, **options), strict=True):
        assert close(backend.get(a), exact, max(dy[..., 0].size, w[..., 0].size))


def test_an_image_alone_gives_the_bits_it_has_in_a_batch(backend, rng):
    x, w, b, _ = case(rng, (3, 9, 8, 5), (3, 3), 6, {})
    whole = backend.get(ct.ops.conv2d(*map(backend.array, (x, w, b))))
    assert np.array_equal(backend.get(ct.ops.conv2d(*map(backend.array, (x[1:2], w, b))))[0], whole[1])


@pytest.mark.parametrize("room", [2**28, 1])
@pytest.mark.parametrize("groups, flip", [(1, False), (2, True)])
def test_the_weight_gradient_of_many_pixels_is_summed_in_parts(backend, rng, monkeypatch, room, groups, flip):
    monkeypatch.setattr(device, "SCRATCH_BYTES", room)  # 1: two parts at a time, whatever their number
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


def test_errors(backend):
    x, w = backend.array(np.ones((1, 5, 5, 3), np.float32)), backend.array(np.ones((3, 3, 3, 2), np.float32))
    with pytest.raises(ValueError, match="x has 3 channels but w takes 2"):
        ct.ops.conv2d(x, w[:, :, :2])
    with pytest.raises(ValueError, match="dy must have shape"):
        ct.ops.conv2d_backward(x, x, w, x)
    assert backend.get(ct.ops.conv2d(x, w)).max() == 27


@pytest.mark.on_a_device
def test_mixtures_doubles_and_large_arrays_are_refused(backend, monkeypatch):
    x, w = backend.array(np.ones((1, 5, 5, 3), np.float32)), backend.array(np.ones((3, 3, 3, 2), np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.conv2d(x, np.ones((3, 3, 3, 2), np.float32))
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.conv2d(backend.array(np.ones((1, 5, 5, 3))), backend.array(np.ones((3, 3, 3, 2))))
    ct.ops.conv2d(x, w)
    monkeypatch.setattr(device, "_FAR", 5)
    with pytest.raises(ValueError, match=r"must stay below 2\*\*30 on CUDA"):
        ct.ops.conv2d(x, w)
