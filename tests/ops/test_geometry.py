"""Tests that kernels and windows far beyond the array give the values inside, or an error, and never crash."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import catalase as ct
from tests.reference import conv as reference

pytestmark = pytest.mark.on_the_cpu

FORWARD = {1: ct.ops.conv1d, 2: ct.ops.conv2d, 3: ct.ops.conv3d}
BACKWARD = {1: ct.ops.conv1d_backward, 2: ct.ops.conv2d_backward, 3: ct.ops.conv3d_backward}
TRANSPOSED = {1: ct.ops.conv_transpose1d, 2: ct.ops.conv_transpose2d, 3: ct.ops.conv_transpose3d}


def draw(rng):
    """A convolution whose dilation, stride and padding are often far larger than its input."""
    dims = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2]))
    shape = (int(rng.integers(1, 3)), *rng.integers(1, 9, dims).tolist(), groups * int(rng.integers(1, 4)))
    kernel = tuple(rng.integers(1, 5, dims).tolist())
    outputs = groups * int(rng.integers(1, 9))
    far = [1, 2, 5, 13, 40]
    padding = rng.choice(["same", "full", "pairs"])
    options = {
        "stride": tuple(rng.choice(far, dims).tolist()), "dilation": tuple(rng.choice(far, dims).tolist()), "groups": groups,
        "padding": [tuple(rng.integers(0, 60, 2).tolist()) for _ in range(dims)] if padding == "pairs" else str(padding),
        "flip_kernel": bool(rng.integers(2)),
    }  # fmt: skip
    return dims, shape, kernel, outputs, options


@pytest.mark.parametrize("seed", range(60))
def test_taps_outside_the_input_change_nothing(backend, seed):
    rng = np.random.default_rng(seed)
    dims, shape, kernel, outputs, options = draw(rng)
    x = rng.standard_normal(shape)
    w, b = rng.standard_normal((*kernel, shape[-1] // options["groups"], outputs)), rng.standard_normal(outputs)
    given = {name: options[name] for name in ("stride", "padding", "dilation")}
    note = f"seed {seed}: x {shape}, kernel {kernel}, {outputs} outputs, {options}"
    try:
        g = reference.geometry(shape[1:-1], kernel, **given)
    except ValueError:
        with pytest.raises(ValueError, match="more than the padded input"):
            FORWARD[dims](x, w, b, **options)
        return
    how = (g.stride, g.before, g.dilation, g.out, options["groups"], options["flip_kernel"])
    y = FORWARD[dims](x, w, b, **options)
    exact, _ = reference.conv(x, w, *how)
    assert y.shape == exact.shape and np.allclose(y, exact + b, rtol=0, atol=1e-11), note
    dy = rng.standard_normal(y.shape)
    kept = np.full(w.shape, np.nan)
    dx, dw, _ = BACKWARD[dims](dy, x, w, y, out_dw=kept, **options)
    exact_dx, exact_dw = reference.conv_gradients(dy, x, w, *how)
    assert np.allclose(dx, exact_dx, rtol=0, atol=1e-9), note
    assert dw is kept and np.allclose(dw, exact_dw, rtol=0, atol=1e-9), note
    back = TRANSPOSED[dims](dy, w, output_size=shape[1:-1], **options)
    assert np.allclose(back, exact_dx, rtol=0, atol=1e-9), note
    assert np.allclose(ct.ops.convnd(x, w, b, **options), y, rtol=0, atol=1e-11), note
    plain_dx, plain_dw, _ = ct.ops.convnd_backward(dy, x, w, y, **options)
    assert np.allclose(plain_dx, exact_dx, rtol=0, atol=1e-9) and np.allclose(plain_dw, exact_dw, rtol=0, atol=1e-9), (
        note
    )


@pytest.mark.parametrize("dilation", [10_000, 30_000, 2**31, 2**40, 2**62, 2**63, 2**200])
def test_a_huge_dilation_leaves_the_middle_tap(dilation, rng):
    x, w = rng.standard_normal((2, 7, 6, 4)).astype(np.float32), rng.standard_normal((3, 3, 4, 6)).astype(np.float32)
    middle = np.ascontiguousarray(w[1:2, 1:2])
    y = ct.ops.conv2d(x, w, dilation=dilation)
    assert np.array_equal(y, ct.ops.conv2d(x, middle))
    dx, dw, _ = ct.ops.conv2d_backward(y, x, w, y, dilation=dilation)
    exact_dx, exact_dw, _ = ct.ops.conv2d_backward(y, x, middle, y)
    assert np.array_equal(dx, exact_dx) and np.array_equal(dw[1:2, 1:2], exact_dw)
    assert np.count_nonzero(dw) == np.count_nonzero(exact_dw)
    # An even kernel has no middle: "same" puts all its taps outside, and the bias is left.
    assert np.array_equal(
        ct.ops.conv2d(x, w[:2, :2].copy(), np.ones(6, np.float32), dilation=dilation), np.ones((2, 7, 6, 6))
    )


@pytest.mark.parametrize("stride", [30_000, 2**31, 2**62, 2**200])
def test_a_huge_stride_leaves_one_output(stride, rng):
    x, w = rng.standard_normal((2, 7, 6, 4)), rng.standard_normal((3, 3, 4, 6))
    y = ct.ops.conv2d(x, w, stride=stride, padding="valid")
    assert np.array_equal(y, ct.ops.conv2d(x[:, :3, :3].copy(), w, padding="valid"))
    dx, dw, _ = ct.ops.conv2d_backward(y, x, w, y, stride=stride, padding="valid")
    exact_dx, exact_dw, _ = ct.ops.conv2d_backward(y, x[:, :3, :3].copy(), w, y, padding="valid")
    assert np.array_equal(dx[:, :3, :3], exact_dx) and not dx[:, 3:].any() and np.array_equal(dw, exact_dw)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("size", [1000, 2**31, 2**62, 2**200])
def test_a_huge_window_holds_all(kind, size, rng):
    x = rng.standard_normal((2, 7, 6, 3))
    found = getattr(ct.ops, kind)(x, size, padding="same")
    exact = x.max((1, 2), keepdims=True) if kind == "max_pool2d" else x.mean((1, 2), keepdims=True)
    assert np.allclose(found, exact, rtol=0, atol=1e-12)
    back = getattr(ct.ops, f"{kind}_backward")(np.ones_like(found), x, size, padding="same")
    assert np.allclose(back.sum((1, 2)), 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, w: ct.ops.conv2d(x, w, padding=2**31), "conv2d: along axis 1 .* at most 2147483647 positions"),
        (lambda x, w: ct.ops.conv2d(x, w, padding=[(0, 2**62), (0, 0)]), "padded by .0, 4611686018427387904."),
        (lambda x, w: ct.ops.conv2d(x, w, padding="valid", dilation=2**62), "more than the padded input"),
        (lambda x, w: ct.ops.conv2d(x, w, padding="full", dilation=2**62), "at most 2147483647 positions"),
        (lambda x, w: ct.ops.conv_transpose2d(x, w.swapaxes(2, 3), stride=2**62), "conv_transpose2d: the output would have size"),
        (lambda x, w: ct.ops.conv_transpose2d(x, w.swapaxes(2, 3), padding="valid", dilation=2**40), "at most 2147483647 positions"),
        (lambda x, w: ct.ops.upsample(x, 2**62), "upsample: factor 4611686018427387904 makes an axis"),
        (lambda x, w: ct.ops.upsample(x, 2**200, mode="linear"), "makes an axis"),
        (lambda x, w: ct.ops.max_pool2d(x, 2**62), "larger than x along axis 1"),
    ],
)  # fmt: skip
def test_what_no_array_can_hold_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.ones((2, 7, 6, 4), np.float32), np.ones((3, 3, 4, 4), np.float32))


def test_taps_in_the_padding_take_no_memory():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "import numpy as np, catalase as ct\n"
        "x, w = np.ones((2, 64, 64, 8), np.float32), np.ones((3, 3, 8, 8), np.float32)\n"
        "y = ct.ops.conv2d(x, w, dilation=10_000)\n"
        "ct.ops.conv2d_backward(y, x, w, y, dilation=10_000)\n"
        "print(float(y.sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, str(float(2 * 64 * 64 * 8 * 8))), done.stderr
