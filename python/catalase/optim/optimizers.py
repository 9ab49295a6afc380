"""Optimizers over a model's flat parameter buffer: a step is one kernel call, or one for weights and one for biases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.arrays import refuse_masked
from .._internal.numbers import flag, number, shown
from ..backends import assign, backend_of, to_device, to_host
from ..nn import Module, Parameter, ParameterBuffer, flatten_parameters
from .schedules import Schedule

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Optimizer", "RMSProp"]

_Views = tuple[NDArray[Any], NDArray[Any], list[NDArray[Any]]]


class Optimizer:
    """What the optimizers share.

    Parameters
    ----------
    module : Module or ParameterBuffer
        Whose parameters are changed. A module is flattened: its parameters become views of one buffer.
    lr : float or schedule
        Learning rate; a schedule is called with the step, counted from 0.
    l1, l2 : float
        Penalties on weights (not biases), added to the gradient: ``l1 * sign(w) + l2 * w``.
    weight_decay : float
        Decoupled decay of weights: ``w *= 1 - lr * weight_decay``.
    clip_norm : float, optional
        Scale the whole gradient (before penalties) down to this Euclidean norm where it is longer.

    Raises
    ------
    TypeError
        If ``module`` is neither a module nor a buffer.
    ValueError
        For numbers out of range.

    Notes
    -----
    Same bits for any number of threads. A NaN gradient makes its parameter NaN; `train.fit` stops before such a step.
    After a step a graph recorded before it cannot be walked any more: that is an error, not a wrong gradient.
    """

    _state_names: Sequence[str] = ()

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-3,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        name = type(self).__name__
        self.l1, self.l2 = number(name, "l1", l1, at_least=0), number(name, "l2", l2, at_least=0)
        self.weight_decay = number(name, "weight_decay", weight_decay, at_least=0)
        self.clip_norm = None if clip_norm is None else _clip_norm(name, clip_norm)
        self.lr = lr if callable(lr) else number(name, "lr", lr, at_least=0)
        if not isinstance(module, (Module, ParameterBuffer)):
            raise TypeError(f"{name}: module must be a Module or a ParameterBuffer, got {shown(module)}")
        self.buffer = module if isinstance(module, ParameterBuffer) else flatten_parameters(module)
        self.steps = 0
        self._state = {key: self.buffer.zeros() for key in self._state_names}
        self._views: dict[tuple[int, int, bool], _Views] = {}
        self._flat: Any = self.buffer.data  # whose views these are

    def current_lr(self) -> float:
        """Return the learning rate of the next step."""
        if callable(self.lr):
            return number(type(self).__name__, "lr, which the schedule gave,", self.lr(self.steps), at_least=0)
        return float(self.lr)

    def zero_grad(self) -> None:
        """Forget all gradients; costs nothing."""
        self.buffer.zero_grad()

    def step(self) -> None:
        """Change the parameters once, by the gradients at hand; parameters without one count as zero gradient."""
        self.buffer.sync()
        if self._flat is not self.buffer.data:
            self._follow()
        lr = self.current_lr()
        if self.clip_norm is not None:
            gradient = self.buffer.ready_grad()
            backend_of(gradient).clip_norm(gradient, self.clip_norm)
        self.steps += 1
        penalties = {"l1": self.l1, "l2": self.l2, "decay": self.weight_decay}
        plain = not (self.l1 or self.l2 or self.weight_decay)
        for start, stop, decay, parameter in self.buffer.pieces():
            options = penalties if decay and not plain else {}
            known = self._views.get((start, stop, parameter is None))
            param, grad, state = self._views_of(start, stop, parameter) if known is None else known
            # A dense layer's gradient is computed on the way.
            self._rule(param, grad if parameter is None else parameter._pending, state, lr, options)
        self.buffer.changed()

    def _follow(self) -> None:
        """Take the moments to where the parameters have gone."""
        self._state = {key: to_device(flat, self.buffer.device) for key, flat in self._state.items()}
        self._views, self._flat = {}, self.buffer.data

    def _views_of(self, start: int, stop: int, parameter: Parameter | None) -> _Views:
        """A piece of the parameters, of the gradient and of each moment: flat, or a parameter's in its shape."""
        flat = [self.buffer.data, self.buffer.grad, *self._state.values()]
        cut = [a[start:stop] if parameter is None else self.buffer.matrix_view(a, parameter) for a in flat]
        known = self._views[start, stop, parameter is None] = (cut[0], cut[1], cut[2:])
        return known

    def __getstate__(self) -> dict[str, Any]:
        moments = {key: to_host(flat) for key, flat in self._state.items()}
        return {**self.__dict__, "_state": moments, "_views": {}, "_flat": None}  # `step` takes them to the parameters

    def _rule(
        self, param: NDArray[Any], grad: Any, state: list[NDArray[Any]], lr: float, penalties: dict[str, Any]
    ) -> None:
        raise TypeError(f"{type(self).__name__} has no _rule method")

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the moments by ``name/parameter``, and the number of steps, as arrays."""
        arrays: dict[str, NDArray[Any]] = {"steps": np.array(self.steps, np.int64)}
        for key, flat in self._state.items():
            for name, view in self.buffer.arrays(flat).items():
                arrays[f"{key}/{name}"] = np.array(to_host(view), order="C")
        return arrays

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set the moments and the number of steps; nothing is changed unless everything fits.

        Raises
        ------
        ValueError
            Naming what is missing, unknown or of another shape.
        """
        views = {f"{k}/{n}": v for k, flat in self._state.items() for n, v in self.buffer.arrays(flat).items()}
        if not isinstance(state, Mapping):
            raise TypeError(
                f"{type(self).__name__}.load_state_dict: state must be a dictionary of arrays, got {shown(state)}"
            )
        wanted = views.keys() | {"steps"}
        if wanted != set(state):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: names do not fit; missing {sorted(wanted - set(state))}, "
                f"unknown {sorted(set(state) - wanted, key=str)}"
            )
        for name, view in views.items():
            refuse_masked(f"{type(self).__name__}.load_state_dict", name, state[name])
            if np.shape(state[name]) != view.shape:
                raise ValueError(
                    f"{type(self).__name__}.load_state_dict: {name} must have shape {view.shape}, "
                    f"got {np.shape(state[name])}"
                )
        if np.shape(state["steps"]) != () or not int(state["steps"]) >= 0:
            raise ValueError(f"{type(self).__name__}.load_state_dict: steps must be one number, 0 or more")
        for name, view in views.items():
            assign(view, np.asarray(state[name]))
        self.steps = int(state["steps"])


