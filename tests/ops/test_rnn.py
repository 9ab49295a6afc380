"""Tests of recurrent cells against the float64 oracle over awkward shapes and lengths; gradients, bits, errors, PyTorch."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase import ops
from catalase.backends.cuda import rnn as device
from tests.agreement import FLOATS, same_as_cpu
from tests.reference import rnn as reference
from tests.reference.gradients import directional

# Widths either side of a warp, of what 64 and 128 held weights hold, and of 256, 512 and 1,024 of a device's threads.
WIDE = {"tanh": [256, 257, 512, 513], "relu": [1025], "gru": [85, 86, 170, 171], "lstm": [64, 65, 128, 129, 260]}
KINDS = ["tanh", "relu", "gru", "lstm"]
GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}
HIDDEN = [1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 70]
SETTINGS = settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def make(rng, kind, n, steps, inputs, hidden, dtype=np.float32):
    """x, weights, bias and states, by the names of the arguments."""
    width, scale = GATES[kind] * hidden, 1 / np.sqrt(hidden)
    bias = (2, width) if kind == "gru" else (width,)
    shapes = {"x": (n, steps, inputs), "w_x": (inputs, width), "w_h": (hidden, width), "b": bias, "h0": (n, hidden)}
    if kind == "lstm":
        shapes["c0"] = (n, hidden)
    factors = {"w_x": 1 / np.sqrt(max(inputs, 1)), "w_h": scale}
    return {name: (rng.standard_normal(s) * factors.get(name, 1)).astype(dtype) for name, s in shapes.items()}


def options_of(kind, **more):
    return more | ({"activation": kind} if kind in ("tanh", "relu") else {})


def family(kind):
    return "rnn" if kind in ("tanh", "relu") else kind


def forward(kind, arrays, **options):
    return getattr(ops, family(kind))(*arrays.values(), **options_of(kind, **options))


def backward(kind, arrays, gradients, **options):
    *outputs, saved = getattr(ops, f"{family(kind)}_forward")(*arrays.values(), **options_of(kind, **options))
    x, w_x, w_h = (arrays[name] for name in ("x", "w_x", "w_h"))
    run = getattr(ops, f"{family(kind)}_backward")
    return outputs, run(*gradients, x, w_x, w_h, saved, **options_of(kind, **options))


def expected(kind, arrays, **options):
    return reference.run(family(kind), *arrays.values(), **options_of(kind, **options))


def on_device(backend, arrays):
    return {name: backend.array(a) for name, a in arrays.items()}


def assert_like_cpu(backend, kind, arrays, rng, **options):
    """Outputs beside the oracle, and outputs and gradients of everything with the CPU's bits."""
    there = on_device(backend, arrays)
    dtype, exact = arrays["x"].dtype, expected(kind, arrays, **options)
    gradients = [rng.standard_normal(a.shape).astype(dtype) for a in exact]
    outputs, claimed = backward(kind, arrays, gradients, **options)
    on, found = backward(kind, there, [backend.array(d) for d in gradients], **options)
    steps, hidden = arrays["x"].shape[1], arrays["w_h"].shape[0]
    # Each step adds rounding errors of a sum of inputs + hidden terms, and hands on those of the step before.
    bound = np.finfo(dtype).eps * 4 * (steps + 1) * (arrays["x"].shape[2] + hidden + 8)
    for a, b, c in zip(on, outputs, exact, strict=True):
        assert same_as_cpu(backend.get(a), b)
        assert np.all(np.abs(backend.get(a) - c) <= bound * (1 + np.abs(c).max(initial=0)))
    for name, a, b in zip(arrays, found, claimed, strict=True):
        assert same_as_cpu(backend.get(a), b), name
    alone = forward(kind, there, **options)  # where nothing is kept
    assert all(np.array_equal(backend.get(a), b) for a, b in zip(alone, map(backend.get, on), strict=True))
    return backend.get(on[0])


