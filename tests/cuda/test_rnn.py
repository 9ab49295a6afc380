"""Tests that recurrent cells are close to float64 over awkward shapes and lengths, and have the CPU's bits on a device."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalase import ops
from catalase.backends.cuda import rnn, rnn_weights
from tests.cuda.agreement import same_as_cpu
from tests.ops.test_rnn import GATES, KINDS, backward, expected, family, forward, make, options_of
from tests.reference.gradients import directional
from tests.reference.rnn import sigmoid

# Widths either side of a warp, of what 64 and 128 held weights hold, and of 256, 512 and 1,024 threads.
WIDE = {"tanh": [256, 257, 512, 513], "relu": [1025], "gru": [85, 86, 170, 171], "lstm": [64, 65, 128, 129, 260]}


def on_device(backend, arrays):
    return {name: backend.array(a) for name, a in arrays.items()}


def assert_like_cpu(backend, kind, arrays, rng, **options):
    """Outputs and gradients of everything, and outputs against float64."""
    device = on_device(backend, arrays)
    exact = expected(kind, arrays, **options)
    gradients = [rng.standard_normal(a.shape).astype(np.float32) for a in exact]
    outputs, claimed = backward(kind, arrays, gradients, **options)
    on, found = backward(kind, device, [backend.array(d) for d in gradients], **options)
    steps, hidden = arrays["x"].shape[1], arrays["w_h"].shape[0]
    bound = np.finfo(np.float32).eps * 4 * (steps + 1) * (arrays["x"].shape[2] + hidden + 8)
    for a, b, c in zip(on, outputs, exact, strict=True):
        assert same_as_cpu(backend.get(a), b)
        assert np.all(np.abs(backend.get(a) - c) <= bound * (1 + np.abs(c).max(initial=0)))
    for name, a, b in zip(arrays, found, claimed, strict=True):
        assert same_as_cpu(backend.get(a), b), name
    alone = forward(kind, device, **options)  # where nothing is kept
    assert all(np.array_equal(backend.get(a), b) for a, b in zip(alone, map(backend.get, on), strict=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS), n=st.integers(0, 9), steps=st.integers(0, 5), inputs=st.sampled_from([0, 1, 5, 33]),
    hidden=st.sampled_from([1, 3, 4, 15, 16, 17, 31, 33]), ragged=st.booleans(), reverse=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_agrees_with_the_oracle_and_with_the_cpu(backend, kind, n, steps, inputs, hidden, ragged, reverse, seed):
    rng = np.random.default_rng(seed)
    arrays = make(rng, kind, n, steps, inputs, hidden)
    lengths = rng.integers(0, steps + 1, n) if ragged else None
    assert_like_cpu(backend, kind, arrays, rng, lengths=lengths, reverse=reverse)


@pytest.mark.parametrize("kind, hidden", [(k, h) for k, widths in WIDE.items() for h in widths])
def test_either_side_of_what_is_held(backend, rng, kind, hidden):
    for n in (2, 5):  # one row a block, and four
        arrays = make(rng, kind, n, 2, 3, hidden)
        assert_like_cpu(backend, kind, arrays, rng, lengths=[2] * (n - 1) + [1])


@pytest.mark.on_a_device
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floats", [100, 2000, 9000, 2**15])
def test_what_shared_memory_does_not_hold(backend, rng, monkeypatch, kind, floats):
    """Nothing; the states of one row; some of the weights and one row; more of the weights and four rows."""
    monkeypatch.setattr(rnn, "_shared_floats", lambda runtime: floats)
    hidden = {"gru": 174, "lstm": 130}.get(kind, 514)
    if backend.name == "host":
        backend.runtime.kernels.clear()
    assert_like_cpu(backend, kind, make(rng, kind, 5, 2, 2, hidden), rng)
    if backend.name == "host":
        wanted = {100: "far", 2**15: "0_4"}.get(floats, "0_1")
        assert wanted == "0_1" or {f"rnn_forward_{wanted}", f"rnn_backward_{wanted}"} <= backend.runtime.kernels


@pytest.mark.on_a_device
@pytest.mark.parametrize("kind, hidden", [("tanh", 200), ("gru", 100), ("lstm", 100)])
@pytest.mark.parametrize("floats", [4000, 2**14])
def test_weights_in_registers_in_shared_memory_and_beyond(backend, rng, monkeypatch, kind, hidden, floats):
    monkeypatch.setattr(rnn, "_shared_floats", lambda runtime: floats)
    assert_like_cpu(backend, kind, make(rng, kind, 5, 2, 2, hidden), rng)


@pytest.mark.on_a_device
@pytest.mark.parametrize("kind, n, steps, hidden", [("relu", 9, 480, 1), ("lstm", 30, 47, 48), ("gru", 29, 48, 48)])
@pytest.mark.parametrize("ragged", [False, True])
def test_sums_over_many_steps_are_cut_as_on_the_cpu(backend, rng, monkeypatch, kind, n, steps, hidden, ragged):
    """More rows than a chain takes; several chunks; more chunks than there is room for parts."""
    arrays = make(rng, kind, n, steps, 2, hidden)
    arrays["w_h"] *= 0.5
    lengths = rng.integers(steps - 10, steps + 1, n) if ragged else None
    dy = rng.standard_normal((n, steps, hidden)).astype(np.float32)
    rest = [None] * (2 if kind == "lstm" else 1)
    _, claimed = backward(kind, arrays, [dy, *rest], lengths=lengths)
    device, on = on_device(backend, arrays), backend.array(dy)
    options = options_of(kind, lengths=lengths)
    *_, saved = getattr(ops, f"{family(kind)}_forward")(*device.values(), **options)
    # Parts; parts with room for one; all chunks in a block's registers.
    for room, processors in ((2**28, 1),) if ragged else ((2**28, None), (1, None)):
        monkeypatch.setattr(rnn_weights, "SCRATCH_BYTES", room)
        if processors and backend.name == "host":
            monkeypatch.setattr(backend.runtime, "multiprocessors", processors, raising=False)
        given_ = [device[name] for name in ("x", "w_x", "w_h")]
        found = getattr(ops, f"{family(kind)}_backward")(on, *rest, *given_, saved, **options)
        for name, a, b in zip(arrays, found, claimed, strict=True):
            assert same_as_cpu(backend.get(a), b), (name, room)


@pytest.mark.on_a_device
@pytest.mark.parametrize("schedule", [0, 1, 5, 7])
def test_short_chunks_are_summed_latest_first(backend, rng, monkeypatch, schedule):
    """One tile of rows a chunk, so that a block goes from one to the next at once."""
    a, dz = rng.standard_normal((75, 5)).astype(np.float32), rng.standard_normal((75, 70)).astype(np.float32)
    plan = SimpleNamespace(chunks=5, bounds=None, even=16, rows=75)
    cpu = ops.matmul(a[64:].T, dz[64:])
    for first in (48, 32, 16, 0):
        cpu = ops.matmul(a[first : first + 16].T, dz[first : first + 16], add=cpu)
    for processors in (1, 100):  # in a block's registers; in parts
        if backend.name == "host":
            backend.runtime.schedule = schedule
            monkeypatch.setattr(backend.runtime, "multiprocessors", processors, raising=False)
        dw = rnn_weights.weight_gradient(backend.runtime, backend.array(a), backend.array(dz), plan, 3)
        assert same_as_cpu(backend.get(dw), np.roll(cpu, 3, axis=1))
    if backend.name == "host":
        backend.runtime.schedule = None


@pytest.mark.parametrize("kind", KINDS)
def test_bits_do_not_depend_on_batch_or_parts(backend, rng, monkeypatch, kind):
    arrays = make(rng, kind, 6, 11, 3, 18)
    device = on_device(backend, arrays)
    whole = [backend.get(a) for a in forward(kind, device)]
    states = ["h0", "c0"][: len(whole) - 1]
    alone = {name: a[1:2] if name in ("x", *states) else a for name, a in device.items()}
    assert np.array_equal(backend.get(forward(kind, alone)[0])[0], whole[0][1])
    for cuts in ([0, 4, 11], list(range(12))):
        part, pieces = dict(device), []
        for start, stop in itertools.pairwise(cuts):
            part["x"] = device["x"][:, start:stop]
            y, *state = forward(kind, part)
            pieces.append(backend.get(y))
            part |= dict(zip(states, state, strict=True))
        assert np.array_equal(np.concatenate(pieces, axis=1), whole[0])
        assert all(np.array_equal(backend.get(a), b) for a, b in zip(state, whole[1:], strict=True))
    lengths = np.array([11, 0, 7, 3, 11, 1])
    ragged = [backend.get(a) for a in forward(kind, device, lengths=lengths, reverse=True)]
    monkeypatch.setattr(rnn, "_GATES_BYTES", 4 * GATES[kind] * 18 * 14)  # room for 14 rows at a time
    for options, wanted in (({}, whole), ({"lengths": lengths, "reverse": True}, ragged)):
        for a, b in zip(forward(kind, device, **options), wanted, strict=True):
            assert np.array_equal(backend.get(a), b)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_oracle(backend, rng, kind):
    """By finite differences of the float64 oracle, the backend's own gradients in float32."""
    arrays = make(rng, kind, 4, 3, 2, 5)
    options = {"lengths": [3, 0, 2, 1], "reverse": True}
    exact = {name: a.astype(np.float64) for name, a in arrays.items()}
    gradients = [rng.standard_normal(a.shape).astype(np.float32) for a in expected(kind, exact, **options)]
    _, found = backward(kind, on_device(backend, arrays), [backend.array(d) for d in gradients], **options)

    def loss(*values):
        outputs = expected(kind, dict(zip(exact, values, strict=True)), **options)
        return sum(float(np.sum(a * d)) for a, d in zip(outputs, gradients, strict=True))

    claimed = [backend.get(g).astype(np.float64) for g in found]
    measured, slope = directional(loss, list(exact.values()), claimed, rng)
    assert kind == "relu" or abs(measured - slope) <= 1e-4 * (1 + abs(measured))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_may_be_left_out(backend, rng, kind):
    arrays = make(rng, kind, 3, 4, 2, 5)
    device = on_device(backend, arrays)
    zeros = [np.zeros_like(a) for a in forward(kind, arrays)]
    for place in range(len(zeros)):
        only = [None] * len(zeros)
        only[place] = backend.array(rng.standard_normal(zeros[place].shape).astype(np.float32))
        filled = [backend.array(z) if d is None else d for z, d in zip(zeros, only, strict=True)]
        for a, b in zip(backward(kind, device, only)[1], backward(kind, device, filled)[1], strict=True):
            assert np.array_equal(backend.get(a), backend.get(b))
    *_, saved = getattr(ops, f"{family(kind)}_forward")(*device.values(), **options_of(kind))
    given_ = [device[name] for name in ("x", "w_x", "w_h")]
    dx, *_ = getattr(ops, f"{family(kind)}_backward")(*only, *given_, saved, **options_of(kind, input_gradient=False))
    assert dx is None


