"""Tests of the tape: every operation's gradient against central differences, broadcasting, and errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from catalase.autograd import Tensor, concatenate, where
from catalase.nn import functional as F
from tests.reference.activations import NAMES
from tests.reference.gradients import directional

A, B = (4, 3), (4, 3)
OPERATIONS = {
    "add": (lambda a, b: a + b, A, B),
    "add row": (lambda a, b: a + b, A, (3,)),
    "subtract column": (lambda a, b: a - b, A, (4, 1)),
    "multiply": (lambda a, b: a * b, A, (1, 3)),
    "divide": (lambda a, b: a / b, A, B),
    "power": (lambda a, b: a**b, A, B),
    "numbers": (lambda a, b: (2 - a) / 3 + 4 * b - 1 / a + 2**b + b**2, A, B),
    "matmul": (lambda a, b: a @ b, (4, 3), (3, 5)),
    "batched matmul": (lambda a, b: a @ b, (2, 4, 3), (2, 3, 5)),
    "functional matmul": (lambda a, b: F.matmul(a, b, transpose_b=True), (4, 3), (5, 3)),
    "exp log sqrt abs": (lambda a, b: a.exp() + b.log() + a.sqrt() + (b - 1).abs(), A, B),
    "sums": (lambda a, b: a.sum(0) * b.sum(1, keepdims=True) + a.sum() * b.mean((0, 1)), A, B),
    "mean": (lambda a, b: a.mean(-1) - b.mean(1), A, B),
    "max": (lambda a, b: a.max(1) + b.max() + a.max(0, keepdims=True).sum(), A, B),
    "shapes": (lambda a, b: a.reshape(3, 4) @ b.reshape((4, 3)).T.transpose(1, 0), A, B),
    "slices": (lambda a, b: a[1:, ::2].sum() + b[2] * a[0] + a[..., 1].sum(), A, B),
    "index array": (lambda a, b: a[np.array([0, 0, 2])] * b[np.array([1, 3, 3])], A, B),
    "concatenate": (lambda a, b: concatenate([a, b], axis=1) * 2, A, (4, 2)),
    "where": (lambda a, b: where(a > 1, a, b) * where(np.arange(3) > 0, 1.0, b), A, B),
    **{name: (lambda a, b, name=name: getattr(F, name)(a - 1.3) * b, A, B) for name in NAMES},
    "softmax": (lambda a, b: F.softmax(a) * F.log_softmax(b), A, B),
    "linear": (lambda a, b: F.linear(a, b, activation="tanh"), (4, 3), (3, 5)),
    "dropout": (lambda a, b: F.dropout(a, 0.4, seed=1) + b, A, B),
    "reused": (lambda a, b: (a * a + a) * (a + b) + b, A, B),
}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_gradient(rng, name):
    operation, shape_a, shape_b = OPERATIONS[name]
    a, b = 0.6 + rng.random(shape_a), 0.6 + rng.random(shape_b)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    out = operation(x, y)
    seed = rng.standard_normal(out.shape)
    out.backward(seed)
    value = lambda u, v: float(np.sum(seed * operation(Tensor(u), Tensor(v)).numpy()))  # noqa: E731
    slope, claimed = directional(value, [a, b], [x.grad, y.grad], rng)
    assert np.isclose(slope, claimed, rtol=2e-5, atol=1e-7), (name, slope, claimed)
    assert x.grad.shape == shape_a and y.grad.shape == shape_b


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=3), st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_broadcasting_gives_gradients_of_the_right_shape(shape, choice):
    other = tuple(1 if c == 0 else n for n, c in zip(shape, choice, strict=False))
    other = other[choice[0] % 2 :] if other else other
    a, b = Tensor(np.ones(shape), requires_grad=True), Tensor(np.full(other, 2.0), requires_grad=True)
    (a * b + b).sum().backward()
    assert a.grad.shape == tuple(shape) and b.grad.shape == other
    assert np.all(a.grad == 2) and np.isclose(b.grad.sum(), 2 * np.prod(shape))


def test_gradients_accumulate_and_dtype_is_kept():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for _ in range(2):
        (x * 3.5 + 1).sum().backward()
    assert x.grad.tolist() == [7, 7, 7] and x.grad.dtype == np.float32
    assert (x * 2.0).dtype == np.float32 and (np.float64(2) * x).dtype == np.float32


def test_a_deep_graph_needs_no_recursion():
    x = y = Tensor(np.ones(1), requires_grad=True)
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert x.grad[0] == 1


def test_no_grad_and_detach():
    x = Tensor(np.ones(2), requires_grad=True)
    with ct.no_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and not x.detach().requires_grad
    assert not ct.no_grad()(lambda: x * 2)().requires_grad


def test_errors():
    x = Tensor(np.ones(2), requires_grad=True)
    for call, kind, words in [
        (lambda: (x * 2).backward(), ValueError, "needs grad="),
        (lambda: (x * 2).backward(np.ones(3)), ValueError, r"grad must have shape \(2,\)"),
        (lambda: Tensor(np.ones(2)).sum().backward(), RuntimeError, "requires_grad=True"),
        (lambda: Tensor(np.arange(3)), TypeError, "int64"),
        (lambda: x + np.ones(2, np.float32), TypeError, "cannot mix float64 and float32"),
        (lambda: where(np.array([True]), 1.0, 2.0), TypeError, "must be a Tensor"),
        (lambda: np.sin(x), TypeError, "does not support ufuncs"),  # an array would have lost the gradient
    ]:
        with pytest.raises(kind, match=words):
            call()
    y = (x * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="run the forward pass again"):
        y.backward()


def test_an_array_on_the_left_gives_a_tensor():
    x = Tensor(np.full(2, 3.0), requires_grad=True)
    y = np.ones(2) - x
    assert isinstance(y, Tensor) and y.numpy().tolist() == [-2, -2]


def test_comparisons_give_boolean_arrays():
    x = Tensor(np.array([0.0, 2.0]))
    assert (x == 0).tolist() == [True, False] and (x != x).tolist() == [False, False]
    assert (x > 1).tolist() == [False, True] and (np.array([0.0, 1.0]) == x).tolist() == [True, False]
    assert len({x, x}) == 1 and float(x[1]) == 2.0 and np.asarray(x) is x.data


def test_no_grad_may_be_nested_and_is_per_thread():
    import threading

    from catalase.autograd import is_recording

    quiet, seen = ct.no_grad(), []
    with quiet, quiet:
        thread = threading.Thread(target=lambda: seen.append(is_recording()))
        thread.start()
        thread.join()
        assert not is_recording()
    assert is_recording() and seen == [True]
    with pytest.raises(ZeroDivisionError), quiet:
        raise ZeroDivisionError
    assert is_recording()


LEFT = [(4,), (3, 4), (2, 3, 4), (1, 3, 4), (5, 2, 3, 4), (5, 1, 3, 4), (0, 4)]
RIGHT = [(4,), (4, 2), (2, 4, 2), (1, 4, 2), (5, 2, 4, 2), (5, 1, 4, 2), (2, 4, 1), (4, 0)]


@pytest.mark.parametrize("shapes", [*itertools.product(LEFT, RIGHT), ((2, 0), (0, 2)), ((1, 1), (1, 1))], ids=str)
def test_matmul_follows_numpy_for_vectors_matrices_and_stacks(rng, shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    out = x @ y
    assert out.shape == (a @ b).shape and np.allclose(out.numpy(), a @ b)
    seed = np.asarray(rng.standard_normal(out.shape))
    out.backward(seed)
    slope, claimed = directional(lambda u, v: float(np.sum(seed * (u @ v))), [a, b], [x.grad, y.grad], rng)
    assert np.isclose(slope, claimed, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((), (3,)), "needs an axis or more"),
        (((2, 3, 4), (3, 4, 2)), "do not broadcast"),
        (((3, 4), (3, 2)), "4 columns but b has 3 rows"),
    ],
)
def test_matmul_refuses_what_numpy_refuses(shapes, words):
    with pytest.raises(ValueError, match=words):
        Tensor(np.ones(shapes[0])) @ Tensor(np.ones(shapes[1]))


UNARY = {
    "exp": lambda x: x.exp(), "log": lambda x: x.log(), "sqrt": lambda x: x.sqrt(), "abs": lambda x: x.abs(),
    **{name: lambda x, name=name: getattr(x, name)() for name in NAMES}, "softmax": lambda x: x.softmax(), "log_softmax": lambda x: x.log_softmax(),
    "square": lambda x: x**2, "power 0": lambda x: x**0, "negative": lambda x: -x, "T": lambda x: x.T,
    "sum 0": lambda x: x.sum(0), "sum 1": lambda x: x.sum(-1, keepdims=True), "mean 0": lambda x: x.mean(0),
    "reshape": lambda x: x.reshape(x.size), "slice": lambda x: x[:, ::-1], "mask": lambda x: x[x.data > 1],
    "where": lambda x: where(x.data > 1, x, -x), "concatenate": lambda x: concatenate([x, 2 * x, x], axis=0),
    "squared error": lambda x: F.squared_error(x, np.ones(x.shape), np.full(x.shape, 0.5)),
    "sigmoid cross-entropy": lambda x: F.sigmoid_cross_entropy(x, np.full(x.shape, 0.3)),
    "softmax cross-entropy": lambda x: F.softmax_cross_entropy(x, np.full(x.shape, 1 / max(1, x.shape[1]))),
    "dropout": lambda x: F.dropout(x, 0.5, seed=3),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(UNARY)), st.integers(0, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_gradients_at_any_size(name, rows, columns, seed):
    rng = np.random.default_rng(seed)
    value = 0.6 + 0.05 * rng.permutation(rows * columns).reshape(rows, columns)  # no ties, none at 1
    value += 0.01
    x = Tensor(value, requires_grad=True)
    with np.errstate(all="ignore"):  # the mean of nothing
        out = UNARY[name](x)
        weight = np.asarray(rng.standard_normal(out.shape))
        out.backward(weight)
        if rows == 0:
            assert x.grad.shape == value.shape
            return
    f = lambda u: float(np.sum(weight * UNARY[name](Tensor(u)).numpy()))  # noqa: E731
    slope, claimed = directional(f, [value], [x.grad], rng)
    assert np.isclose(slope, claimed, rtol=2e-5, atol=1e-6), (name, value.shape, seed, slope, claimed)


def test_corners_of_values():
    x = Tensor(np.array([0.0, 2.0]), requires_grad=True)
    (x**0 + x**1 + x ** np.array([0.0, 2.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 5.0], "0 ** 0 has slope 0, not NaN"
    ties = Tensor(np.array([1.0, 3.0, 3.0]), requires_grad=True)
    ties.max().backward()
    assert ties.grad.tolist() == [0.0, 0.5, 0.5]
    assert np.isnan(Tensor(np.zeros((0, 3))).mean().item()) and Tensor(np.zeros((0, 3))).mean(0).shape == (3,)
    assert np.isnan((Tensor(np.array([np.nan])) * 2).item()), "NaN propagates"


def test_in_place_changes_are_refused_where_they_would_mislead():
    x = Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"x.data \+= ..."):
        x += 1
    with pytest.raises(RuntimeError, match=r"x.data -= ..."), ct.no_grad():
        x -= 1
    with pytest.raises(TypeError, match="is not recorded"):
        x[0] = 1
    total = x.sum()
    total += (x * 2).sum()  # a result may be given a new value
    total.backward()
    assert x.grad.tolist() == [3, 3]
    for other in (None, "1", 1j, object()):
        with pytest.raises(TypeError, match="needs a Tensor, an array or a number"):
            x + other


def test_a_spent_graph_leaves_no_half_gradients():
    x = Tensor(np.ones(2), requires_grad=True)
    shared = x * x
    first, second = shared.sum(), (shared * 3 + x * 100).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="walked already"):
        second.backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_float32_stays_float32_in_every_gradient(shape):
    """NumPy 1 promotes zero-dimensional float32 beside a Python number to float64; gradients must not follow."""
    for f in [lambda x: x**2.5, lambda x: 2**x, lambda x: x**x, lambda x: 1 / x - 3, lambda x: x.mean() * 3, Tensor.max,
              Tensor.sqrt, Tensor.softplus, lambda x: where(x > 1, x, 0.0)]:  # fmt: skip
        x = Tensor(np.full(shape, 1.5, np.float32), requires_grad=True)
        y = f(x)
        y.sum().backward()
        assert y.dtype == np.float32 and x.grad.dtype == np.float32 and x.grad.shape == shape


class Split(ct.autograd.Function):
    """The sum and the difference of two tensors: an operation with two outputs."""

    def forward(self, a, b):
        self.shape = a.shape
        return a + b, a - b

    def backward(self, d_sum, d_difference):
        zero = np.zeros(self.shape)
        d_sum, d_difference = zero if d_sum is None else d_sum, zero if d_difference is None else d_difference
        return d_sum + d_difference, d_sum - d_difference


def test_a_function_may_have_several_outputs_of_which_some_are_used(rng):
    arrays = rng.standard_normal((2, 5))
    for use, expected in [
        (lambda s, d: (s * 2).sum(), (2, 2)),
        (lambda s, d: (d * 3).sum(), (3, -3)),
        (lambda s, d: (s * 2 + d * 3 + s).sum(), (6, 0)),
    ]:
        a, b = (ct.Tensor(x, requires_grad=True) for x in arrays)
        use(*Split.apply(a, b)).backward()
        assert np.array_equal(a.grad, np.full(5, expected[0])) and np.array_equal(b.grad, np.full(5, expected[1]))


def test_a_function_knows_which_gradients_are_wanted():
    seen = []

    class Watched(ct.autograd.Function):
        def forward(self, x, y, z):
            seen.append((self.needs, self.recorded, type(x)))
            return x + 0

        def backward(self, d):
            return d, None, None

    x = ct.Tensor(np.ones(2), requires_grad=True)
    out = Watched.apply(x, ct.Tensor(np.ones(2)), None)
    with ct.no_grad():
        assert not Watched.apply(x, None, np.ones(3)).requires_grad
    assert seen == [((True, False, False), True, np.ndarray), ((False, False, False), False, np.ndarray)]
    out.sum().backward()
    assert np.array_equal(x.grad, [1, 1])


def test_a_function_forgets_what_it_kept_when_the_tape_has_been_walked():
    x = ct.Tensor(np.ones(3), requires_grad=True)
    s, d = Split.apply(x, x)
    total = s.sum()
    operation = s._operation
    total.backward()
    assert not vars(operation) and operation.inputs == ()
    with pytest.raises(RuntimeError, match="walked already"):
        d.sum().backward()


def test_a_function_without_its_methods_says_which_is_missing():
    with pytest.raises(TypeError, match="Function has no forward method"):
        ct.autograd.Function.apply(ct.Tensor(1.0))

    class Forward(ct.autograd.Function):
        def forward(self, x):
            return x * 1

    with pytest.raises(TypeError, match="Forward has no backward method"):
        Forward.apply(ct.Tensor(1.0, requires_grad=True)).backward()


STALE = {
    "x @ w": lambda x, w: x @ w,
    "x * w": lambda x, w: x.T * w[0, 0],
    "matmul": lambda x, w: ct.nn.functional.matmul(x, w),
    "linear": lambda x, w: ct.nn.functional.linear(x, w),
    "rnn": lambda x, w: ct.nn.functional.rnn(x.reshape(1, 2, 3), w, w, ct.Tensor(np.zeros(3)))[0],
    "conv1d": lambda x, w: ct.nn.functional.conv1d(x.reshape(1, 2, 3), w.reshape(1, 3, 3)),
    "softmax": lambda x, w: w.softmax(),
    "Function": lambda x, w: Split.apply(w, w)[1],
}


@pytest.mark.parametrize("name", STALE)
def test_a_parameter_that_changed_after_the_forward_pass_is_noticed_whatever_the_operation(name):
    w, x = ct.nn.Parameter(np.eye(3)), ct.Tensor(np.ones((2, 3)), requires_grad=True)
    loss = (STALE[name](x, w) * 1.0).sum()
    w.version += 1  # as an optimizer's step leaves it
    with pytest.raises(RuntimeError, match="was changed after the forward pass"):
        loss.backward()
    assert w.grad is None and x.grad is None


def test_a_deferred_gradient_that_meets_another_is_multiplied_out(rng):
    """The hidden tensor feeds two dense layers: both of their deferred gradients are added before its ReLU."""
    arrays = [rng.standard_normal(shape) for shape in ((6, 4), (4, 5), (5, 3), (5, 3))]
    x, w, u, v = (ct.Tensor(a, requires_grad=True) for a in arrays)
    h = ct.nn.functional.linear(x, w, activation="relu")
    (ct.nn.functional.linear(h, u) + ct.nn.functional.linear(h, v) * 2).sum().backward()
    dh = np.full((6, 3), 1.0) @ arrays[2].T + np.full((6, 3), 2.0) @ arrays[3].T
    dz = dh * (arrays[0] @ arrays[1] > 0)
    np.testing.assert_allclose(w.grad, arrays[0].T @ dz, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(x.grad, dz @ arrays[1].T, rtol=1e-13, atol=1e-13)


def test_the_gradient_that_was_given_may_be_overwritten_before_the_optimizer_steps(rng):
    net = ct.nn.Sequential(ct.nn.Linear(3, 2, rng=0))
    optimizer = ct.optim.SGD(net, lr=1.0)
    x, grad = rng.standard_normal((2, 5, 3)).astype(np.float32)[0], np.ones((5, 2), np.float32)
    before, expected = net[0].w.numpy().copy(), x.T @ grad
    net(ct.Tensor(x)).backward(grad)
    grad[...] = 100
    optimizer.step()
    np.testing.assert_allclose(before - net[0].w.numpy(), expected, rtol=1e-5, atol=1e-5)