@given(
    kind=st.sampled_from(KINDS), n=st.integers(0, 9), steps=st.integers(0, 6), inputs=st.sampled_from([0, 1, 5, 16, 33]),
    hidden=st.sampled_from(HIDDEN), double=st.booleans(), ragged=st.booleans(), reverse=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@SETTINGS
def test_agrees_with_the_oracle_and_the_cpu(backend, kind, n, steps, inputs, hidden, double, ragged, reverse, seed):
    rng, dtype = np.random.default_rng(seed), np.float64 if double and backend.device == "cpu" else np.float32
    hidden = min(hidden, 33) if backend.device == "host" else hidden  # more take the shim long
    arrays = make(rng, kind, n, steps, inputs, hidden, dtype)
    lengths = rng.integers(0, steps + 1, n) if ragged else None
    y = assert_like_cpu(backend, kind, arrays, rng, lengths=lengths, reverse=reverse)
    assert y.dtype == dtype and (not ragged or not any(y[i, lengths[i] :].any() for i in range(n)))


@pytest.mark.at_one_level
@pytest.mark.parametrize("kind, hidden", [(k, h) for k, widths in WIDE.items() for h in widths])
def test_either_side_of_what_a_device_holds(backend, rng, kind, hidden):
    for n in (2, 5):  # one row a block, and four
        arrays = make(rng, kind, n, 2, 3, hidden)
        assert_like_cpu(backend, kind, arrays, rng, lengths=[2] * (n - 1) + [1])


@given(
    kind=st.sampled_from(KINDS), n=st.integers(1, 8), steps=st.integers(1, 5), hidden=st.sampled_from([1, 4, 5, 9, 17]),
    ragged=st.booleans(), reverse=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@SETTINGS
def test_gradients_are_those_of_the_oracle(backend, kind, n, steps, hidden, ragged, reverse, seed):
    rng, hidden = np.random.default_rng(seed), min(hidden, 5) if backend.device == "host" else hidden
    arrays = make(rng, kind, n, steps, 3, hidden, np.float64)
    options = {"lengths": rng.integers(0, steps + 1, n) if ragged else None, "reverse": reverse}
    gradients = [rng.standard_normal(a.shape) for a in expected(kind, arrays, **options)]
    _, claimed = backward(kind, arrays, gradients, **options)

    def loss(*values):
        outputs = expected(kind, dict(zip(arrays, values, strict=True)), **options)
        return sum(float(np.sum(a * d)) for a, d in zip(outputs, gradients, strict=True))

    assert [g.shape for g in claimed] == [a.shape for a in arrays.values()]
    measured, slope = directional(loss, list(arrays.values()), claimed, rng)
    if kind != "relu" or abs(measured - slope) < 1e-4:  # a ReLU may have its kink between the two points
        assert abs(measured - slope) <= 1e-5 * (1 + abs(measured))
    # The same from float32, which takes another path through the vectors.
    single = {name: a.astype(np.float32) for name, a in arrays.items()}
    single_gradients = [backend.array(d.astype(np.float32)) for d in gradients]
    _, found = backward(kind, on_device(backend, single), single_gradients, **options)
    if kind != "relu":
        for name, a, b in zip(arrays, map(backend.get, found), claimed, strict=True):
            assert np.allclose(a, b, rtol=0, atol=2e-5 * (1 + np.abs(b).max())), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "steps", "hidden"), [(20, 150, 70), (5, 50, 300), (2, 200, 600), (300, 3, 70)])
def test_gradients_summed_over_many_chunks_are_those_of_the_sequences_alone(kind, n, steps, hidden, rng):
    """Chunks longer and shorter than a block of K, whose sums are kept in two ways, and steps that are a chunk each."""
    arrays = make(rng, kind, n, steps, 5, hidden, np.float64)
    gradients = [rng.standard_normal(a.shape) for a in forward(kind, arrays)]
    _, together = backward(kind, arrays, gradients)
    parts = np.array_split(np.arange(n), n if n < 100 else 4)
    alone = []
    for rows in parts:
        some = {name: a[rows] if name in ("x", "h0", "c0") else a for name, a in arrays.items()}
        alone.append(backward(kind, some, [d[rows] for d in gradients])[1])
    for name, a, *each in zip(arrays, together, *alone, strict=True):
        b = np.concatenate(each) if name in ("x", "h0", "c0") else sum(each)
        assert np.allclose(a, b, rtol=0, atol=1e-11 * (1 + np.abs(b).max())), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_may_be_left_out(backend, rng, kind, dtype):
    arrays = make(rng, kind, 3, 4, 2, 5, dtype)
    there = on_device(backend, arrays)
    zeros = [np.zeros_like(a) for a in forward(kind, arrays)]
    for place in range(len(zeros)):
        only = [None] * len(zeros)
        only[place] = backend.array(rng.standard_normal(zeros[place].shape).astype(dtype))
        filled = [backend.array(z) if d is None else d for z, d in zip(zeros, only, strict=True)]
        for a, b in zip(backward(kind, there, only)[1], backward(kind, there, filled)[1], strict=True):
            assert np.array_equal(backend.get(a), backend.get(b))
    *_, saved = getattr(ops, f"{family(kind)}_forward")(*there.values(), **options_of(kind))
    given_ = [there[name] for name in ("x", "w_x", "w_h")]
    dx, *_ = getattr(ops, f"{family(kind)}_backward")(*only, *given_, saved, **options_of(kind, input_gradient=False))
    assert dx is None


