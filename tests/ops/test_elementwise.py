"""Tests of elementwise functions: error in ulp over a sweep of float32, limits, derivatives, and layouts."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from tests.agreement import FLOATS, same_as_cpu, same_at_fma_levels
from tests.reference.activations import ACTIVATIONS, NAMES, OF_INPUT
from tests.reference.gradients import directional

# Largest error in units in the last place; what was measured is in cpp/elementwise/README.md and activations.h.
ULP = {"exp": 1.0, "log": 1.0, **{name: ACTIVATIONS[name].ulp for name in NAMES}}
EXACT = {**ACTIVATIONS, "exp": np.exp, "log": np.log}
SIZES = [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1009, 70001]


def test_every_activation_has_an_oracle_and_functions_by_its_name():
    assert list(ACTIVATIONS) == list(_core.ACTIVATIONS) and set(OF_INPUT) == _core.DERIVED_FROM_INPUT
    for name in NAMES:
        for place in (ct.ops, ct.Tensor, ct.nn.functional):
            assert getattr(place, name).__name__ == name
        assert name in ct.ops.__all__ and name in ct.nn.functional.__all__
    assert {getattr(ct.nn, layer).name for layer in ct.nn.activations.__all__} == set(NAMES)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("name", list(ULP))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_error_in_ulp_over_all_magnitudes(backend, name):
    x = np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x) & (np.abs(x) >= np.finfo(np.float32).tiny)]
    if name == "log":
        x = x[x > 0]
    y, exact = getattr(ct.ops, name)(x), EXACT[name](x.astype(np.float64))
    rounded = exact.astype(np.float32)
    normal = np.isfinite(rounded) & (np.abs(exact) >= np.finfo(np.float32).tiny)
    ulps = np.abs(y[normal] - exact[normal]) / np.spacing(np.abs(rounded[normal])).astype(np.float64)
    worst = np.argmax(ulps)
    assert ulps[worst] <= ULP[name], f"{backend} {name}({x[normal][worst]!r}): {ulps[worst]} ulp"
    assert np.array_equal(np.isinf(y), np.isinf(rounded)), "overflow happens where it should"
    assert np.all(np.abs(y[~normal & np.isfinite(rounded)]) <= np.finfo(np.float32).tiny), "tiny results go to zero"


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 88.7, 88.8, -87.3, -103.9, 0.625, 0.5, 3e38, 1.2e-38], np.float32
)


def inputs(rng, size):
    x = np.concatenate(
        [SPECIAL, (rng.standard_normal(max(size - 15, 0)) * rng.choice([0.1, 1, 30], max(size - 15, 0)))]
    )
    return rng.permutation(x)[:size].astype(np.float32)


@pytest.mark.parametrize("name", list(ULP))
@pytest.mark.parametrize("size", [1, 255, 256, 257, 3000])
def test_agrees_with_float64_and_with_the_cpu(backend, rng, name, size):
    x = inputs(rng, size)
    y = backend.run(getattr(ct.ops, name), x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
        exact = np.where(np.abs(exact) > np.finfo(np.float32).max, np.sign(exact) * np.inf, exact)
    assert y.dtype == np.float32 and y.shape == x.shape
    assert np.array_equal(np.isnan(y), np.isnan(exact))
    finite = np.isfinite(exact)
    assert np.array_equal(y[~finite & ~np.isnan(exact)], exact[~finite & ~np.isnan(exact)])
    error = np.abs(y[finite] - exact[finite])
    assert np.all(
        error <= max(4, ULP[name]) * np.finfo(np.float32).eps * np.abs(exact[finite]) + np.finfo(np.float32).tiny
    )
    assert same_as_cpu(y, getattr(ct.ops, name)(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_limits(backend, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0], dtype)
    nan = np.nan
    for name, expected in {
        "exp": [nan, np.inf, 0, 1],
        "log": [nan, np.inf, nan, -np.inf],
        "tanh": [nan, 1, -1, 0],
        "sigmoid": [nan, 1, 0, 0.5],
        "softplus": [nan, np.inf, 0, np.log(2)],
        "relu": [nan, np.inf, 0, 0],
    }.items():
        assert np.allclose(backend.run(getattr(ct.ops, name), x), expected, equal_nan=True), name


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_size_gives_the_bits_of_single_values(backend, threads, rng, size, dtype):
    x = rng.standard_normal(size).astype(dtype)
    for name in (*NAMES, "exp"):
        function = getattr(ct.ops, name)
        y = function(x)
        assert y.shape == x.shape and y.dtype == dtype
        assert np.allclose(y, EXACT[name](x.astype(np.float64)), rtol=1e-6, atol=1e-7)
        for i in {0, size // 2, size - 1} if size else ():
            assert function(x[i : i + 1])[0] == y[i], (name, i)


def test_views_and_outputs(backend, rng):
    x = rng.standard_normal((12, 10)).astype(np.float32)
    on = backend.array(x)
    assert np.array_equal(backend.get(ct.ops.relu(on[::-2, 1::3])), np.maximum(x[::-2, 1::3], 0))
    out = backend.poisoned((12, 10))
    assert ct.ops.relu(on, out=out) is out and np.array_equal(backend.get(out), np.maximum(x, 0))
    wide = backend.poisoned((12, 20))
    ct.ops.relu(on, out=wide[:, ::2])
    assert np.array_equal(backend.get(wide)[:, ::2], np.maximum(x, 0)) and np.isnan(backend.get(wide)[:, 1::2]).all()
    assert ct.ops.relu(on, out=on) is on and np.array_equal(backend.get(on), np.maximum(x, 0))
    assert backend.run(ct.ops.relu, np.empty((0, 3), np.float32)).shape == (0, 3)


def test_out_may_overlap_what_is_read(backend, rng):
    x = rng.standard_normal(3000).astype(np.float32)
    on = backend.array(x)
    ct.ops.relu(on[1:], out=on[:-1])
    assert np.array_equal(backend.get(on), np.append(np.maximum(x[1:], 0), x[-1]))


@pytest.mark.on_the_cpu
def test_memory_in_any_order_and_read_only(backend, rng):
    x = rng.standard_normal((12, 20)).astype(np.float32)
    expected = ct.ops.tanh(x)
    frozen = x.copy()
    frozen.flags.writeable = False
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    for other in (np.asfortranarray(x), x[::-1][::-1], frozen, raw):
        assert np.array_equal(ct.ops.tanh(other), expected)


@pytest.mark.parametrize("name", [None, *ACTIVATIONS])
def test_derivatives(backend, rng, name):
    x, dy = rng.standard_normal((7, 9)), rng.standard_normal((7, 9))
    x[np.abs(x) < 1e-3] = 0.5  # away from ReLU's corner
    dx = ct.ops.activation_backward(dy, ct.ops.activation(x, name), name, x=x)
    slope, claimed = directional(lambda v: np.sum(dy * ct.ops.activation(v, name)), [x], [dx], rng)
    assert np.isclose(slope, claimed, rtol=1e-5)
    assert np.allclose(dx, dy * ACTIVATIONS[name or "identity"].slope(x), rtol=1e-12, atol=1e-14)
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    y = backend.run(ct.ops.activation, x, name)
    single = backend.run(ct.ops.activation_backward, dy, y, name, x=x)
    assert np.allclose(single, dx, rtol=1e-5, atol=1e-6)
    assert same_as_cpu(y, ct.ops.activation(x, name))
    assert same_as_cpu(single, ct.ops.activation_backward(dy, y, name, x=x))


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_derivatives_at_special_values_are_the_cpus(backend, rng, name):
    x, dy = inputs(rng, 1000), rng.standard_normal(1000).astype(np.float32)
    y = ct.ops.activation(x, name)
    found = backend.run(ct.ops.activation_backward, dy, y, name, x=x)
    assert same_as_cpu(found, ct.ops.activation_backward(dy, y, name, x=x))


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_derivatives_are_near_float64_for_all_magnitudes(backend, name):
    x = np.arange(0, 2**32, 99733, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.append(
        x[np.isfinite(x) & (np.abs(x) >= np.finfo(np.float32).tiny)], np.float32([0.0, -0.0, np.inf, -np.inf])
    )
    slope = ct.ops.activation_backward(np.ones_like(x), ct.ops.activation(x, name), name, x=x)
    error = np.abs(slope - ACTIVATIONS[name].slope(x.astype(np.float64))) / np.finfo(np.float32).eps
    worst = np.argmax(error)
    assert error[worst] <= ACTIVATIONS[name].slope_error, f"{backend} {name}({x[worst]!r}): {error[worst]} epsilons"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_zeros_keep_their_sign_and_infinities_and_nan_are_what_float64_says(backend, name, dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30, -1e-30], dtype)
    y, exact = backend.run(ct.ops.activation, x, name), ACTIVATIONS[name](x.astype(np.float64))
    assert np.allclose(y, exact, rtol=1e-6, atol=0, equal_nan=True), (y, exact)
    assert exact[0] != 0 or name == "tanh" or np.array_equal(np.signbit(y[:2]), [False, True])
    dx = backend.run(ct.ops.activation_backward, np.ones_like(x), y, name, x=x)
    exact = ACTIVATIONS[name].slope(x.astype(np.float64))
    assert np.allclose(np.delete(dx, 4), np.delete(exact, 4), rtol=1e-6, atol=1e-30)


def test_fma_levels_agree_to_the_bit(rng):
    x = (10 * rng.standard_normal(5003)).astype(np.float32)
    same_at_fma_levels(lambda: [getattr(ct.ops, name)(np.abs(x) if name == "log" else x) for name in ULP])


@pytest.mark.at_one_level
def test_bad_input(backend):
    x, long = (backend.array(np.ones(n, np.float32)) for n in (3, 4))
    with pytest.raises(ValueError, match=r"activation: name must be None or one of .*'relu'.*got 'rellu'"):
        ct.ops.activation(x, "rellu")
    with pytest.raises(TypeError, match=r"exp: x must be float32 (or float64|on CUDA), got int64"):
        ct.ops.exp(backend.array(np.arange(3)))
    with pytest.raises(ValueError, match=r"dy and y must have equal shapes, got \(3,\) and \(4,\)"):
        ct.ops.activation_backward(x, long, "tanh")
    with pytest.raises(TypeError, match="activation_backward: y must be a NumPy array, got NoneType"):
        ct.ops.activation_backward(x, None, "tanh", x=x)
    with pytest.raises(ValueError, match=r"relu: out must be float32 of shape \(3,\)"):
        ct.ops.relu(x, out=long)
    assert np.allclose(backend.get(ct.ops.exp(x)), np.e)


@pytest.mark.parametrize("name", OF_INPUT)
def test_a_derivative_that_is_written_from_the_input_asks_for_it(name):
    x = np.ones(2)
    with pytest.raises(
        ValueError, match=rf"the derivative of '{name}' is computed from its input.* pass as x what the activ"
    ):
        ct.ops.activation_backward(x, x, name)
    with pytest.raises(ValueError, match=r"dy and x must have equal shapes, got \(2,\) and \(3,\)"):
        ct.ops.activation_backward(x, None, name, x=np.ones(3))
    with pytest.raises(TypeError, match="all arrays must have one dtype"):
        ct.ops.activation_backward(x, None, name, x=np.ones(2, np.float32))
    with_y = ct.ops.activation_backward(x, np.full(2, 7.0), name, x=x)
    assert np.array_equal(with_y, ct.ops.activation_backward(x, None, name, x=x))


@pytest.mark.parametrize("name", OF_INPUT)
def test_gradients_of_a_layer_that_have_its_output_alone_say_what_to_do(name):
    x, w = np.ones((2, 3)), np.ones((3, 4))
    advice = (
        rf"the derivative of '{name}' is computed from its input.*ops.activation_backward\(dy, None, '{name}', x=...\)"
    )
    y = ct.ops.linear(x, w, activation=name)
    with pytest.raises(ValueError, match=f"linear_backward: {advice}"):
        ct.ops.linear_backward(y, x, w, y, activation=name)
    with pytest.raises(ValueError, match=f"linear_backward_bias: {advice}"):
        ct.ops.linear_backward_bias(y, y, activation=name)
    images, filters = np.ones((1, 4, 5, 2)), np.ones((2, 2, 2, 3))
    y = ct.ops.conv2d(images, filters, activation=name)
    with pytest.raises(ValueError, match=f"conv2d_backward: {advice}"):
        ct.ops.conv2d_backward(y, images, filters, y, activation=name)
    with pytest.raises(ValueError, match=f"convnd_backward: {advice}"):
        ct.ops.convnd_backward(y, images, filters, y, activation=name)
