"""Several models of one kind that answer together: their mean, and how far they are apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import nn, train
from .._internal.numbers import is_list, shown
from .._internal.registry import List
from ..feat import Featurizer
from ..metrics import Metric
from ..nn.onnx import Graph, Value
from ..ops.checks import check_device
from ..train.progress import progress_bar
from ..train.together import fit_together
from ..trans import Transformer, undo_transforms
from .model import Model, chosen_transformers
from .neighbors import TanimotoKNN
from .net import NetModel
from .settings import Registered, Settings, declared

if TYPE_CHECKING:
    from ..data.dataset import Batched


class _Members(List):
    """Models of one class that take the same features."""

    argument = "a list of models"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if not is_list(value):
            raise TypeError(f"{owner}: {key} must be a list of models, got {shown(value)}")
        members = list(value)
        if not members:
            raise ValueError(f"{owner}: needs at least one member; {key} is empty")
        for member in members:
            if not isinstance(member, Model):
                raise TypeError(f"{owner}: {key} must be models, got {shown(member)} among them")
        taken = ("n_features", "n_extra_features")
        kinds = {(type(m), *(getattr(m, name, None) for name in taken)) for m in members}
        if len(kinds) > 1:
            raise ValueError(f"{owner}: {key} must be of one class and take the same number of features")
        if isinstance(members[0], TanimotoKNN):
            raise ValueError(
                f"{owner}: {key} must be nets that differ in their weights; {type(members[0]).__name__} has none"
            )
        return members


@declared
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

    settings = Settings(members=_Members(Registered(Model), min_length=1, max_length=1000))
    members: list[Any]

    def __init__(self, members: Sequence[Model]) -> None:
        super().__init__()
        self._set(locals())
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
        dataset: Batched,
        nb_epoch: int = 10,
        valid: Batched | None = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
        metrics: Metric | str | Sequence[Metric | str] | None = None,
        noise: train.Noise | None = None,
    ) -> train.History:
        """Fit the members; return the last one's history. The histories of all are in ``histories``.

        Nets on the CPU are fitted side by side, as many at a time as the kernels may use threads, which changes no bit.
        `callbacks` serve one member after the other, and so do all others. `resume` is refused: checkpoint the members
        themselves. `noise` is for members that are nets.
        """
        options: dict[str, Any] = {"graph": graph, "metrics": metrics} | ({} if noise is None else {"noise": noise})
        if resume is not None:
            raise ValueError(
                "Ensemble.fit: cannot resume an ensemble; fit its members, each with a Checkpoint of its own"
            )
        for member in (self, *self.members):
            member._learn_from("Ensemble.fit", dataset, valid)
        if self._one_by_one(callbacks):
            self.histories = [m.fit(dataset, nb_epoch, valid, callbacks, progress, **options) for m in self.members]
        else:
            with progress_bar("training", len(self.members), progress) as advance:

                def fitted(member: Model, stop: train.Callback) -> train.History:
                    history = member.fit(dataset, nb_epoch, valid, stop, progress=False, **options)
                    advance(1, "")
                    return history

                self.histories = fit_together([functools.partial(fitted, member) for member in self.members])
        self.history = self.histories[-1]
        return self.history

    def _one_by_one(self, callbacks: Any) -> bool:
        nets = all(isinstance(member, NetModel) for member in self.members)
        shared = len(set(map(id, self.members))) < len(self.members)
        none = isinstance(callbacks, (list, tuple)) and not callbacks
        return not nets or shared or self.device != "cpu" or not none

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

        items = self._datapoints(where, dataset, self.featurizer)
        if items is None:
            self._check_features_alike(where, dataset)
            found = of_members(dataset)
        else:
            found = self._answers(where, items, of_members, "raise").predictions
        each = np.ascontiguousarray(np.moveaxis(found, 1, 0))
        mean, spread = each.mean(axis=0), each.std(axis=0)
        if items is not None:
            return mean, spread
        return self._by_row(where, dataset, mean), self._by_row(where, dataset, spread)

    # What X and labels are is the members' to say.
    @property
    def n_features(self) -> Any:
        """How many features the members take."""
        return self.members[0].n_features

    @property
    def _takes_bits(self) -> bool:  # type: ignore[override]
        return bool(self.members[0]._takes_bits)

    def _check_width(self, where: str, featurizer: Featurizer) -> None:
        self.members[0]._check_width(where, featurizer)

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        found: list[Any] | None = self.members[0]._datapoints(where, given, featurizer)
        return found

    def _by_row(self, where: str, rows: Any, predictions: NDArray[Any]) -> Any:
        return self.members[0]._by_row(where, rows, predictions)

    def _check_to_score(self, where: str, dataset: Any) -> None:
        super()._check_to_score(where, dataset)
        self.members[0]._check_to_score(where, dataset)

    def _to_score(self, where: str, dataset: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        self._check_to_score(where, dataset)
        if transformers is None and not self.transformers:  # then each member's own
            return _mean([m._to_score(where, dataset, None) for m in self.members])
        mean = _mean([m._to_score(where, dataset, ()) for m in self.members])
        return undo_transforms(mean, self.transformers if transformers is None else transformers)

    def _compared(self, *given: Any, **options: Any) -> Any:
        return self.members[0]._compared(*given, **options)

    @property
    def device(self) -> str:
        """Where the members compute."""
        return str(self.members[0].device)

    def to(self, device: str) -> Self:
        """Let all members compute on another device; see `Model.to`."""
        check_device("Ensemble.to", device)
        before = self.device
        try:
            for member in self.members:
                member.to(device)
        except MemoryError:
            for member in self.members:
                member.to(before)
            raise
        return self

    def summary(self) -> str:
        """Return a table of the layers and parameters of all members."""
        nets = nn.Module()
        for member in self.members:
            member._ready()
        nets.members = [member.module for member in self.members]  # type: ignore[attr-defined]
        return nets.summary()

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the weights of all members: ``members.0.layers.0.w`` and so on."""
        return {
            f"members.{i}.{name}": array
            for i, member in enumerate(self.members)
            for name, array in member.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set the weights of all members."""
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: state must be a dictionary of arrays by name, got {shown(state)}")
        parts: list[dict[str, NDArray[Any]]] = [{} for _ in self.members]
        for name, array in state.items():
            _, number, inner = [*str(name).split(".", 2), "", ""][:3]
            if name != f"members.{number}.{inner}" or not number.isdecimal() or int(number) >= len(parts):
                raise ValueError(f"load_state_dict: no member of {len(parts)} has an array {name!r:.100}")
            parts[int(number)][inner] = array
        for member, part in zip(self.members, parts, strict=True):
            member.load_state_dict(part)

    def _undone(self, where: str, rows: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        if transformers is None and not self.transformers:  # then each member's own
            return _mean([m._undone(where, rows, None) for m in self.members])
        return super()._undone(where, rows, transformers)

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        return self.members[0]._onnx_inputs(graph)

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        each = "_onnx_raw" if self.transformers else "_onnx_predictions"  # as `_undone`
        found = [getattr(member, each)(graph, *inputs) for member in self.members]
        return graph.op("Mean", *found)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        return _mean([m._raw(where, rows) for m in self.members])

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
