"""What `SequenceClassifier` and `SequenceRegressor` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.registry import Bool, Field, Int, Str
from ..autograd import Tensor, no_grad
from ..data import SequenceDataset
from ..data.ragged import RaggedArray, SequenceBatch
from ..trans import Transformer, undo_transforms
from .model import chosen_transformers
from .reader_net import POOLS, SequenceNet
from .sequence_net import FIELDS, SequenceModel, by_length
from .settings import checked
from .time_steps import step_batches

READER_FIELDS: dict[str, Field] = {
    "n_tasks": Int(1, 1_000_000),
    "n_features": Int(1, 10_000_000, none=True),
    "bidirectional": Bool(),
    "pool": Str(choices=list(POOLS)),
    "per_step": Bool(optional=True),
}


class Reader(SequenceModel):
    """Recurrent layers, a pool over the steps or none, a dense output."""

    fields = (*FIELDS, *READER_FIELDS)

    def __init__(
        self,
        n_tasks: int,
        *,
        n_features: int | None,
        bidirectional: bool,
        pool: str,
        per_step: bool,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        name = type(self).__name__
        if (self.tokenizer is None) == (n_features is None):
            raise ValueError(f"{name}: give tokenizer for sequences of tokens, or n_features for feature vectors")
        found = checked(
            name, READER_FIELDS, n_tasks=n_tasks, n_features=n_features, bidirectional=bidirectional, pool=pool,
            per_step=per_step,
        )  # fmt: skip
        self.n_tasks, self.n_features, self.bidirectional = (
            found["n_tasks"],
            found["n_features"],
            found["bidirectional"],
        )
        self.pool, self.per_step = found["pool"], found["per_step"]
        if self.per_step and self.pool != "last":
            raise ValueError(f"{name}: with per_step=True no steps are pooled; leave pool={pool!r} out")
        if self.bidirectional and self.truncation is not None:
            raise ValueError(
                f"{name}: truncation carries the state from the first step on, and bidirectional=True reads from the last "
                "too; leave one of them out"
            )

    def _net(self, shape: tuple[int, ...]) -> SequenceNet:
        rng = nn.init.generator(self.seed)
        embedding = None if self.tokenizer is None else self._embedding(rng)
        inputs = self.n_features if embedding is None else self.embedding_size
        recurrent = self._recurrent(inputs, rng, self.bidirectional)
        head = nn.Linear(recurrent.output_size, int(np.prod(shape)), rng=rng)
        return SequenceNet(embedding, recurrent, None if self.per_step else self.pool, self.dropout, head, shape)

    def predict_on_batch(self, X: Any, transformers: Sequence[Transformer] | None = None, raw: bool = False) -> Any:
        """Return the predictions for a `SequenceBatch`, all at once; or for what `predict` takes."""
        if not isinstance(X, SequenceBatch):
            return self.predict(X, transformers, raw)
        chosen = chosen_transformers(f"{type(self).__name__}.predict", transformers, raw)
        out = undo_transforms(self._outputs(X), self.transformers if chosen is None else chosen)
        return list(RaggedArray(out, np.concatenate([[0], np.cumsum(X.lengths)]))) if self.per_step else out

    def predict(  # type: ignore[override]
        self, dataset: Any, transformers: Sequence[Transformer] | None = None, raw: bool = False
    ) -> Any:
        """Return the predictions for a dataset, or for a list of sequences or (with a tokenizer) of texts.

        Parameters
        ----------
        dataset : SequenceDataset or list
        transformers : sequence of Transformer, optional
            Those that changed y are undone, instead of the model's own.
        raw : bool
            Undo nothing: the net's own scale.

        Returns
        -------
        ndarray; list of ndarray with ``per_step``
            (N, tasks) for regression, (N, tasks, classes) probabilities for classification, in the order of the rows;
            with ``per_step`` an array of each sequence's own length, (T_i, tasks) or (T_i, tasks, classes). A sequence's
            bits do not depend on those beside it.

        Raises
        ------
        TypeError, ValueError
            For sequences of another kind, unknown tokens and NaN, naming row and step.
        """
        where = f"{type(self).__name__}.predict"
        X = self._sequences(where, dataset).X
        whole = self._undone(where, X, chosen_transformers(where, transformers, raw))
        return list(RaggedArray(whole, X.offsets)) if self.per_step else whole

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        """Predictions in one array, of steps end to end."""
        X = self._sequences(where, rows).X
        self._check_sequences(where, X)
        none = self._outputs(X.padded(np.zeros(0, np.int64)))
        whole = np.empty((len(X.values) if self.per_step else len(X), *none.shape[1:]), none.dtype)
        for chosen in self._by_length(X):
            whole[X.places(chosen)[0] if self.per_step else chosen] = self._outputs(X.padded(chosen))
        return whole

    def _outputs(self, X: SequenceBatch) -> NDArray[Any]:
        with nn.inference(), no_grad():
            return self._output(self._forward(self.module, X))

    def _to_score(self, where: str, dataset: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        self._check_per_step(where, dataset)
        return super()._to_score(where, dataset, transformers)

    def _check_per_step(self, where: str, dataset: Any) -> None:
        if isinstance(dataset, SequenceDataset) and dataset.per_step != self.per_step:
            given = "has a label a step" if dataset.per_step else "has no labels of steps"
            raise ValueError(
                f"{where}: this model was made with per_step={self.per_step}, but the dataset {given}; give "
                f"{'the SequenceDataset' if self.per_step else 'the model'} per_step=True"
            )

    def _training_rows(self, dataset: Any) -> Any:
        return step_batches(dataset, self.truncation) if self.per_step else super()._training_rows(dataset)

    def _batch(self, X: SequenceBatch) -> SequenceBatch:
        X.checked = type(self.module) is SequenceNet  # another net may know fewer tokens than the tokenizer has
        return X

    def _validation_rows(self, dataset: Any) -> Any:
        rows = by_length(dataset)
        return step_batches(rows, None) if self.per_step else super()._validation_rows(rows)

    def _forward(self, module: nn.Module, X: Any) -> Tensor:
        if self.truncation is None or self.per_step or not module.training:
            return super()._forward(module, X)
        assert isinstance(module, SequenceNet)
        last, before = module.read_ahead(X, self.truncation)
        output: Tensor = module(last, None, before)[0]
        return output
