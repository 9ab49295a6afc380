"""What is explained: one number for each row, and its gradient."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.numbers import shown, whole_number
from ..autograd import Tensor
from ..backends import to_device_of
from ..models.ensemble import Ensemble
from ..models.graphs import GraphRows
from ..models.model import Model
from ..models.net import NetModel
from ..models.tensorgraph import TensorGraph
from ..nn.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from ..ops import softmax
from ..train.fit import usual_forward
from ..trans import undo_transforms

_ROWS = 1000  # whose gradients are computed together
_SMALL = 2.0**-10  # change of a number by which the slope of what is read of it is found, where no other is given

_FLOATS = NDArray[np.float64]


class Target:
    """The number of each row that is explained.

    Of regressions it is the prediction in the units of the measurement; of classifiers that are nets the log-odds of a
    class, which do not saturate as probabilities do; of other classifiers the probability.

    Parameters
    ----------
    where : str
        The function, for messages.
    model : Model
    task : int
    label : int, optional
        The class; the last where left out.
    """

    def __init__(self, where: str, model: Any, task: Any = 0, label: Any = None) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"{where}: model must be a model of catalase.models, got {shown(model)}")
        self.where, self.task = where, whole_number(where, "task", task, 0)
        self.label = None if label is None else whole_number(where, "label", label, 0)
        self.members = [Target(where, one, task, label) for one in model.members] if type(model) is Ensemble else []
        self.model: Any = model
        self.logits = isinstance(model, NetModel) and isinstance(model.loss, (SoftmaxCrossEntropy, SigmoidCrossEntropy))
        if self.logits and not isinstance(model, TensorGraph):
            self.model = copy.deepcopy(model)
            self.model._output = lambda raw: raw.numpy()

    def scores(self, X: Any) -> NDArray[np.float64]:
        """Return the number of each row of X."""
        if self.members:
            return np.mean([member.scores(X) for member in self.members], axis=0)
        return self._chosen(np.asarray(self.model._undone(self.where, X, () if self.logits else None), np.float64))

    def _chosen(self, found: NDArray[Any]) -> NDArray[Any]:
        """Return the task, and the class, of outputs (N, tasks) or (N, tasks, classes)."""
        column, classes = self._column(found.shape)
        found = found.reshape(len(found), math.prod(found.shape[1:]))
        if classes and self.logits:
            others = np.delete(found[:, column - column % classes :][:, :classes], column % classes, axis=1)
            top = others.max(axis=1)
            return found[:, column] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
        return found[:, column]

    def _column(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The column of the outputs in one row, and the number of classes (0 where there are none)."""
        softmax_net = self.logits and isinstance(self.model.loss, SoftmaxCrossEntropy)
        if len(shape) == 2 and softmax_net:
            shape = (shape[0], 1, shape[1])
        if len(shape) == 1:
            shape = (*shape, 1)
        if len(shape) not in (2, 3):
            raise ValueError(
                f"{self.where}: model gives outputs of shape {shape[1:]} for a row; models with a number for each task, or "
                "one for each of its classes, are explained"
            )
        if self.task >= shape[1]:
            raise ValueError(f"{self.where}: task must be below {shape[1]}, the number of tasks, got {self.task}")
        if len(shape) == 2:
            if self.label is not None and not (self.logits and self.label == 1):
                raise ValueError(f"{self.where}: label is for models with classes; leave it out, got {self.label}")
            return self.task, 0
        label = shape[2] - 1 if self.label is None else self.label
        if label >= shape[2]:
            raise ValueError(f"{self.where}: label must be below {shape[2]}, the number of classes, got {label}")
        if shape[2] < 2:
            raise ValueError(f"{self.where}: model knows one class only, so there is nothing to explain")
        return self.task * shape[2] + label, shape[2]

    def gradients(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return the gradient of each row's number, in the shape of X."""
        if self.members:
            return np.mean([member.gradients(X) for member in self.members], axis=0)
        self._check_gradients()
        X = np.asarray(X, np.float32)
        parts = [self.gradients_of(*self._watched(X[i : i + _ROWS])) for i in range(0, len(X), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros(X.shape, np.float32)

    def _check_gradients(self) -> None:
        model = self.model
        name = type(model).__name__
        if not isinstance(model, NetModel):
            raise TypeError(f"{self.where}: model must have gradients, but {name} is no net; use masking or occlusion")
        if isinstance(model, (TensorGraph, GraphRows)) or model._forward is not usual_forward:
            raise TypeError(
                f"{self.where}: model must read arrays of numbers for gradients, but {name} does not; use masking, "
                "mutagenesis or occlusion"
            )

    def _watched(self, X: NDArray[np.float32]) -> tuple[Tensor, Callable[[Any], Any], float]:
        """Return X as the leaf of a net, and by what it was multiplied."""
        model = self.model
        model._check_features(self.where, X)
        scaled = model._batch(model._on_scale(X)).X
        factor = float(np.ravel(model._on_scale(np.ones_like(X[:1])))[0]) if X.size else 1.0
        return Tensor(np.ascontiguousarray(scaled), requires_grad=True), self.net(), factor

    def net(self) -> Any:
        """A copy of the net none of whose parameters asks for a gradient."""
        module = copy.deepcopy(self.model.module)
        for parameter in module.parameters():
            parameter.requires_grad = False
        return module

    def gradients_of(self, leaf: Tensor, module: Callable[[Any], Any], factor: float) -> NDArray[np.float32]:
        """Return the gradients at a leaf from which a net computes its output."""
        self.back(lambda: module(leaf))
        assert leaf.grad is not None
        return np.asarray(leaf.grad) * np.float32(factor)

    def back(self, forward: Callable[[], Any]) -> None:
        """Let the gradients of each row's number flow from a net's output to its leaves."""
        model = self.model
        with nn.inference():
            output = forward()
            if isinstance(output, tuple):  # what is predicted comes first, as of a VAE
                output = output[0]
            raw = output.numpy().astype(np.float64)
            column, classes = self._column(model._output(Tensor(raw)).shape)
            rows = raw.reshape(len(raw), -1)
            seed = np.zeros(rows.shape)
            seed[:, column] = 1
            if classes and self.logits:
                first = column - column % classes
                place = np.delete(np.arange(first, first + classes), column - first)
                seed[:, place] = -softmax(np.ascontiguousarray(rows[:, place]))
            elif (
                not self.logits
            ):  # predictions are the first numbers of an output, which may have a variance behind them
                seed[:, column] = slopes(
                    lambda x: undo_transforms(model._output(Tensor(x)), model.transformers), raw, column
                )
            output.backward(to_device_of(seed.reshape(output.shape).astype(np.float32), output.data))


def slopes(
    read: Callable[[_FLOATS], NDArray[Any]], raw: _FLOATS, column: int, change: _FLOATS | None = None
) -> _FLOATS:
    """Return by how much what is read of a model's own numbers changes with one of them, from row to row."""
    step = np.full(len(raw), _SMALL) if change is None else np.where(np.abs(change) > 1e-6, change, _SMALL)
    before = raw.copy()
    before.reshape(len(raw), -1)[:, column] -= step
    found = np.asarray(read(raw) - read(before), np.float64)
    return found.reshape(len(raw), -1)[:, column] / step
