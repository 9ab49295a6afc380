"""`NetModel`: a net, a loss and an optimizer, with fit, predict, evaluate, save and load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim, train
from ..autograd import Tensor, no_grad
from ..data.batch import Batch, batches_of
from ..data.ragged import RaggedArray
from ..metrics import Metric
from ..nn.losses import Loss
from ..nn.onnx import Graph, Value
from ..ops.checks import check_device
from ..train.fit import usual_forward
from .labels import check_some, flat
from .model import Model, validation_metrics
from .settings import TRAINING, LossOf, Registered, Settings, choice_of, declared

if TYPE_CHECKING:
    from ..data.dataset import Batched


@declared
class NetModel(Model):
    """A net of your own, with a loss and an optimizer: fit, predict, evaluate, save and load as any model has them.

    Parameters
    ----------
    module : nn.Module
        From a batch of X to the output that the loss takes. Floats come as a float32 Tensor, whole numbers (token ids,
        packed bits) as the array that they are, sequences as a `data.SequenceBatch` with its values on the host.
    loss : nn.losses.Loss, str or callable
        One of `catalase.nn.losses`, its name such as ``"L2Loss"``, or a function of output, y and w.
    optimizer : str or optim.Optimizer, optional
        The name of one of `catalase.optim`, which gets ``learning_rate``; or one with settings of its own and without a
        module, such as ``ct.optim.SGD(lr=0.1)``. Adam where left out.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model; in the place of a function of your own the rate that it
        starts with is saved.
    seed : int, optional
        Decides shuffling and dropout: same seed, same bits, for any number of threads.

    Attributes
    ----------
    module : nn.Module
    loss : nn.losses.Loss or callable

    Notes
    -----
    `predict` gives the net's output as the loss reads it: probabilities where that is `nn.losses.SoftmaxCrossEntropy` or
    `nn.losses.SigmoidCrossEntropy`, else the output itself.

    Saving keeps the arguments of the module's constructor, and so needs them: each must be kept as an attribute of its
    name, and be a value that JSON can hold. The module's class must be registered (`catalase.models.register`) before the
    model is saved, and before it is loaded. A loss that is a function cannot be saved; a `nn.losses.Loss` of your own can,
    once it is registered.

    The models of this package are built on this class. A model with settings of its own derives from it, sets them with
    ``self._set(locals())``, and hands its net and its loss to ``_start``; see docs/extending.md.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> @ct.models.register
    ... class TwoLayers(ct.nn.Module):
    ...     def __init__(self, width):
    ...         super().__init__()
    ...         self.width = width
    ...         self.layers = ct.nn.Sequential(ct.nn.Linear(4, width, "tanh", rng=0), ct.nn.Linear(width, 1, rng=1))
    ...     def forward(self, x):
    ...         return self.layers(x)
    >>> X = np.linspace(0, 1, 80, dtype=np.float32).reshape(20, 4)
    >>> data = ct.data.NumpyDataset(X, X[:, :1])
    >>> model = ct.models.NetModel(TwoLayers(8), "L2Loss", optimizer=ct.optim.SGD(lr=0.1), batch_size=10, seed=0)
    >>> history = model.fit(data, nb_epoch=20, valid=data, metrics="r2_score")
    >>> history["r2_score"][-1] > 0.9
    True
    """

    settings = Settings(module=Registered(nn.Module), loss=LossOf()) | TRAINING
    module: nn.Module
    loss: Any
    batch_size: int
    learning_rate: Any
    seed: int | None
    optimizer: str | optim.Optimizer | None
    weight_decay_penalty: float = 0.0
    weight_decay_penalty_type = "l2"
    clip_norm: float | None = None
    dtype = "float32"  # of the net

    def __init__(
        self,
        module: nn.Module,
        loss: Any,
        optimizer: str | optim.Optimizer | None = None,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
    ) -> None:
        self._set(locals())
        self._start(self.module, self.loss)

    def _start(self, module: nn.Module, loss: Any) -> None:
        """Take over the net and the loss of a constructor that has set its settings."""
        super().__init__()
        self.module, self.loss = module, loss
        self._optimizer: optim.Optimizer | None = None
        self._fits = 0

    def _ready(self) -> None:
        """Make what is made at the first use: a graph of layers becomes a net."""

    @property
    def _rows_at_a_time(self) -> int:  # type: ignore[override]
        return self.batch_size

    @property
    def device(self) -> str:
        """Where the model computes: "cpu" or "cuda"."""
        return self.module.device

    def to(self, device: str) -> Self:
        """Compute on another device from now on; see `Model.to`. Layers without CUDA kernels are a TypeError."""
        name = type(self).__name__
        self._ready()
        if isinstance(device, str) and device != "cpu" and not self.module.parameters():
            raise TypeError(f"{name}.to: this model is not a net; it computes on the CPU")
        check_device(f"{name}.to", device)
        self.module.to(device)
        return self

    def make_optimizer(self) -> optim.Optimizer:
        """Return the optimizer of the first fit; later fits go on with it."""
        penalty = self.weight_decay_penalty
        penalties = {"l1": penalty} if self.weight_decay_penalty_type == "l1" else {"l2": 2 * penalty}
        chosen = self._declared_optimizer(optim.Adam(lr=self.learning_rate))
        return chosen.over(self.module, **penalties, clip_norm=self.clip_norm)

    def _declared_optimizer(self, default: optim.Optimizer) -> optim.Optimizer:
        """The optimizer that the model was made with, over no module."""
        if not isinstance(self.optimizer, str):
            return default if self.optimizer is None else self.optimizer
        made: optim.Optimizer = choice_of(optim.Optimizer, type(self).__name__, "optimizer", self.optimizer)(
            lr=self.learning_rate
        )
        return made

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
        """Train on a dataset.

        Parameters
        ----------
        dataset : Dataset
            X without NaN; y and w as the model's loss needs them. Weight 0 is a missing label.
        nb_epoch : int
            Passes over the data. Another call goes on from where this one ended.
        valid : Dataset, optional
            Its loss is reported after each epoch as ``valid_loss``, for `train.EarlyStopping`.
        callbacks : train.Callback or sequence of them
        progress : bool, optional
            A progress bar on standard error; None shows one on a terminal.
        resume : path, optional
            Go on from the last state that a `train.Checkpoint` committed there.
        graph : bool
            On a device, replay the step as a CUDA graph; see `train.fit`.
        metrics : Metric, str, or list of these, optional
            Computed on ``valid`` after each epoch, into the history under their names, so that
            ``train.EarlyStopping(monitor="roc_auc_score", mode="max")`` can watch one. A text names a function of
            `catalase.metrics`. Labels and predictions are compared as they are, no transformer undone.
        noise : train.Noise, optional
            Noise on inputs, weights and labels while training, dropout of inputs, mixup; see `train.Noise`.

        Returns
        -------
        train.History

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, saying what was needed and what came.
        """
        name = type(self).__name__
        self._check_dataset(f"{name}.fit", dataset)
        self._check_counts(f"{name}.fit", dataset)
        if valid is not None:
            self._check_dataset(f"{name}.fit (valid)", valid)
            self._check_counts(f"{name}.fit (valid)", valid, "to measure")
        chosen = validation_metrics(f"{name}.fit", metrics, valid)
        self._learn_from(f"{name}.fit", dataset, valid)
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        seed = self.seed
        if seed is not None and self._fits:
            seed = int(np.random.SeedSequence([seed, self._fits]).generate_state(1)[0])
        self.history = train.fit(
            self.module,
            self._training_rows(dataset),
            self.loss,
            optimizer=self._optimizer,
            nb_epoch=nb_epoch,
            batch_size=self.batch_size,
            seed=seed,
            valid=None if valid is None else self._validation_rows(valid),
            metrics=self._scoring(chosen, valid),
            callbacks=callbacks,
            progress=progress,
            forward=self._forward,
            resume=resume,
            graph=graph,
            noise=noise,
        )
        self._fits += 1
        return self.history

    def _check_counts(self, where: str, dataset: Any, aim: str = "to learn from") -> None:
        """Refuse a dataset none of whose labels counts."""
        if hasattr(dataset, "w"):  # a stream's weights come batch by batch
            check_some(where, np.asarray(flat(dataset.w)), aim)

    def _scoring(self, chosen: Sequence[Metric], valid: Any) -> dict[str, Callable[[], float]]:
        """Functions for `train.fit`, one a metric; the first predicts for all of them."""
        found: dict[str, float] = {}

        def score(name: str) -> float:
            if name == chosen[0].name:
                found.update(self.evaluate(valid, chosen, []))
            return found[name]

        return {metric.name: partial(score, metric.name) for metric in chosen}

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._checked_input(where, X)
        with nn.inference(), no_grad():
            return self._output(self._forward(self.module, X))

    def _checked_input(self, where: str, X: Any) -> Any:
        """What `_forward` takes for some rows of X, after a check."""
        X = self._check_features(where, X if isinstance(X, RaggedArray) else np.asarray(X))
        return self._net_input(self._on_scale(X))

    def summary(self) -> str:
        """Return a table of the net's layers and parameters; see `catalase.nn.summary`.

        Examples
        --------
        >>> import catalase as ct
        >>> print(ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], dropouts=0.0).summary())
        Layer            Output shape  Parameters  Note
        layers.0 Linear  (N, 4)                36
        layers.1 Linear  (N, 1)                 5
        Total                                  41
        """
        self._ready()
        return self.module.summary(self._row_shape())

    def _row_shape(self) -> tuple[int, ...] | None:
        """The shape of a row of X, where it is known."""
        return None

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        self._ready()
        shape = self._row_shape()
        if shape is None:
            raise TypeError(
                f"{graph.where}: the shape of a row of X is not known for a net of your own; derive a class from NetModel "
                "whose _row_shape returns it"
            )
        return [graph.input("X", np.float32, ("N", *shape))]

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        return self._onnx_output(graph, graph.layer(self.module, *inputs))

    def _onnx_output(self, graph: Graph, y: Value) -> Value:
        """Add the nodes of what `_output` computes: what the loss makes of an output."""
        order = type(self).__mro__
        own, exported = (next(i for i, c in enumerate(order) if n in vars(c)) for n in ("_output", "_onnx_output"))
        if own < exported:
            raise TypeError(f"{graph.where}: {order[own].__name__} has an _output of its own, but no _onnx_output")
        if not isinstance(self.loss, Loss) or type(self.loss).prediction is Loss.prediction:
            return y
        kinds = {
            nn.losses.SoftmaxCrossEntropy: lambda: graph.op("Softmax", y, axis=-1),
            nn.losses.SigmoidCrossEntropy: lambda: graph.op("Sigmoid", y),
            nn.losses.GaussianNLL: lambda: graph.op("Gather", y, np.int64(0), axis=y.rank - 2, rank=y.rank - 1),
        }
        if type(self.loss) not in kinds:
            raise TypeError(f"{graph.where}: the predictions of the loss {type(self.loss).__name__} are not exported")
        found: Value = kinds[type(self.loss)]()
        return found

    def state_dict(self) -> dict[str, NDArray[Any]]:
        self._ready()
        return self.module.state_dict()

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._ready()
        self.module.load_state_dict(state)

    def _training_rows(self, dataset: Any) -> Any:
        """The batches that the training loop walks through, each X as a `Batch` that the net takes."""
        return batches_of(dataset, self._batch)

    def _validation_rows(self, dataset: Any) -> Any:
        """As `_training_rows`, for the loss after each epoch."""
        return batches_of(dataset, self._batch)

    _forward = staticmethod(usual_forward)  # from the module and the X of a batch to the net's output

    def _on_scale(self, X: Any) -> Any:
        """A batch on the scale that the net was trained on; images have one."""
        return X

    def _batch(self, X: Any) -> Batch:
        """Some rows as the net takes them, on the host."""
        if isinstance(X, (Batch, RaggedArray)):
            return X if isinstance(X, Batch) else X.padded()
        as_it_is = not isinstance(X, np.ndarray) or self._goes_in_as_it_is(X)
        return Batch(X if as_it_is else np.asarray(X, self.dtype))

    def _net_input(self, X: Any) -> Any:
        """What `_forward` takes for some rows, on the model's device."""
        return self._batch(X).to(self.device).X

    def _goes_in_as_it_is(self, X: NDArray[Any]) -> bool:
        """Whether X is no array of features: token ids, packed bits."""
        return X.dtype.kind in "iu"

    def _output(self, raw: Tensor) -> NDArray[Any]:
        """A batch of outputs as predictions."""
        return self.loss.prediction(raw.numpy()) if isinstance(self.loss, Loss) else raw.numpy()
