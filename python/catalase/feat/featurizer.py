"""`Featurizer`, the base class: the call, the report, and the form in which a dataset or a model keeps a featurizer."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar

from .._internal import registry
from .._internal.numbers import shown
from .._internal.report import Report

if TYPE_CHECKING:
    from .._internal.outcomes import Errors


class Featurizer:
    """Base class of featurizers, which turn molecules or sequences into rows of X.

    A subclass defines `featurize` and `to_config`. `Dataset.featurizer` and `Model.featurizer` hold one, so that a model
    gets new data in the form that it was trained on.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.
    """

    report: Report | None = None
    reads: str = "text"
    """What a datapoint is, for messages."""
    makes_graphs: ClassVar[bool] = False
    """Whether the features are `MolGraphs`, which a `GraphDataset` holds."""
    makes_sequences: ClassVar[bool] = False
    """Whether the features are a `RaggedArray`, which a `SequenceDataset` holds."""
    aside: ClassVar[tuple[str, ...]] = ()
    """Settings that decide what can be read, but not what a feature means."""

    @property
    def makes_rows(self) -> bool:
        """Whether the features are an array: neither graphs nor sequences."""
        return not (self.makes_graphs or self.makes_sequences)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features of a row, in their order; None where they have none."""
        return None

    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the features of some datapoints.

        Parameters
        ----------
        datapoints : sequence
        errors : {"raise", "mask", "drop"}
            The treatment of a datapoint that cannot be read: raise, give zeros, or leave it out. With "drop" the result is
            (array, kept_indices).
        """
        raise NotImplementedError(f"{type(self).__name__} defines no featurize method")

    def compact(self, datapoints: Sequence[Any]) -> Any:
        """Return (array, kept_indices) in the least memory: packed bits, where the features are bits."""
        return self.featurize(datapoints, errors="drop")

    def __call__(self, datapoints: Sequence[Any], *args: Any, **options: Any) -> Any:
        """Return the features; see `featurize`."""
        return self.featurize(datapoints, *args, **options)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``type(featurizer)(**config)`` makes an equal featurizer."""
        raise TypeError(f"{type(self).__name__}: this featurizer cannot be saved, it defines no to_config")

    def saved_form(self) -> dict[str, Any]:
        """Return the settings with the class's name under "class", from which `build` makes an equal featurizer."""
        name = type(self).__name__
        if name not in registry.names(type(self)):
            raise TypeError(f"{name}: this featurizer cannot be saved, it is none of Catalase's own")
        return {"class": name, **self.to_config()}

    @staticmethod
    def build(config: Any) -> Featurizer:
        """Return the featurizer that a saved form describes; ValueError for anything else than one of this package."""
        for package in ("feat", "feat.smiles_tokens", "trans"):  # the classes that a config may name are in these
            importlib.import_module(f"..{package}", __package__)
        featurizer: Featurizer = registry.build(config, kind=Featurizer)
        return featurizer

    def agrees_with(self, other: Featurizer) -> bool:
        """Return whether the features of both mean the same; the datapoints that they can read may differ."""
        return self is other or (type(self) is type(other) and self._meaning() == other._meaning())

    def _meaning(self) -> Any:
        return {name: value for name, value in self._settings().items() if name not in self.aside}

    def _settings(self) -> dict[str, Any]:
        """Return the settings, or the featurizer itself where it does not tell them, so that it equals no other."""
        return {"itself": id(self)} if type(self).to_config is Featurizer.to_config else self.to_config()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Featurizer) and type(self) is type(other) and self._settings() == other._settings()

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        known = type(self).to_config is not Featurizer.to_config
        settings = self.to_config() if known else {}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"


def datapoints_of(function: str, datapoints: Any, what: str) -> list[Any]:
    """Return the datapoints of a call as a list, in the order of their positions even for a Series with an index."""
    several = hasattr(type(datapoints), "__len__") and hasattr(type(datapoints), "__iter__")
    one_by_one = isinstance(datapoints, (str, bytes, bytearray, memoryview, Mapping, Set, range))
    if not several or one_by_one or isinstance(datapoints, type) or getattr(datapoints, "ndim", 1) != 1:
        hint = "; wrap it in [ ]" if isinstance(datapoints, (str, bytes)) else ""
        raise TypeError(f"{function}: datapoints must be a list of {what}, got {shown(datapoints)}{hint}")
    return list(datapoints)


def featurizing(where: str, featurizer: Any) -> Any:
    """Return an object that has a method ``featurize``: Catalase's, DeepChem's or the user's; refuse any other."""
    if isinstance(featurizer, type) or not callable(getattr(featurizer, "featurize", None)):
        raise TypeError(
            f"{where}: featurizer must be an object with a featurize method, such as catalase.feat.CircularFingerprint(), "
            f"got {shown(featurizer)}"
        )
    return featurizer


def checked(where: str, featurizer: Any) -> Featurizer | None:
    """Return a copy for a dataset or a model, unaffected by later changes of settings; refuse any other object."""
    if featurizer is not None and not isinstance(featurizer, Featurizer):
        raise TypeError(
            f"{where}: featurizer must be None or a catalase.feat.Featurizer such as CircularFingerprint(), got "
            f"{type(featurizer).__name__}"
        )
    if featurizer is None or type(featurizer).to_config is Featurizer.to_config:
        return featurizer  # a featurizer that does not tell its settings equals only itself
    made = copy.copy(featurizer)
    made.report = None
    return made


def saved_form(where: str, featurizer: Featurizer | None) -> dict[str, Any] | None:
    """Return the saved form; None, with a warning, for a user's own featurizer, which cannot be rebuilt."""
    if featurizer is None:
        return None
    try:
        return featurizer.saved_form()
    except TypeError as error:
        warnings.warn(
            f"{where}: {error}; it is left out, so what is loaded will take features only, until its featurizer is set "
            "again",
            stacklevel=3,
        )
        return None
