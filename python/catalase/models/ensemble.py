"""Several models of one kind that answer together: their mean, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, train
from .._internal.numbers import shown
from .._internal.registry import List, Object, register
from ..feat import Featurizer
from ..trans import Transformer
from .datapoints import datapoints
from .model import Model, chosen_transformers
from .settings import is_list


class _Members(nn.Module):
    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.members = modules


@register("Ensemble", members=List(Object(Model), min_length=1, max_length=1000))
class Ensemble(Model):
    """An ensemble of models that differ in their seeds.

    Parameters
    ----------
    members : sequence of Model
        Of equal shapes; each is fitted by itself.

    Notes
    -----
    `predict` and `predict_spread` undo the ensemble's ``transformers``; where it has none, each member's own.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> members = [ct.models.MultitaskRegressor(1, 4, layer_sizes=[8], seed=s) for s in range(3)]
    >>> mean, spread = ct.models.Ensemble(members).predict_spread(np.ones((2, 4), np.float32))
    >>> mean.shape, spread.shape
    ((2, 1), (2, 1))
    """

    def __init__(self, members: Sequence[Model]) -> None:
        super().__init__()
        if not is_list(members):
            raise TypeError(f"Ensemble: members must be a list of models, got {shown(members)}")
        self.members = list(members)
        if not self.members:
            raise ValueError("Ensemble: needs at least one member; members is empty")
        for member in self.members:
            if not isinstance(member, Model):
                raise TypeError(f"Ensemble: members must be models, got {shown(member)} among them")
        first = self.members[0]
        if any(type(m) is not type(first) or m.n_features != first.n_features for m in self.members):
            raise ValueError("Ensemble: members must be of one class and take the same number of features")
        if not all(m.module.parameters() for m in self.members):
            raise ValueError(
                f"Ensemble: members must be nets that differ in their weights; {type(first).__name__} has none"
            )
        self.n_features, self.batch_size, self.seed = first.n_features, first.batch_size, first.seed
        self.module = _Members([m.module for m in self.members])
        self._takes_bits = all(m._takes_bits for m in self.members)
        self.histories: list[train.History] = []
        known = self.featurizer
        for number, member in enumerate(self.members):
            if known is not None and member.featurizer is not None and not known.agrees_with(member.featurizer):
                raise ValueError(
                    f"Ensemble: member {number} was trained on the features of {member.featurizer!r}, those before it on "
                    f"{known!r}; members must take the same features"
                )

    @property
    def featurizer(self) -> Featurizer | None:
        """What made the features: the ensemble's own, else that of its members."""
        return self._featurizer or next((m.featurizer for m in self.members if m.featurizer is not None), None)

    @featurizer.setter
    def featurizer(self, value: Any) -> None:
        self._set_featurizer(value)

    @property
    def tasks(self) -> list[str] | None:
        """Names of the columns of y: the ensemble's own, else those of its members."""
        return self._tasks or next((m.tasks for m in self.members if m.tasks), None)

    @tasks.setter
    def tasks(self, value: Any) -> None:
        self._set_tasks(value)

    def fit(
        self,
        dataset: Any,
        nb_epoch: int = 10,
        valid: Any = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
    ) -> train.History:
        """Fit one member after the other; `callbacks` serve each in turn. Returns the last member's history.

        The histories of all are in ``histories``. `resume` is refused: checkpoint the members themselves.
        """
        if resume is not None:
            raise ValueError(
                "Ensemble.fit: cannot resume an ensemble; fit its members, each with a Checkpoint of its own"
            )
        for member in (self, *self.members):
            member._learn_from("Ensemble.fit", dataset, valid)
        self.histories = [m.fit(dataset, nb_epoch, valid, callbacks, progress, graph=graph) for m in self.members]
        self.history = self.histories[-1]
        return self.history

    def predict_spread(
        self, dataset: Any, transformers: Sequence[Transformer] | None = None, raw: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return mean and standard deviation of the members' predictions, in the units of the measurement.

        Parameters
        ----------
        dataset, transformers, raw
            As in `predict`.
        """
        where = "Ensemble.predict_spread"
        chosen = chosen_transformers(where, transformers, raw)
        if chosen is None and self.transformers:
            chosen = self.transformers

        def of_members(rows: Any) -> NDArray[Any]:
            return np.stack([m._undone(where, rows, chosen) for m in self.members], axis=1)

        items = datapoints(where, dataset, self.featurizer)
        if items is None:
            self._check_features_alike(where, dataset)
            found = of_members(dataset)
        else:
            found = self._answers(where, items, of_members, "raise").predictions
        each = np.ascontiguousarray(np.moveaxis(found, 1, 0))
        return each.mean(axis=0), each.std(axis=0)

    def _undone(self, where: str, rows: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        if transformers is None and not self.transformers:  # then each member's own
            return _mean([m._undone(where, rows, None) for m in self.members])
        return super()._undone(where, rows, transformers)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        return _mean([m._raw(where, rows) for m in self.members])

    def to_config(self) -> dict[str, Any]:
        return {"class": "Ensemble", "members": [m.to_config() for m in self.members]}

    def _to_carry(self) -> dict[str, Any]:
        return {**super()._to_carry(), "members": [m._to_carry() for m in self.members]}

    def _carry(self, path: Any, config: dict[str, Any]) -> None:
        super()._carry(path, config)
        members = config.get("members")
        if members is None:  # of an earlier version
            return
        if not isinstance(members, list) or len(members) != len(self.members):
            raise ValueError(
                f"load: the config in {path} does not say what each of {len(self.members)} members carries"
            )
        for member, carried in zip(self.members, members, strict=True):
            if not isinstance(carried, dict):
                raise ValueError(f"load: the config in {path} lacks what a member carries")
            member._carry(path, carried)


def _mean(predictions: list[NDArray[Any]]) -> NDArray[Any]:
    return np.asarray(np.mean(predictions, axis=0, dtype=np.float32))
