"""Loading a saved model, of whichever class its config names, and admitting classes of your own."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TypeVar

from .. import nn
from .._internal import registry, storage
from .._internal.numbers import path_of, shown
from ..nn.allowance import allowance
from ..nn.module import check_finite
from .model import KIND, Model
from .settings import UNREGISTERED, Own, declared

T = TypeVar("T")


def load(path: str | Path) -> Model:
    """Load a model that was saved by `Model.save`. Predictions are equal to the bit.

    It has what it needs to be used: ``predict`` takes what its featurizer takes, SMILES for example, and answers in the units
    of the measurement.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Model
        Of the class that was saved. A type checker knows it as a `Model`: where you need what only one class has, say which
        it is, as by ``assert isinstance(model, ct.models.AutoModel)``.

    Raises
    ------
    FileNotFoundError
        If there is no saved model.
    ValueError
        If a file is truncated or was altered, if the config names a class or a setting that is not known or describes a
        larger net than the file of its weights holds, or if a weight is NaN or infinite.

    Notes
    -----
    Safe on files from strangers: nothing is unpickled, and only Catalase's own classes can be named, and those that
    `register` admitted.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     again = ct.models.load(folder)
    >>> X = np.ones((2, 8), np.float32)
    >>> bool(np.array_equal(model.predict(X), again.predict(X)))
    True
    """
    path = path_of("load", "path", path)
    config, arrays = storage.load_folder(path)
    if config.get("kind") != KIND or not isinstance(config.get("model"), dict):
        raise ValueError(f"load: {path} holds no model; give the folder that Model.save wrote")
    _import_all()
    with allowance(arrays):
        model: Model = registry.build(config["model"], Model, UNREGISTERED)
    try:
        model.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"load: the weights in {path} do not fit its config: {error}") from None
    check_finite("load", arrays, f"{path} was not written by a training that went well; train it again")
    model._carry(path, config)
    return model


def register(cls: type[T]) -> type[T]:
    """Admit a class of your own, so that a saved model may name it: call it before saving, and before loading.

    Parameters
    ----------
    cls : type
        A `Model`, or the `nn.Module` or the `nn.losses.Loss` of a `NetModel`. Its name, as it is, goes into the folder.

    Returns
    -------
    type
        The class, so that ``@ct.models.register`` can stand above it.

    Raises
    ------
    TypeError
        For what is none of these.
    ValueError
        If the name is taken by another class. A class that is defined again, as by a cell of a notebook that runs twice,
        takes the place of the one before.

    Notes
    -----
    What is saved are the arguments of the constructor: each must be kept as an attribute of its name. A class may declare
    what they may be in ``settings``, as the models of this package do (docs/extending.md); an argument without a field
    there may be any value that JSON can hold. A folder from a stranger can then make such objects with any arguments, so a
    constructor should do nothing but build a net.

    Examples
    --------
    >>> import catalase as ct
    >>> @ct.models.register
    ... class Scaled(ct.nn.Module):
    ...     def __init__(self, factor=2.0):
    ...         super().__init__()
    ...         self.factor, self.inner = factor, ct.nn.Linear(3, 1, rng=0)
    ...     def forward(self, x):
    ...         return self.inner(x) * self.factor
    >>> ct.models.NetModel(Scaled(), "L2Loss").to_config()["module"]
    {'class': 'Scaled', 'factor': 2.0}
    """
    kinds = (Model, nn.Module, nn.losses.Loss)
    if not isinstance(cls, type) or not issubclass(cls, kinds):
        raise TypeError(
            f"register: cls must be a class with models.Model, nn.Module or nn.losses.Loss as its base, got {shown(cls)}"
        )
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in inspect.signature(cls).parameters.values()):
        raise TypeError(
            f"register: cls takes any arguments; name those of {cls.__name__}.__init__, so that they can be saved"
        )
    _import_all()
    return declared(cls, unknown=Own)


def _import_all() -> None:
    """Import every module of this package, which lists the models that it defines."""
    import pkgutil

    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f".{module.name}", __package__)
