"""Tests that outputs that overlap other arguments get the right values, or an error that names both."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from catalase import ops
from tests.reference.activations import NAMES

pytestmark = pytest.mark.on_the_cpu

MAPS = ("exp", "log", *NAMES)


def places(buffer, n):
    """Views of n values that overlap the first n of the buffer: shifted, reversed, every other, itself."""
    return {"itself": buffer[:n], "reversed": buffer[:n][::-1], "wide": buffer[: 2 * n : 2]} | {
        f"shifted by {k}": buffer[k : k + n] for k in (1, 3, 7, 16)
    }


@pytest.mark.parametrize("name", [*MAPS, "dropout"])
@pytest.mark.parametrize("n", [1, 4, 16, 64, 100, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_elementwise_functions_give_the_values_wherever_out_lies(backend, name, n, dtype):
    function = (lambda x, out=None: ops.dropout(x, 0.5, seed=1, out=out)) if name == "dropout" else getattr(ops, name)
    start = np.linspace(0.1, 5, 2 * n + 20).astype(dtype)
    for inside in places(start, n):
        for outside in places(start, n):
            buffer = start.copy()
            x, out = places(buffer, n)[inside], places(buffer, n)[outside]
            expected = function(x.copy())
            if name == "dropout" and not out.flags.c_contiguous:
                with pytest.raises(ValueError, match="out must be contiguous"):
                    function(x, out=out)
                continue
            assert function(x, out=out) is out
            assert np.array_equal(out, expected), f"{name} of {n} {dtype.__name__}: x {inside}, out {outside}"


def arrays(*shapes):
    """Arrays of these shapes, and for each a function that makes an array like it which overlaps one of the others."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def over(a, shape):
    """An array of a shape in the memory of ``a``, which is made large enough first; returns both."""
    buffer = np.zeros(max(a.size, int(np.prod(shape))) + 8, np.float32)
    view = buffer[: a.size].reshape(a.shape)
    view[...] = a
    return view, buffer[4 : 4 + int(np.prod(shape))].reshape(shape)


def linear_case():
    dy, x, w = arrays((5, 4), (5, 3), (3, 4))
    y = ops.linear(x, w, activation="tanh")
    return lambda dy, x, w, y, **out: ops.linear_backward(dy, x, w, y, activation="tanh", **out), {"dy": dy, "x": x, "w": w, "y": y}, {
        "out_dw": (3, 4), "out_db": (4,)
    }  # fmt: skip


def conv_case(dims, transposed):
    def make():
        name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
        x, w = arrays((2, *(5, 6, 4)[:dims], 3), (*(3, 2, 2)[:dims], *((4, 3) if transposed else (3, 4))))
        y = getattr(ops, name)(x, w)
        named = {"dy": np.ones_like(y), "x": x, "w": w, "y": y}
        return getattr(ops, f"{name}_backward"), named, {"out_dw": w.shape, "out_db": (4,)}

    return make


def matmul_case():
    a, b, add, keep = arrays((5, 5), (5, 5), (5, 5), (5, 5))
    return ops.matmul, {"a": a, "b": b, "add": add, "keep": keep}, {"out": (5, 5)}


def bias_case():
    dy, y = arrays((5, 4), (5, 4))
    return ops.linear_backward_bias, {"dy": dy, "y": y}, {"out_db": (4,)}


def embedding_case():
    (dy,) = arrays((6, 5))
    return (
        lambda dy, **out: ops.embedding_backward(dy, np.array([0, 1, 2, 2, 1, 0]), 6, **out),
        {"dy": dy},
        {"out": (6, 5)},
    )


def cholesky_case():
    (half,) = arrays((5, 5))
    return ops.cholesky, {"a": half @ half.T + 5 * np.eye(5, dtype=np.float32)}, {"out": (5, 5)}


def counts_case():
    a, b = map(np.abs, arrays((3, 5), (4, 5)))
    return ops.tanimoto_counts, {"a": a, "b": b}, {"out": (3, 4)}


def attention_case():
    q, k, v, dy = (array[None, None] for array in arrays((5, 4), (6, 4), (6, 3), (5, 3)))
    y, statistics = ops.attention_forward(q, k, v)

    def call(out, **given):
        shapes = {"q": (1, 1, 5, 4), "k": (1, 1, 6, 4), "v": (1, 1, 6, 3)}
        outs = tuple(out if name == "v" else np.zeros(shape, np.float32) for name, shape in shapes.items())
        return ops.attention_backward(out=outs, **given)

    return call, {"dy": dy, "q": q, "k": k, "v": v, "y": y, "statistics": statistics}, {"out": (1, 1, 6, 3)}


def dropout_case():
    (x,) = arrays((40,))
    return lambda x, **out: ops.dropout(x, 0.5, seed=1, **out), {"x": x}, {}


WRITERS = {
    "linear_backward": linear_case, "linear_backward_bias": bias_case, "matmul": matmul_case, "embedding_backward": embedding_case,
    "dropout": dropout_case, "attention_backward": attention_case, "cholesky": cholesky_case, "tanimoto_counts": counts_case,
    **{f"conv{'_transpose' * t}{d}d_backward": conv_case(d, t) for d in (1, 2, 3) for t in (False, True)},
}  # fmt: skip
STEPS = {
    "sgd_step": (),
    "momentum_step": ("velocity",),
    "adagrad_step": ("accum",),
    "rmsprop_step": ("sq", "mom"),
    "adam_step": ("m", "v", "v_max"),
    "lion_step": ("m",),
    "lamb_step": ("m", "v"),
}
KEPT_IN = {"dropout", "dropout_backward"}  # `kept` is written by the first, and read by the second


