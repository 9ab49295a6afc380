"""Tests of transposed convolution against its definition, a convolution's map of gradients."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_as_cpu
from tests.reference import gradients

FORWARD = {1: ct.ops.conv_transpose1d, 2: ct.ops.conv_transpose2d, 3: ct.ops.conv_transpose3d}
BACKWARD = {
    1: ct.ops.conv_transpose1d_backward,
    2: ct.ops.conv_transpose2d_backward,
    3: ct.ops.conv_transpose3d_backward,
}
CONV = {1: ct.ops.conv1d, 2: ct.ops.conv2d, 3: ct.ops.conv3d}

CASES = [
    ((2, 5, 6, 7), (3, 3), 4, {"stride": 2}),
    ((2, 5, 6, 3), (2, 4), 17, {"stride": (2, 3), "padding": "valid", "activation": "relu"}),
    ((1, 4, 4, 6), (3, 3), 4, {"stride": 2, "groups": 2, "padding": 1, "output_size": (8, 8)}),
    ((1, 6, 5, 2), (3, 3), 3, {"dilation": 2, "padding": "full", "flip_kernel": True}),
    ((3, 11, 4), (5,), 15, {"stride": 3, "activation": "tanh"}),
    ((2, 3, 4, 3, 2), (2, 3, 2), 5, {"stride": 2, "padding": "valid"}),
    ((2, 3, 3, 5), (2, 2), 3, {"stride": 4}),  # outputs that no tap reaches
    ((0, 3, 3, 5), (2, 2), 3, {"stride": 2}),
    ((1, 4, 5, 6), (2, 3), 6, {"groups": 2, "activation": "relu", "flip_kernel": True}),
]


def draw(rng, case):
    shape, kernel, outputs, options = case
    w = rng.standard_normal((*kernel, outputs // options.get("groups", 1), shape[-1]))
    return rng.standard_normal(shape), w, rng.standard_normal(outputs)


def close(found, exact, terms):
    """Within the rounding of a chain of so many terms of size 1 or so."""
    assert found.shape == exact.shape and found.dtype == np.float32
    return np.allclose(found, exact, rtol=1e-4, atol=4e-7 * max(terms, 16))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_float64_and_the_cpu(backend, rng, case):
    kernel, options = case[1], {"exact": True, **case[3]}
    forward, backward = FORWARD[len(kernel)], BACKWARD[len(kernel)]
    double = draw(rng, case)
    x, w, b = (a.astype(np.float32) for a in double)
    y = backend.run(forward, x, w, b, **options)
    backend.run(ct.ops.relu, np.ones(1, np.float32))  # what is empty launches nothing
    assert close(y, forward(*double, **options), w[..., 0, :].size)
    if backend.device == "cpu" or case[2] > 4 or "groups" in options:  # of few channels the CPU sums tap by tap
        assert same_as_cpu(y, forward(x, w, b, **options))
    dy = rng.standard_normal(y.shape).astype(np.float32)
    found = backend.run(backward, dy, x, w, y, **options)
    exact = backward(*(a.astype(np.float64) for a in (dy, x, w, y)), **options)
    for a, cpu, right in zip(found, backward(dy, x, w, y, **options), exact, strict=True):
        assert same_as_cpu(a, cpu) and close(a, right, max(dy[..., 0].size, w[..., 0].size))


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_the_adjoint_of_a_convolution(backend, threads, rng, case):
    x, w, b = draw(rng, case)
    kernel, options = case[1], {k: v for k, v in case[3].items() if k != "activation"}
    y = FORWARD[len(kernel)](x, w, **options)
    v = rng.standard_normal(y.shape)
    back = CONV[len(kernel)](v, w, **{k: v for k, v in options.items() if k != "output_size"})
    assert back.shape == x.shape
    assert abs(np.sum(back * x) - np.sum(v * y)) <= 1e-12 * np.sum(np.abs(v)) * max(1, np.abs(y).max(initial=0))
    with_bias = FORWARD[len(kernel)](x, w, b, **options)
    assert np.allclose(with_bias, y + b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_check(rng, case):
    x, w, b = draw(rng, case)
    kernel, options = case[1], case[3]
    y = FORWARD[len(kernel)](x, w, b, **options)
    v = rng.standard_normal(y.shape)
    got = BACKWARD[len(kernel)](v, x, w, y, **options)
    slope, claimed = gradients.directional(
        lambda *a: float(np.sum(v * FORWARD[len(kernel)](*a, **options))), [x, w, b], got, rng
    )
    assert abs(slope - claimed) <= 1e-5 * max(1, abs(slope))


@pytest.mark.on_the_cpu
def test_bits_do_not_depend_on_threads(backend, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng, ((4, 17, 15, 12), (3, 3), 20, {})))
    before, results = ct.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            ct.set_num_threads(count)
            y = ct.ops.conv_transpose2d(x, w, b, stride=2)
            results.append([y, *ct.ops.conv_transpose2d_backward(y, x, w, y, stride=2)])
    finally:
        ct.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, o) for a, o in zip(results[0], other, strict=True))


def test_agrees_with_torch(rng):
    torch = pytest.importorskip("torch")
    x, w, b = draw(rng, ((2, 5, 6, 7), (3, 4), 5, {}))
    y = ct.ops.conv_transpose2d(x, w, b, stride=(2, 3), padding="valid")
    theirs = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(w.transpose(3, 2, 0, 1).copy()),
        torch.from_numpy(b),
        stride=(2, 3),
    )
    assert np.allclose(y, theirs.numpy().transpose(0, 2, 3, 1), rtol=0, atol=1e-12)


X, W = np.zeros((1, 4, 4, 6)), np.zeros((3, 3, 5, 6))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, W[0]), {}, "4 dimensions each"),
        ((X, np.zeros((3, 3, 6, 5))), {}, "x has 6 channels but w takes 5.*output channels first"),
        ((X, W), {"groups": 4}, "groups must divide"),
        ((X, W), {"stride": 2, "output_size": 11}, "choose an output_size that fits"),
        ((X, W), {"padding": 3}, "pad less"),
        ((X, W, np.zeros(6)), {}, "b must have shape .5,."),
    ],
)
def test_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ct.ops.conv_transpose2d(*arguments, **options)