def assert_parts_give_the_whole(backend, kind, arrays, whole, *many_cuts):
    """A sequence in parts, each from the state that the one before left, has the bits of the whole."""
    states = ["h0", "c0"][: len(whole) - 1]
    for cuts in many_cuts:
        part, pieces = dict(arrays), []
        for start, stop in itertools.pairwise(cuts):
            part["x"] = arrays["x"][:, start:stop]
            y, *state = forward(kind, part)
            pieces.append(backend.get(y))
            part |= dict(zip(states, state, strict=True))
        assert np.array_equal(np.concatenate(pieces, axis=1), whole[0])
        assert all(np.array_equal(backend.get(a), b) for a, b in zip(state, whole[1:], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_bits_do_not_depend_on_batch_or_parts(backend, rng, monkeypatch, kind):
    arrays = on_device(backend, make(rng, kind, 6, 11, 3, 18))
    whole = [backend.get(a) for a in forward(kind, arrays)]
    alone = {name: a[1:2] if name in ("x", "h0", "c0") else a for name, a in arrays.items()}
    assert np.array_equal(backend.get(forward(kind, alone)[0])[0], whole[0][1])
    assert_parts_give_the_whole(backend, kind, arrays, whole, [0, 4, 11], list(range(12)))
    if backend.device == "cpu":
        return
    lengths = np.array([11, 0, 7, 3, 11, 1])
    ragged = [backend.get(a) for a in forward(kind, arrays, lengths=lengths, reverse=True)]
    monkeypatch.setattr(device, "_GATES_BYTES", 4 * GATES[kind] * 18 * 14)  # room for 14 rows at a time
    for options, wanted in (({}, whole), ({"lengths": lengths, "reverse": True}, ragged)):
        for a, b in zip(forward(kind, arrays, **options), wanted, strict=True):
            assert np.array_equal(backend.get(a), b)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 5, 23])
def test_bits_of_long_sequences_do_not_depend_on_threads_batch_or_parts(backend, kind, n, rng):
    arrays = make(rng, kind, n, 40, 20, 72)
    lengths = rng.integers(0, 41, n)
    gradients = [rng.standard_normal(a.shape).astype(np.float32) for a in forward(kind, arrays)]
    results = []
    before = ct.get_num_threads()
    for count in (1, 2, 3):
        ct.set_num_threads(count)
        outputs, back = backward(kind, arrays, gradients, lengths=lengths)
        results.append([*outputs, *back])
    ct.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
    whole = forward(kind, arrays)
    alone = {name: a[:1] if name in ("x", "h0", "c0") else a for name, a in arrays.items()}
    assert np.array_equal(forward(kind, alone)[0][0], whole[0][0])
    assert_parts_give_the_whole(backend, kind, arrays, whole, [0, 13, 40], list(range(41)))


@pytest.mark.parametrize("kind", KINDS)
def test_reverse_is_the_flipped_sequence(backend, kind, rng):
    arrays = on_device(backend, make(rng, kind, 3, 7, 4, 6))
    flipped = list(map(backend.get, forward(kind, arrays | {"x": arrays["x"][:, ::-1]})))
    got = list(map(backend.get, forward(kind, arrays, reverse=True)))
    assert np.array_equal(got[0], flipped[0][:, ::-1]) and np.array_equal(got[1], flipped[1])


