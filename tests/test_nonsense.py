"""Nonsense gets a sentence of ours, naming the function and what came, never an error from somewhere inside."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path

import numpy as np
import pytest

import catalase as ct

HERE = str(Path(ct.__file__).parent)


def ones(*shape):
    return np.ones(shape, np.float32)


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


def functions():
    found = []
    for name in dir(ct.ops):
        function = getattr(ct.ops, name)
        if not name.startswith("_") and inspect.isfunction(function):
            found.append(pytest.param(function, id=name))
    return found


@pytest.mark.parametrize("function", functions())
def test_array_functions(function):
    kinds = inspect.Parameter
    parameters = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    count = sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in parameters)
    named = {p.name: 1 for p in parameters if p.kind is kinds.KEYWORD_ONLY}  # lr, seed, step
    for value in NONSENSE:
        rest = [value] * (count - 1)
        for arguments in ([value, *rest], [ones(2, 3), *rest], [*rest, ones(2, 3)], [ones(1, 4, 4, 2), *rest]):
            # copies, since optimizer steps write into what they get
            check(lambda *a: function(*a, **named), *[a.copy() if isinstance(a, np.ndarray) else a for a in arguments])


LAYERS = [
    ct.nn.Linear(3, 2), ct.nn.Conv1D(2, 4, 3), ct.nn.Conv2D(2, 4, 3), ct.nn.Conv3D(2, 4, 3), ct.nn.ConvTranspose2D(2, 4, 3),
    ct.nn.MaxPool2D(2), ct.nn.AvgPool1D(2), ct.nn.GlobalMaxPool(), ct.nn.BatchNorm(2), ct.nn.Flatten(), ct.nn.Reshape((2, 2)),
    ct.nn.Dropout(0.5), ct.nn.Upsample(2), ct.nn.LSTM(2, 3), ct.nn.GRU(2, 3), ct.nn.Sequential(ct.nn.Linear(3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers(layer):
    for value in NONSENSE:
        check(layer, value)
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            check(layer, ct.Tensor(value))


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (ct.nn.Linear, ("a", 2)), (ct.nn.Linear, (0, 2)), (ct.nn.Linear, (2.5, 1)), (ct.nn.Linear, (2, True)), (ct.nn.Linear, (3, None)),
        (ct.nn.Conv2D, ("a", 2, 3)), (ct.nn.Conv2D, (2, -1, 3)), (ct.nn.Conv2D, (2, 2, "x")), (ct.nn.Conv2D, (2, 2, (3,))),
        (ct.nn.Dropout, ("a",)), (ct.nn.Dropout, (1.5,)), (ct.nn.BatchNorm, ("a",)), (ct.nn.BatchNorm, (0,)),
        (ct.nn.MaxPool2D, ("a",)), (ct.nn.MaxPool2D, (0,)), (ct.nn.Reshape, ("a",)), (ct.nn.Upsample, ("a",)), (ct.nn.Upsample, (0,)), (ct.nn.Upsample, (1.5,)), (ct.nn.Sequential, (5,)), (ct.Tensor, (object(),)),
    ],
)  # fmt: skip
def test_settings_of_layers(layer, arguments):
    with pytest.raises((TypeError, ValueError), match=f"^{layer.__name__}: "):
        layer(*arguments)
    check(layer, *arguments)


def test_models():
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], seed=0)
    data = ct.data.NumpyDataset(ct.ops.ecfp(["CCO", "CCN"], size=64), [1.0, 2.0])
    for value in NONSENSE:
        check(model.fit, value)
        check(model.predict, value)
        check(lambda v: model.fit(data, nb_epoch=v), None if isinstance(value, int) else value)
        check(lambda v: model.evaluate(data, v), value)
        check(ct.models.load, None if isinstance(value, str) else value)