@pytest.mark.parametrize("name", WRITERS)
def test_an_output_over_an_input_is_refused_by_name(name):
    call, inputs, outputs = WRITERS[name]()
    for (out, shape), given in itertools.product(outputs.items(), inputs):
        view, target = over(inputs[given], shape)
        before = view.copy()
        with pytest.raises(ValueError, match=rf"{out}(\[2\])? shares memory with {given}"):
            call(**(inputs | {given: view}), **{out: target})
        assert np.array_equal(view, before), f"{name}: {given} was written before {out} was refused"


@pytest.mark.parametrize("name", [name for name in WRITERS if name == "linear_backward" or name.startswith("conv")])
def test_outputs_over_each_other_are_refused_by_name(name):
    call, inputs, outputs = WRITERS[name]()
    dw, db = over(np.zeros(outputs["out_dw"], np.float32), outputs["out_db"])
    with pytest.raises(ValueError, match="out_dw shares memory with out_db"):
        call(**inputs, out_dw=dw, out_db=db)


def test_a_product_may_be_added_to_in_place_and_arrays_side_by_side_are_apart():
    a, b, add, _ = WRITERS["matmul"]()[1].values()
    expected = ops.matmul(a, b, add=add)
    assert np.array_equal(ops.matmul(a, b, add=add, out=add[:]), expected)  # another view of all of it
    wide = np.zeros((5, 10), np.float32)
    wide[:, 5:] = a
    assert np.array_equal(ops.matmul(wide[:, 5:], b, out=wide[:, :5]), ops.matmul(a, b))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_over_its_own_arrays_is_refused(name):
    more = (
        {"lr": 0.1}
        | ({"step": 1} if name in ("adam_step", "lamb_step") else {})
        | ({"momentum": 0.5} if name == "rmsprop_step" else {})
    )
    names = ("param", "grad", *STEPS[name])
    for first, second in itertools.combinations(names, 2):
        for shift in (0, 1, 50):
            buffer = np.linspace(0.1, 1, 200, dtype=np.float32)
            values = {n: np.full(100, 0.5, np.float32) for n in names}
            values[first], values[second] = buffer[:100], buffer[shift : shift + 100]
            before = buffer.copy()
            if shift == 0 and "grad" in (first, second):  # element for element: read before it is written
                expected = [values[n].copy() for n in names]
                getattr(ops, name)(*expected, **more)
                getattr(ops, name)(*values.values(), **more)
                written = first if first != "grad" else second
                assert np.array_equal(values[written], expected[names.index(written)])
                continue
            with pytest.raises(ValueError, match=f"{name}: .* shares memory with"):
                getattr(ops, name)(*values.values(), **more)
            assert np.array_equal(buffer, before)
    x, dz = np.ones((3, 4), np.float32), np.ones((3, 100), np.float32)
    param = np.ones((4, 100), np.float32)
    with pytest.raises(ValueError, match=r"param shares memory with grad\.dz"):
        state = [np.zeros((4, 100), np.float32) for _ in STEPS[name]]
        getattr(ops, name)(param, ops.LinearGradient(x, param[:3]), *state, **more)
    getattr(ops, name)(param, ops.LinearGradient(x, dz), *state, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_that_kernels_cannot_write_give_values_or_a_sentence(dtype):
    x = np.linspace(0.1, 1, 12).astype(dtype)
    raw = np.zeros(12 * dtype().itemsize + 1, np.uint8)
    misaligned = raw[1:].view(dtype)
    assert np.array_equal(ops.exp(x, out=misaligned), ops.exp(x))
    for out, words in (
        (np.broadcast_to(np.zeros((), dtype), 12), "read-only"),
        (np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (12,), (0,)), "a place for each element"),
        (np.zeros(12, x.dtype.newbyteorder()), "out must be"),
        (np.zeros(11, dtype), "of shape"),
        (np.zeros(12, np.int32), "out must be"),
        ([0.0] * 12, "must be a NumPy array"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            ops.exp(x, out=out)


def test_dropouts_mask_over_its_arrays_is_refused():
    buffer = np.zeros(100, np.float32)
    with pytest.raises(ValueError, match="kept shares memory with x"):
        ops.dropout(buffer, 0.5, seed=1, kept=buffer.view(np.uint8)[:100])


def test_every_function_that_writes_into_an_argument_is_here():
    written = {"out", "out_dw", "out_db", "kept", "velocity", "accum", "sq", "mom", "m", "v", "param"}
    found = {
        name
        for name in dir(ops)
        if inspect.isfunction(getattr(ops, name)) and written & set(inspect.signature(getattr(ops, name)).parameters)
    }
    hidden = {name for name in WRITERS if name.startswith("conv")}  # **options
    reads = {"attention", "attention_forward"}  # their v is an input
    assert (found | hidden) - reads == {*MAPS, *WRITERS, *STEPS, *KEPT_IN}
