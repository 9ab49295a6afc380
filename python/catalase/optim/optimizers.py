"""Optimizers over a model's flat parameter buffer: a step is one kernel call, or one for weights and one for biases."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _core, ops
from .._internal.arrays import refuse_masked
from .._internal.numbers import number, shown
from .._internal.registry import Bool, Number
from .._internal.settings import Declared, Settings, declared
from ..backends import assign, backend_of, to_device, to_host
from ..nn import Module, Parameter, ParameterBuffer, flatten_parameters
from .schedules import Rate, Schedule

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Lamb", "Lion", "Momentum", "Optimizer", "RMSProp"]

_RELU = _core.MAPS["relu"]
_SHARE, _ABOVE = Number(at_least=0, below=1), Number(above=0)
_Piece = tuple[int, int, bool, Parameter | None]
_Views = tuple[NDArray[Any], NDArray[Any], list[NDArray[Any]]]


class ClipNorm(Number):
    """A norm above 0; infinity clips nothing."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return value if isinstance(value, float) and value == math.inf else super().take(value, owner, key, of)

    def give(self, value: Any) -> Any:
        return None if value == math.inf else value  # JSON has no infinity


class _Later(Number):
    """A number that a later version added; where it has its default, the config is that of earlier versions."""

    def __init__(self, default: float | None, **bounds: float) -> None:
        super().__init__(none=default is None, optional=True, **bounds)
        self.default = default

    def writes(self, value: Any) -> bool:
        return bool(value != self.default)


class _LaterFlag(Bool):
    """An option that a later version added; where it is off, the config is that of earlier versions."""

    def __init__(self) -> None:
        super().__init__(optional=True)

    def writes(self, value: Any) -> bool:
        return bool(value)