@pytest.mark.parametrize("kind", KINDS)
def test_any_layout_and_lengths_on_the_device(backend, rng, kind):
    arrays = make(rng, kind, 5, 4, 3, 6)
    lengths = np.array([4, 1, 0, 2, 4])
    wide = {name: np.repeat(a, 2, axis=-1) for name, a in arrays.items()}
    views = {name: backend.array(a)[..., ::2] for name, a in wide.items()}
    on = backend.array(lengths)
    dy = rng.standard_normal((4, 5, 6)).astype(np.float32)
    rest = [None] * (2 if kind == "lstm" else 1)
    outputs, claimed = backward(kind, arrays, [dy.swapaxes(0, 1), *rest], lengths=lengths)
    got, found = backward(kind, views, [backend.array(dy).swapaxes(0, 1), *rest], lengths=on)
    for a, b in zip([*got, *found], [*outputs, *claimed], strict=True):
        assert same_as_cpu(backend.get(a), b)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_in_its_sequence_and_beyond_a_length_nothing_is_read(backend, rng, kind):
    arrays = make(rng, kind, 6, 5, 4, 18)
    clean = backend.get(forward(kind, on_device(backend, arrays))[0])
    arrays["x"][4, 2, 0] = np.nan
    device = on_device(backend, arrays)
    y = backend.get(forward(kind, device)[0])
    others = np.arange(6) != 4
    assert np.array_equal(y[others], clean[others]) and np.array_equal(y[4, :2], clean[4, :2])
    assert np.isnan(y[4, 2:]).all()
    dy = np.ones_like(clean)
    dy[4, 2:] = np.nan
    gradients = [backend.array(dy)] + [None] * (2 if kind == "lstm" else 1)
    outputs, back = backward(kind, device, gradients, lengths=[5, 5, 5, 5, 2, 5])
    assert all(np.isfinite(backend.get(a)).all() for a in [*outputs, *back])


