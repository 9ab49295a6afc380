"""What `SequenceClassifier` and `SequenceRegressor` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.registry import Bool, Int, Str
from ..autograd import Tensor, no_grad
from ..data import SequenceDataset
from ..data.ragged import RaggedArray, SequenceBatch
from ..trans import Transformer
from .model import chosen_transformers
from .reader_net import POOLS, SequenceNet
from .sequence_net import SequenceModel
from .settings import N_CLASSES, N_TASKS, Settings
from .time_steps import PooledBatch, StepRows


class Reader(SequenceModel):
    """Recurrent layers, a pool over the steps or none, a dense output."""

    settings = SequenceModel.settings | Settings(
        n_tasks=N_TASKS, n_features=Int(1, 10_000_000, none=True), n_classes=N_CLASSES, bidirectional=Bool(),
        pool=Str(choices=list(POOLS)), per_step=Bool(optional=True),
    )  # fmt: skip
    n_tasks: int
    bidirectional: bool
    pool: str

    def _checked_net(self, shape: tuple[int, ...]) -> SequenceNet:
        """The net, once the settings fit each other."""
        name = type(self).__name__
        if (self.tokenizer is None) == (self.n_features is None):
            raise ValueError(f"{name}: give tokenizer for sequences of tokens, or n_features for feature vectors")
        if self.per_step and self.pool != "last":
            raise ValueError(f"{name}: with per_step=True no steps are pooled; leave pool={self.pool!r} out")
        if self.bidirectional and self.truncation is not None:
            raise ValueError(
                f"{name}: truncation carries the state from the first step on, and bidirectional=True reads from the last "
                "too; leave one of them out"
            )
        return self._net(shape)

    def _net(self, shape: tuple[int, ...]) -> SequenceNet:
        rng = nn.init.generator(self.seed)
        embedding = None if self.tokenizer is None else self._embedding(rng)
        inputs = self.n_features if embedding is None else self.embedding_size
        recurrent = self._recurrent(inputs, rng, self.bidirectional)
        head = nn.Linear(recurrent.output_size, int(np.prod(shape)), rng=rng)
        return SequenceNet(embedding, recurrent, None if self.per_step else self.pool, self.dropout, head, shape)

    def predict(  # type: ignore[override]
        self, dataset: Any, transformers: Sequence[Transformer] | None = None, raw: bool = False
    ) -> Any:
        """Return the predictions for a dataset, or for a list of sequences or (with a tokenizer) of texts.

        Parameters
        ----------
        dataset : SequenceDataset, list, or a SequenceBatch, which goes through the net all at once
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
        undo = chosen_transformers(where, transformers, raw)
        return self._by_row(where, dataset, self._undone(where, dataset, undo))

    def _by_row(self, where: str, rows: Any, predictions: NDArray[Any]) -> Any:
        """With ``per_step`` an array of each sequence's own length."""
        if not self.per_step:
            return predictions
        lengths = rows.lengths if isinstance(rows, SequenceBatch) else self._sequences(where, rows).X.lengths
        return list(RaggedArray(predictions, np.concatenate([[0], np.cumsum(lengths)])))

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        """Predictions in one array, of steps end to end; a `SequenceBatch` goes through the net as it is."""
        if isinstance(rows, SequenceBatch):
            return self._outputs(rows)
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

    def _check_to_score(self, where: str, dataset: Any) -> None:
        self._check_per_step(where, dataset)
        super()._check_to_score(where, dataset)

    def _check_per_step(self, where: str, dataset: Any) -> None:
        if isinstance(dataset, SequenceDataset) and dataset.per_step != self.per_step:
            given = "has a label a step" if dataset.per_step else "has no labels of steps"
            raise ValueError(
                f"{where}: this model was made with per_step={self.per_step}, but the dataset {given}; give "
                f"{'the SequenceDataset' if self.per_step else 'the model'} per_step=True"
            )

    def _training_rows(self, dataset: Any) -> Any:
        return StepRows(dataset, self.truncation) if self.per_step else dataset

    def _input(self, X: Any) -> Any:
        ours = type(X) is SequenceBatch and type(self.module) is SequenceNet
        return PooledBatch(X.values, X.lengths) if ours else super()._input(X)

    def _validation_rows(self, dataset: Any) -> Any:
        rows = super()._validation_rows(dataset)
        return StepRows(rows, None) if self.per_step else rows

    def _forward(self, module: nn.Module, X: Any) -> Tensor:
        if self.truncation is None or self.per_step or not module.training:
            return super()._forward(module, X)
        assert isinstance(module, SequenceNet)
        last, before = module.read_ahead(X, self.truncation)
        output: Tensor = module(last, None, before)[0]
        return output