class Optimizer(Declared):
    """Base class of the optimizers.

    Parameters
    ----------
    module : Module or ParameterBuffer, optional
        Whose parameters are changed. A module is flattened: its parameters become views of one buffer. Without one the
        optimizer only holds its settings, and `over` gives one over a module: the models' argument ``optimizer`` takes it.
    lr : float or schedule
        Learning rate; a schedule is called with the step, counted from 0.
    l1 : float
        Penalty ``l1 * |w|`` on weights, by a proximal step after the rule's own, which gives exact zeros: a weight comes
        nearer to 0 by ``l1`` times its own step size, and stops there. Neither the gradient nor the moments contain it.
    l2 : float
        Penalty ``l2 / 2 * w**2`` on weights, added to the gradient as ``l2 * w``. With ``l1`` too: the elastic net.
    weight_decay : float
        Decoupled decay of weights: ``w *= 1 - lr * weight_decay``.
    clip_norm : float, optional
        Scale the whole gradient (before penalties) down to this Euclidean norm where it is longer.
    lp : float
        Penalty ``lp / p * |w|**p`` on weights, added to the gradient.
    p : float
        Its exponent, above 1; for 1 there is ``l1``.
    max_norm : float, optional
        After each step the weights into a unit (a column of a matrix; all axes but the last) are scaled down to this
        Euclidean norm where it is larger.

    Raises
    ------
    TypeError
        If ``module`` is neither a module nor a buffer.
    ValueError
        For numbers out of range.

    Notes
    -----
    Penalties, decay and ``max_norm`` concern weights: parameters that were made with ``decay=True``. Biases, and the scales
    and shifts of normalization layers, are made without. Which ones count is chosen by setting ``decay`` of a parameter,
    as in ``net[0].w.decay = False``, before an optimizer is made over the net. The loss that training reports is without
    the penalties.

    Same bits for any number of threads. A NaN gradient makes its parameter NaN; `train.fit` stops before such a step.
    After a step a graph recorded before it cannot be walked any more: that is an error, not a wrong gradient.
    """

    _state_names: Sequence[str] = ()
    settings = Settings(
        lr=Rate(Number(at_least=0)), l1=Number(at_least=0), l2=Number(at_least=0), weight_decay=Number(at_least=0),
        clip_norm=ClipNorm(above=0, none=True), lp=_Later(0.0, at_least=0), p=_Later(2.0, above=1, at_most=100),
        max_norm=_Later(None, above=0),
    )  # fmt: skip
    lr: float | Schedule
    l1: float
    l2: float
    weight_decay: float
    clip_norm: float | None
    lp: float
    p: float
    max_norm: float | None
    buffer: ParameterBuffer

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-3,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        lp: float = 0.0,
        p: float = 2.0,
        max_norm: float | None = None,
    ) -> None:
        self._set(locals())
        self.steps = 0
        self._state: dict[str, NDArray[Any]] = {}
        self._views: dict[tuple[int, int, bool], _Views] = {}
        self._flat: Any = None  # the parameters whose views these are
        if module is not None:
            self._bind(module)

    def _bind(self, module: Module | ParameterBuffer) -> None:
        """Take over a module's parameters."""
        if not isinstance(module, (Module, ParameterBuffer)):
            raise TypeError(f"{type(self).__name__}: module must be a Module or a ParameterBuffer, got {shown(module)}")
        self.buffer = module if isinstance(module, ParameterBuffer) else flatten_parameters(module)
        self._state = {key: self.buffer.zeros() for key in self._state_names}
        self._flat = self.buffer.data

    def over(
        self, module: Module | ParameterBuffer, *, l1: float = 0.0, l2: float = 0.0, clip_norm: float | None = None
    ) -> Self:
        """Return an optimizer of the same settings over a module, at step 0; this one stays as it is.

        Parameters
        ----------
        module : Module or ParameterBuffer
        l1, l2 : float
            Penalties that are added to the optimizer's own.
        clip_norm : float, optional
            Where the optimizer has none of its own.

        Examples
        --------
        >>> import catalase as ct
        >>> sgd = ct.optim.SGD(lr=0.1)
        >>> sgd.over(ct.nn.Linear(2, 1)).lr
        0.1
        """
        made = copy.copy(self)
        made.steps, made._views = 0, {}
        made._set({"l1": l1, "l2": l2, "clip_norm": clip_norm})
        made.l1, made.l2 = self.l1 + made.l1, self.l2 + made.l2
        made.clip_norm = made.clip_norm if self.clip_norm is None else self.clip_norm
        made._bind(module)
        return made

    def __getattr__(self, name: str) -> Any:
        if name != "buffer":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        kind = type(self).__name__
        raise RuntimeError(
            f"{kind}: this optimizer has no module to train; give it one, or use its method over(module)"
        )

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
            whole = self.buffer.ready_grad()
            backend_of(whole).clip_norm(whole, self.clip_norm)
        self.steps += 1
        penalties = {"l1": self.l1, "l2": self.l2, "decay": self.weight_decay}
        plain = not (self.l1 or self.l2 or self.weight_decay)
        for start, stop, decay, parameter in self._pieces():
            options = penalties if decay and not plain else {}
            known = self._views.get((start, stop, parameter is None))
            param, grad, state = self._views_of(start, stop, parameter) if known is None else known
            gradient: Any = grad if parameter is None else parameter._pending  # a dense layer's is computed on the way
            if decay and self.lp:
                gradient = self._with_lp(param, grad)
            self._rule(param, gradient, state, lr, options)
        if self.max_norm is not None:
            self._limit_norms(self.max_norm)
        self.buffer.changed()

    def _pieces(self) -> Sequence[_Piece]:
        """The pieces that the rule takes, as `ParameterBuffer.pieces` gives them."""
        if self.lp:
            self.buffer.ready_grad()
        return self.buffer.pieces()

    def _with_lp(self, param: Any, grad: Any) -> Any:
        """The gradient of loss and p-norm."""
        b = backend_of(param)
        slope = b.multiply(b.sign(param), b.power(b.absolute(param), self.p - 1))
        return b.add(grad, b.multiply(slope, self.lp))

    def _limit_norms(self, limit: float) -> None:
        """Scale the weights into each unit down to the largest norm that is allowed."""
        for parameter in self.buffer.parameters.values():
            if not parameter.decay or len(parameter.shape) < 2:
                continue
            w = parameter.data
            b = backend_of(w)
            norms = b.sqrt(b.sum(b.multiply(w, w), axis=tuple(range(len(w.shape) - 1)), keepdims=True))
            within = b.add(b.map(_RELU, b.subtract(norms, limit)), limit)  # the larger of both
            b.copyto(w, b.multiply(w, b.divide(limit, within)))

    def _follow(self) -> None:
        """Move the moments to the device of the parameters."""
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


@declared
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


@declared
class Momentum(Optimizer):
    """Gradient descent with momentum, or Nesterov's. See `Optimizer` and `catalase.ops.momentum_step`."""

    _state_names = ("velocity",)
    settings = Optimizer.settings | {"momentum": _SHARE, "nesterov": Bool()}
    momentum: float
    nesterov: bool

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-2,
        momentum: float = 0.9,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        self._set(locals())

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.momentum_step(param, grad, *state, lr=lr, momentum=self.momentum, nesterov=self.nesterov, **penalties)


@declared
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
    settings = Optimizer.settings | {"eps": _ABOVE, "initial_accumulator": Number(at_least=0, below=1e38)}
    eps: float
    initial_accumulator: float

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-2,
        eps: float = 1e-10,
        initial_accumulator: float = 0.0,
        **options: Any,
    ) -> None:
        self._set(locals())
        super().__init__(module, lr, **options)

    def _bind(self, module: Module | ParameterBuffer) -> None:
        super()._bind(module)
        assign(self._state["accum"], self.initial_accumulator)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.adagrad_step(param, grad, *state, lr=lr, eps=self.eps, **penalties)