def test_extreme_values_saturate(backend):
    x = np.array([[[1e30], [-1e30], [3e38], [200], [-200], [1e-30], [-0.0]]], np.float32)
    given_ = dict(
        zip(("x", "w_x", "w_h", "b"), (x, *np.ones((2, 1, 4), np.float32), np.zeros(4, np.float32)), strict=True)
    )
    outputs = ops.lstm(*on_device(backend, given_).values())
    with np.errstate(over="ignore"):
        exact = expected("lstm", given_)
    for cpu, on, limit in zip(ops.lstm(*given_.values()), outputs, exact, strict=True):
        assert same_as_cpu(backend.get(on), cpu) and np.allclose(backend.get(on), limit, rtol=0, atol=1e-6)


def test_activations_of_the_gates(backend):
    """tanh through a plain cell, sigmoid through the update gate of a GRU, over a sweep."""
    x = np.concatenate([np.linspace(-12, 12, 3001), np.geomspace(1e-30, 1, 99)]).astype(np.float32).reshape(-1, 1, 1)
    one, zero, w = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32), np.array([[0, 1, 0]], np.float32)
    plain = (x, one, zero, zero[0])
    gated = (x, w, np.zeros((1, 3), np.float32), np.zeros((2, 3), np.float32), np.ones((len(x), 1), np.float32))
    for run, arrays, function in ((ops.rnn, plain, np.tanh), (ops.gru, gated, sigmoid)):
        found = backend.get(run(*map(backend.array, arrays))[0])
        assert same_as_cpu(found, run(*arrays)[0])
        assert np.allclose(found, function(x.astype(np.float64)), rtol=4 * np.finfo(np.float32).eps, atol=0)