@pytest.mark.parametrize("kind", KINDS)
def test_views_and_lengths_on_the_device(backend, rng, kind):
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
def test_any_layout(kind, rng):
    arrays = make(rng, kind, 3, 5, 4, 6)
    expected_ = forward(kind, arrays)
    strided = {}
    for name, a in arrays.items():
        wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), np.float32)
        wide[..., ::2] = a
        strided[name] = wide[..., ::2]
    backwards = {name: a[..., ::-1].copy()[..., ::-1] for name, a in arrays.items()}
    raw = {name: np.zeros(a.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(a.shape) for name, a in arrays.items()}
    for name, a in arrays.items():
        raw[name][...] = a
        a.flags.writeable = False
    for layout in (strided, backwards, raw, arrays):
        assert all(np.array_equal(a, b) for a, b in zip(forward(kind, layout), expected_, strict=True))


def test_a_weight_of_one_column_may_have_any_stride(rng):
    arrays = make(rng, "tanh", 3, 4, 5, 1)
    expected_ = forward("tanh", arrays)
    arrays["w_x"] = np.repeat(arrays["w_x"], 7, axis=1)[:, ::3][:, :1]
    assert arrays["w_x"].strides == (28, 12)
    assert all(np.array_equal(a, b) for a, b in zip(forward("tanh", arrays), expected_, strict=True))


def test_no_array_function_has_an_argument_of_its_own():
    functions = [getattr(ops, name) for name in dir(ops) if inspect.isfunction(getattr(ops, name))]
    assert not [f for f in functions if any(name.startswith("_") for name in inspect.signature(f).parameters)]


@pytest.mark.parametrize("kind", KINDS)
def test_empty(kind, rng):
    for n, steps in ((0, 4), (3, 0), (0, 0)):
        arrays = make(rng, kind, n, steps, 4, 5)
        gradients = [np.ones_like(a) for a in forward(kind, arrays)]
        outputs, back = backward(kind, arrays, gradients)
        assert outputs[0].shape == (n, steps, 5) and np.array_equal(outputs[1], arrays["h0"])
        assert not any(g.any() for g in back[1:4]) and np.array_equal(back[4], gradients[1])
    arrays = make(rng, kind, 2, 3, 4, 5)
    outputs = forward(kind, arrays, lengths=[0, 3])
    assert np.array_equal(outputs[1][0], arrays["h0"][0]) and not outputs[0][0].any()


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "steps", "hidden"), [(1, 5, 19), (3, 0, 19), (6, 70, 70)])
def test_outputs_and_scratch_do_not_keep_what_lay_there(backend, kind, n, steps, hidden, rng):
    """Every block of the allocator that may be handed out is full of NaN; the last case has several chunks."""
    arrays = make(rng, kind, n, steps, 3, hidden, np.float64)
    lengths = rng.integers(0, steps + 1, n)
    gradients = [rng.standard_normal(a.shape) for a in forward(kind, arrays, lengths=lengths)]
    outputs, back = backward(kind, arrays, gradients, lengths=lengths)
    blocks = [ops.empty(n << k, np.float64) for k in range(13) for n in range(8, 16) for _ in range(4)]
    for block in blocks:
        block[...] = np.nan
    del block, blocks
    again, back_again = backward(kind, arrays, gradients, lengths=lengths)
    assert all(np.array_equal(a, b) for a, b in zip([*outputs, *back], [*again, *back_again], strict=True))
    assert all(np.isfinite(a).all() for a in [*outputs, *back])


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_in_its_sequence_and_beyond_a_length_nothing_is_read(backend, rng, kind):
    arrays = make(rng, kind, 9, 6, 4, 18)
    clean = backend.get(forward(kind, on_device(backend, arrays))[0])
    arrays["x"][4, 2, 0] = np.nan
    there = on_device(backend, arrays)
    y = backend.get(forward(kind, there)[0])
    others = np.arange(9) != 4
    assert np.array_equal(y[others], clean[others]) and np.array_equal(y[4, :2], clean[4, :2])
    assert np.isnan(y[4, 2:]).all()
    dy = np.ones_like(clean)
    dy[4, 2:] = np.nan
    gradients = [backend.array(dy)] + [None] * (2 if kind == "lstm" else 1)
    outputs, back = backward(kind, there, gradients, lengths=[6, 6, 6, 6, 2, 6, 6, 6, 6])
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
    some = 40_001 if backend.device == "cpu" else 3001
    x = (
        np.concatenate([np.linspace(-12, 12, some), np.geomspace(1e-30, 1, some // 40)])
        .astype(np.float32)
        .reshape(-1, 1, 1)
    )
    one, zero, w = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32), np.array([[0, 1, 0]], np.float32)
    plain = (x, one, zero, zero[0])
    gated = (x, w, np.zeros((1, 3), np.float32), np.zeros((2, 3), np.float32), np.ones((len(x), 1), np.float32))
    for run, arrays, function in ((ops.rnn, plain, np.tanh), (ops.gru, gated, reference.sigmoid)):
        found = backend.get(run(*map(backend.array, arrays))[0])
        assert same_as_cpu(found, run(*arrays)[0])
        assert np.allclose(found, function(x.astype(np.float64)), rtol=4 * np.finfo(np.float32).eps, atol=0)


@pytest.mark.at_one_level
def test_errors_say_what_to_do(backend, rng):
    a = on_device(backend, make(rng, "lstm", 2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"lstm: x must be \(N, T, I\).*x\[None\]"):
        ops.lstm(a["x"][0], a["w_x"], a["w_h"], a["b"])
    with pytest.raises(ValueError, match=r"w_h must be \(H, 4 \* H\)"):
        ops.lstm(a["x"], a["w_x"], a["w_h"][:4], a["b"])
    with pytest.raises(ValueError, match="w_x must have shape"):
        ops.lstm(a["x"], a["w_x"][1:], a["w_h"], a["b"])
    with pytest.raises(ValueError, match="c0 must have shape"):
        ops.lstm(*list(a.values())[:5], a["c0"][:1])
    with pytest.raises(TypeError, match="b must be an array; for a cell without bias pass zeros"):
        ops.lstm(a["x"], a["w_x"], a["w_h"], None)
    for lengths in ([3, 4], backend.array(np.array([3, 4]))):
        with pytest.raises(ValueError, match="from 0 to 3, the steps of x, but sequence 1 has 4"):
            ops.lstm(*a.values(), lengths=lengths)
    with pytest.raises(ValueError, match="sequence 0 has -1"):
        ops.lstm(*a.values(), lengths=[-1, 3])
    with pytest.raises(TypeError, match="whole numbers"):
        ops.lstm(*a.values(), lengths=[1.5, 3.0])
    with pytest.raises(ValueError, match="one a sequence"):
        ops.lstm(*a.values(), lengths=[3])
    with pytest.raises(ValueError, match="'tanh' or 'relu', got 'cube'"):
        ops.rnn(a["x"], a["w_x"][:, :5], a["w_h"][:, :5], a["b"][:5], activation="cube")
    *_, saved = ops.lstm_forward(*a.values(), lengths=[1, 3])
    with pytest.raises(ValueError, match="saved must be what lstm_forward returned"):
        ops.lstm_backward(None, None, None, a["x"], a["w_x"], a["w_h"], saved)
    assert backend.get(ops.lstm(*a.values())[0]).shape == (2, 3, 5)


def test_lists_and_two_dtypes_are_refused(rng):
    a = make(rng, "lstm", 2, 3, 4, 5)
    with pytest.raises(TypeError, match="one dtype"):
        ops.lstm(a["x"].astype(np.float64), a["w_x"], a["w_h"], a["b"])
    with pytest.raises(TypeError, match="must be a NumPy array"):
        ops.lstm([[[1.0]]], a["w_x"], a["w_h"], a["b"])


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_like_pytorch_with_packed_sequences(kind, reverse, rng):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    make_layer = {"gru": nn.GRU, "lstm": nn.LSTM}.get(kind, nn.RNN)
    extra = {"nonlinearity": kind} if kind in ("tanh", "relu") else {}
    layer = make_layer(6, 20, batch_first=True, bidirectional=reverse, dtype=torch.float64, **extra)
    lengths = [9, 4, 1, 9, 6]
    x = torch.from_numpy(rng.standard_normal((5, 9, 6))).requires_grad_()
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    packed_y, state = layer(packed)
    y, _ = nn.utils.rnn.pad_packed_sequence(packed_y, batch_first=True)
    y = y[..., 20:] if reverse else y
    dy = rng.standard_normal(y.shape)
    y.backward(torch.from_numpy(dy))
    suffix = "_l0_reverse" if reverse else "_l0"
    arrays = {"x": x.detach().numpy(), **ct.nn.recurrent_from_torch(layer.state_dict(), suffix)}
    gradients = [dy] + [None] * (2 if kind == "lstm" else 1)
    outputs, (dx, dw_x, dw_h, db, *_) = backward(kind, arrays, gradients, lengths=lengths, reverse=reverse)
    assert np.allclose(outputs[0], y.detach().numpy(), atol=1e-12)
    last = state[0] if kind == "lstm" else state
    assert np.allclose(outputs[1], last[-1].detach().numpy(), atol=1e-12)
    theirs = {name: p.grad.numpy() for name, p in layer.named_parameters() if p.grad is not None}
    assert np.allclose(dx, x.grad.numpy(), atol=1e-12)
    assert np.allclose(dw_x, theirs[f"weight_ih{suffix}"].T, atol=1e-11)
    assert np.allclose(dw_h, theirs[f"weight_hh{suffix}"].T, atol=1e-11)
    assert np.allclose(db if kind != "gru" else db[1], theirs[f"bias_hh{suffix}"], atol=1e-11)