@declared
class RMSProp(Optimizer):
    """RMSProp, with optional momentum. See `Optimizer` and `catalase.ops.rmsprop_step`."""

    _state_names = ("sq", "mom")
    settings = Optimizer.settings | {"alpha": _SHARE, "eps": _ABOVE, "momentum": _SHARE}
    alpha: float
    eps: float
    momentum: float

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-3,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        self._set(locals())

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.rmsprop_step(
            param, grad, *state, lr=lr, alpha=self.alpha, eps=self.eps, momentum=self.momentum, **penalties
        )


@declared
class Adam(Optimizer):
    """Adam. See `Optimizer` and `catalase.ops.adam_step`.

    Parameters
    ----------
    beta1, beta2 : float
        Decay of the two moments, from 0 to below 1.
    eps : float
        Added to the root of the second moment.
    amsgrad : bool
        Divide by the root of the largest second moment so far (AMSGrad: Reddi et al. 2018, arXiv:1904.09237).
    """

    _state_names: Sequence[str] = ("m", "v")
    settings = Optimizer.settings | {"beta1": _SHARE, "beta2": _SHARE, "eps": _ABOVE, "amsgrad": _LaterFlag()}
    beta1: float
    beta2: float
    eps: float
    amsgrad: bool

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        self._set(locals())
        if self.amsgrad:
            self._state_names = ("m", "v", "v_max")
        super().__init__(module, lr, **options)

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.adam_step(
            param, grad, *state,
            lr=lr, step=self.steps, beta1=self.beta1, beta2=self.beta2, eps=self.eps, **penalties,
        )  # fmt: skip


@declared
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Parameters
    ----------
    module : Module or ParameterBuffer, optional
        As for `Adam`.
    lr : float or Schedule
        Learning rate.
    weight_decay : float
        Before each step the weights, not the biases, are multiplied by ``1 - lr * weight_decay``.
    **options
        The other arguments of `Adam`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.AdamW(lr=0.01).weight_decay
    0.01
    """

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-3,
        *,
        weight_decay: float = 0.01,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, weight_decay=weight_decay, **options)


@declared
class Lion(Optimizer):
    """Lion: steps by the sign of a mean gradient (Chen et al. 2023, arXiv:2302.06675). See `catalase.ops.lion_step`.

    Parameters
    ----------
    beta1, beta2 : float
        The share of the moment in the direction of a step, and in the next moment; from 0 to below 1.

    Notes
    -----
    Every weight moves by ``lr``, so ``lr`` is some 3 to 10 times smaller than Adam's, and ``weight_decay`` larger by the
    same factor.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.Lion().lr
    0.0001
    """

    _state_names = ("m",)
    settings = Optimizer.settings | {"beta1": _SHARE, "beta2": _SHARE}
    beta1: float
    beta2: float

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        self._set(locals())

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.lion_step(param, grad, *state, lr=lr, beta1=self.beta1, beta2=self.beta2, **penalties)


@declared
class Lamb(Optimizer):
    """Lamb: Adam whose step is scaled, layer by layer, by the norm of the weights (You et al. 2020, arXiv:1904.00962).

    See `catalase.ops.lamb_step`. A layer is one parameter: a matrix of weights, or a vector of biases.

    Parameters
    ----------
    beta1, beta2 : float
        Decay of the two moments, from 0 to below 1.
    eps : float
        Added to the root of the second moment.

    Notes
    -----
    ``weight_decay`` is a part of the step that is scaled, as in the paper. On a device a step cannot be captured as a graph.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.Lamb(weight_decay=0.01).eps
    1e-06
    """

    _state_names = ("m", "v")
    settings = Optimizer.settings | {"beta1": _SHARE, "beta2": _SHARE, "eps": _ABOVE}
    beta1: float
    beta2: float
    eps: float

    def __init__(
        self,
        module: Module | ParameterBuffer | None = None,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        **options: Any,
    ) -> None:
        super().__init__(module, lr, **options)
        self._set(locals())

    def _pieces(self) -> Sequence[_Piece]:
        self.buffer.ready_grad()
        return self.buffer.pieces_of_each()

    def _rule(self, param: Any, grad: Any, state: Any, lr: float, penalties: dict[str, Any]) -> None:
        ops.lamb_step(
            param, grad, *state,
            lr=lr, step=self.steps, beta1=self.beta1, beta2=self.beta2, eps=self.eps, **penalties,
        )  # fmt: skip
