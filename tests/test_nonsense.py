"""Tests that nonsense in tensors and models raises one of our sentences, naming the function and the value, not an inner error.

Array functions, layers, optimizers and training have their tables beside their tests: tests/ops, tests/nn, tests/optim and
tests/train; `tests/nonsense.py` holds the values and the runner.
"""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase import autograd
from tests.nonsense import Target, call, ones, report
from tests.reference.activations import NAMES

HERE = str(Path(ct.__file__).parent)
KINDS = {
    "other": "operand", "axis": "axis?", "grad": "values?", "shape": "anything", "axes": "signed", "index": "anything", "array": "values", "function": "function", "dtype": "anything", "copy": "flag?",
    "parents": "anything", "data": "values", "backward": "function", "value": "anything",
}  # fmt: skip


def tensor(*shape):
    return ct.Tensor(ones(*shape), requires_grad=True)


OPERATORS = ("add", "sub", "mul", "truediv", "pow", "matmul")
METHODS = {
    **{f"__{way}{name}__": lambda: call(np.float32(2) * ones(2, 2)) for name in OPERATORS for way in ("", "r")},
    **{f"__{name}__": lambda: call(2.0) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"__{name}__": lambda: call(2.0) for name in ("iadd", "isub", "imul", "itruediv")},
    **{name: lambda: call(axis=0, keepdims=True) for name in ("sum", "mean", "max", "min", "norm")},
    **{name: lambda: call(axis=0, ddof=0, keepdims=True) for name in ("var", "std")},
    **{name: lambda: call(axis=0) for name in ("argmax", "argmin", "cumsum", "expand_dims")},
    "squeeze": call, "clip": lambda: call(min=0.5, max=2.0), "split": lambda: call(2, axis=0), "pad": lambda: call(1, value=0.5),
    **dict.fromkeys(("sin", "cos"), call),
    **dict.fromkeys(("exp", "log", "sqrt", "abs", *NAMES, "softmax", "log_softmax", "detach", "numpy"), call),
    "reshape": lambda: call(4), "transpose": lambda: call(1, 0), "__getitem__": lambda: call(0), "backward": lambda: call(ones(2, 2)), "item": call, "__setitem__": lambda: call(0, 1.0),
}  # fmt: skip
UNARY = (
    "__copy__",
    "__deepcopy__",
    "__getstate__",
    "__setstate__",
    "__neg__",
    "__len__",
    "__bool__",
    "__float__",
    "__repr__",
    "__init__",
    "__hash__",
    "__array__",
    "__dlpack__",
    "__dlpack_device__",
)


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_tensors(name):
    def method(*args, **kwargs):
        x = ct.Tensor(ones(2, 2), requires_grad=not name.startswith("__i"))
        return getattr(x, name)(*args, **kwargs)

    if name in ("item", "__setitem__"):
        return  # the one takes nothing, the other is refused whatever comes
    method.__name__ = name
    bound = getattr(ct.Tensor(ones(2, 2)), name)
    own = {
        "min": "real?",
        "max": "real?",
        "sections": "anything",
        "pad_width": "anything",
        "*axes0": "signed",
        "*axes1": "signed",
        "*shape0": "shape",
    }
    if name in ("__eq__", "__ne__"):
        own["other"] = "anything"  # what is no number is not equal
    elif name in ("__lt__", "__le__", "__gt__", "__ge__"):
        own["other"] = "values"
    target = Target(bound, METHODS[name], KINDS | own, names=("Tensor", name, "matmul", "__matmul__"), also={"other": ["arithmetic", "a", "b", "@", "comparison"], "shape": ["shape"], "*axes0": ["axes"], "*axes1": ["axes"], "*shape0": ["shape"]})  # fmt: skip
    target.function = method
    wrong = target.failures()
    assert not wrong, report(wrong)


FUNCTIONS = {
    "Tensor": lambda: call(ones(2, 3), requires_grad=True),
    "concatenate": lambda: call([tensor(2, 3), tensor(2, 3)], axis=0),
    "where": lambda: call(np.ones((2, 3), bool), tensor(2, 3), tensor(2, 3)),
    "stack": lambda: call([tensor(2, 3), tensor(2, 3)], axis=0),
    **{name: lambda: call(tensor(2, 3), tensor(2, 3)) for name in ("maximum", "minimum")},
    "einsum": lambda: call("ij,ij->i", tensor(2, 3), tensor(2, 3)),
    "no_grad": call, "is_recording": call, "Function": call,
    "from_dlpack": lambda: call(ones(2, 3)),
    "record": lambda: call(ones(2, 3), (tensor(2, 3),), lambda g: (g,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_tensors(name):
    own = {
        "axis": "signed",
        "tensors": "anything",
        "condition": "anything",
        "a": "operand",
        "b": "operand",
        "x": "tensor",
    }
    also = {"data": ["array"], "array": ["the array"]}
    wrong = Target(getattr(autograd, name), FUNCTIONS[name], KINDS | own, names=(name, "Tensor"), also=also).failures()
    assert not wrong, report(wrong)


def test_every_public_method_of_a_tensor_is_in_the_table():
    own = {name for kind in ct.Tensor.__mro__[:-1] for name, value in vars(kind).items() if callable(value)}
    own = {name for name in own if not name.startswith("_") or name.endswith("__")} - set(UNARY)
    assert own | {"__setitem__"} == set(METHODS)
    assert set(autograd.__all__) == set(FUNCTIONS)


NONSENSE = [
    None, "x", 5, [1, 2], object(), np.ones((2, 3), int), np.ones((2, 3), complex), np.array(["a"]), ones(0), ones(3), ones(2, 3),
    ones(2, 3, 4), ones(1, 4, 4, 2), np.ones((2, 3), np.float16),
]  # fmt: skip
# What Python says itself is clear where it comes from a call; these are the words of code that was not asked whether it fits.
INSIDE = ("has no attribute", "not iterable", "not supported between", "out of range", "ambiguous", "cannot be interpreted",
          "unsupported operand", "not subscriptable", "argument must be", "incompatible function", "broadcast")  # fmt: skip


def check(call, *arguments):
    try:
        call(*arguments)
    except (TypeError, ValueError) as error:
        shown = [getattr(a, "shape", a) for a in arguments]
        assert traceback.extract_tb(error.__traceback__)[-1].filename.startswith(HERE), (shown, error)
        assert ": " in str(error) and not any(words in str(error) for words in INSIDE), (shown, error)


def test_models():
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], seed=0)
    data = ct.data.NumpyDataset(ct.ops.ecfp(["CCO", "CCN"], size=64), [1.0, 2.0])
    for value in NONSENSE:
        check(model.fit, value)
        check(model.predict, value)
        check(lambda v: model.fit(data, nb_epoch=v), None if isinstance(value, int) else value)
        check(lambda v: model.evaluate(data, v), value)
        check(ct.models.load, None if isinstance(value, str) else value)