def _clip_norm(name: str, clip_norm: Any) -> float:
    """A norm above 0; infinity clips nothing."""
    if isinstance(clip_norm, float) and clip_norm == math.inf:
        return clip_norm
    return number(name, "clip_norm", clip_norm, above=0)


class SGD(Optimizer):
    """Gradient descent: ``w -= lr * g``. See `Optimizer` for the parameters.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Linear(1, 1, weight_init=ct.nn.init.constant(1.0))
    >>> optimizer = ct.optim.SGD(layer, lr=0.5)
    >>> layer(ct.Tensor(np.ones((1, 1), np.float32))).sum().backward()
    >>> optimizer.step()
    >>> layer.w.numpy()
    array([[0.5]], dtype=float32)
    """

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.sgd_step(param, grad, lr=lr, **penalties)


class Momentum(Optimizer):
    """Gradient descent with momentum, or Nesterov's. See `Optimizer` and `catalase.ops.momentum_step`."""

    _state_names = ("velocity",)

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-2,
        momentum: float = 0.9,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        name = type(self).__name__
        self.momentum = number(name, "momentum", momentum, at_least=0, below=1)
        self.nesterov = flag(name, "nesterov", nesterov)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.momentum_step(param, grad, *state, lr=lr, momentum=self.momentum, nesterov=self.nesterov, **penalties)


class AdaGrad(Optimizer):
    """AdaGrad. See `Optimizer` and `catalase.ops.adagrad_step`.

    Parameters
    ----------
    eps : float
        Added to the root of the accumulated squares.
    initial_accumulator : float
        Where those start, 0 or more; DeepChem and TensorFlow start at 0.1.
    """

    _state_names = ("accum",)

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-2,
        eps: float = 1e-10,
        initial_accumulator: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        name = type(self).__name__
        self.eps = number(name, "eps", eps, above=0)
        start = number(name, "initial_accumulator", initial_accumulator, at_least=0, below=1e38)
        assign(self._state["accum"], start)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.adagrad_step(param, grad, *state, lr=lr, eps=self.eps, **penalties)


class RMSProp(Optimizer):
    """RMSProp, with optional momentum. See `Optimizer` and `catalase.ops.rmsprop_step`."""

    _state_names = ("sq", "mom")

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-3,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        name = type(self).__name__
        self.alpha = number(name, "alpha", alpha, at_least=0, below=1)
        self.momentum = number(name, "momentum", momentum, at_least=0, below=1)
        self.eps = number(name, "eps", eps, above=0)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.rmsprop_step(
            param, grad, *state, lr=lr, alpha=self.alpha, eps=self.eps, momentum=self.momentum, **penalties
        )


class Adam(Optimizer):
    """Adam. See `Optimizer` and `catalase.ops.adam_step`.

    Parameters
    ----------
    beta1, beta2 : float
        Decay of the two moments, from 0 to below 1.
    eps : float
        Added to the root of the second moment.
    """

    _state_names = ("m", "v")

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        name = type(self).__name__
        self.beta1 = number(name, "beta1", beta1, at_least=0, below=1)
        self.beta2 = number(name, "beta2", beta2, at_least=0, below=1)
        self.eps = number(name, "eps", eps, above=0)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.adam_step(
            param, grad, *state,
            lr=lr, step=self.steps, beta1=self.beta1, beta2=self.beta2, eps=self.eps, **penalties,
        )  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 unless given."""

    def __init__(
        self,
        module: Module | ParameterBuffer,
        lr: float | Schedule = 1e-3,
        *,
        weight_decay: float = 0.01,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, weight_decay=weight_decay, **options)
