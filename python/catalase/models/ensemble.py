"""Several models of one kind that answer together: their mean, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, train
from .._registry import List, Object, register
from ..trans import Transformer, undo_transforms
from .model import Model


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
        self.members = list(members)
        if not self.members:
            raise ValueError("Ensemble: needs at least one member")
        first = self.members[0]
        if any(type(m) is not type(first) or m.n_features != first.n_features for m in self.members):
            raise ValueError("Ensemble: members must be of one class and take the same number of features")
        if not all(m.module.parameters() for m in self.members):
            raise ValueError(
                f"Ensemble: members must be nets that differ in their weights; {type(first).__name__} has none"
            )
        self.n_features, self.batch_size, self.seed = first.n_features, first.batch_size, first.seed
        self.module = _Members([m.module for m in self.members])
        self.histories: list[train.History] = []

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
        self.histories = [m.fit(dataset, nb_epoch, valid, callbacks, progress, graph=graph) for m in self.members]
        self.history = self.histories[-1]
        return self.history

    def predict_on_batch(self, X: Any) -> NDArray[Any]:
        """Return the mean of the members' predictions."""
        return np.asarray(np.mean([m.predict_on_batch(X) for m in self.members], axis=0, dtype=np.float32))

    def predict_spread(
        self, dataset: Any, transformers: Sequence[Transformer] = ()
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return mean and standard deviation of the members' predictions, in the units of the measurement."""
        each = np.stack([undo_transforms(m.predict(dataset), transformers) for m in self.members])
        return each.mean(axis=0), each.std(axis=0)

    def to_config(self) -> dict[str, Any]:
        return {"class": "Ensemble", "members": [m.to_config() for m in self.members]}