def test_errors(backend, rng):
    arrays = make(rng, "lstm", 2, 3, 4, 5)
    a = on_device(backend, arrays)
    with pytest.raises(ValueError, match=r"lstm: x must be \(N, T, I\).*x\[None\]"):
        ops.lstm(a["x"][0], a["w_x"], a["w_h"], a["b"])
    with pytest.raises(ValueError, match="c0 must have shape"):
        ops.lstm(*list(a.values())[:5], a["c0"][:1])
    for lengths in ([3, 4], backend.array(np.array([3, 4]))):
        with pytest.raises(ValueError, match="from 0 to 3, the steps of x, but sequence 1 has 4"):
            ops.lstm(*a.values(), lengths=lengths)
    *_, saved = ops.lstm_forward(*a.values(), lengths=[1, 3])
    with pytest.raises(ValueError, match="saved must be what lstm_forward returned"):
        ops.lstm_backward(None, None, None, a["x"], a["w_x"], a["w_h"], saved)
    with pytest.raises(TypeError, match="b must be an array"):
        ops.lstm(a["x"], a["w_x"], a["w_h"], None)
    assert backend.get(ops.lstm(*a.values())[0]).shape == (2, 3, 5)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend, rng):
    arrays = make(rng, "lstm", 2, 3, 4, 5)
    a = on_device(backend, arrays)
    with pytest.raises(TypeError, match="lstm: all arrays must be on one device"):
        ops.lstm(a["x"], arrays["w_x"], a["w_h"], a["b"])
    with pytest.raises(TypeError, match="lstm: all arrays must be on one device"):
        ops.lstm(arrays["x"], a["w_x"], a["w_h"], a["b"])
    with pytest.raises(TypeError, match="b must be float32 on CUDA, got float64"):
        ops.lstm(a["x"], a["w_x"], a["w_h"], backend.array(arrays["b"].astype(np.float64)))
    *_, other = ops.lstm_forward(*arrays.values())
    with pytest.raises(TypeError, match="lstm_backward: all arrays must be on one device"):
        ops.lstm_backward(None, None, None, a["x"], a["w_x"], a["w_h"], other)
    *_, saved = ops.lstm_forward(*a.values())
    with pytest.raises(TypeError, match="lstm_backward: all arrays must be on one device"):
        ops.lstm_backward(None, None, None, arrays["x"], arrays["w_x"], arrays["w_h"], saved)
