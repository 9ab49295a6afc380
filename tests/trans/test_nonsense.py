"""Nonsense in every argument of transformers."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from catalase import data, trans
from tests.nonsense import Target, call, ones, report

KINDS = {
    "dataset": "ours", "transform_X": "flag", "transform_y": "flag?", "transform_w": "flag", "X": "values", "y": "measured", "w": "values?", "z": "values", "config": "ours", "transformers": "ours",
}  # fmt: skip


def rows():
    return data.NumpyDataset(ones(4, 3) * np.arange(4.0)[:, None], np.arange(4.0) % 2)


def arrays():
    return call(ones(4, 3), ones(4), ones(4))


MADE = {
    "NormalizationTransformer": lambda: trans.NormalizationTransformer(dataset=rows()),
    "NormalizationTransformer of X": lambda: trans.NormalizationTransformer(transform_X=True, dataset=rows()),
    "BalancingTransformer": lambda: trans.BalancingTransformer(rows()),
    "Transformer": trans.Transformer,
}
METHODS = {
    "transform": lambda: call(rows()),
    "transform_array": arrays,
    "untransform": lambda: call(ones(4)),
    "untransform_spread": lambda: call(ones(4)),
}
# What a transformer does not change is handed on as it is.
PASSED_ON = {"NormalizationTransformer": ("X", "w"), "NormalizationTransformer of X": ("y", "w"), "BalancingTransformer": ("X",), "Transformer": ("X", "y", "w")}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("method", METHODS)
def test_methods_of_transformers(name, method):
    made = MADE[name]()
    if not hasattr(made, method):
        return  # the spread of labels is that of one transformer
    make = METHODS[method]
    if name.endswith("of X") and method.startswith("un"):
        make = lambda: call(ones(4, 3))  # noqa: E731
    kinds = KINDS | dict.fromkeys(PASSED_ON[name], "anything")
    if name == "BalancingTransformer" and method == "transform_array":
        kinds |= {"w": "values"}
    wrong = Target(getattr(made, method), make, kinds, names=(name.split()[0], method)).failures()
    assert not wrong, report(wrong)


CONSTRUCTORS = {
    "NormalizationTransformer": lambda: call(transform_X=False, transform_y=True, dataset=rows()),
    "BalancingTransformer": lambda: call(rows(), transform_w=True),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors(name):
    wrong = Target(getattr(trans, name), CONSTRUCTORS[name], KINDS).failures()
    assert not wrong, report(wrong)


def test_functions():
    make = lambda: call(ones(4), [MADE["NormalizationTransformer"]()])  # noqa: E731
    names = ("undo_transforms", "NormalizationTransformer")  # which says what does not fit it
    kinds = KINDS | {"transformers": "list of ours"}
    wrong = Target(trans.undo_transforms, make, kinds, names=names, also={"y": ["z"]}).failures()
    make = lambda: call(MADE["NormalizationTransformer"]().to_config())  # noqa: E731
    wrong += Target(trans.Transformer.build, make, KINDS, names=("config",), also={"config": ["dict"]}).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(trans.__all__) == set(CONSTRUCTORS) | {"Transformer", "undo_transforms"}
    for name in (*CONSTRUCTORS, "Transformer"):
        methods = {n for n, _ in inspect.getmembers(getattr(trans, name), inspect.isroutine) if not n.startswith("_")}
        # from_config is the registry's, which has checked what it gives.
        assert methods - {"to_config", "from_config", "build"} <= set(METHODS)
