"""Optimizer steps over flat buffers, in place: one pass over parameters, gradient and moments.

Common to all: ``param`` and ``grad`` are one-dimensional, contiguous, of one dtype (float32 or float64). First the
penalties enter the gradient, ``g = grad + l1 * sign(param) + l2 * param``; then the decoupled decay shrinks the
parameters, ``param *= 1 - lr * decay``; then comes the rule. Elements are independent, so the bits do not depend on the
number of threads. A zero parameter with zero gradient and state stays zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import flag, number, whole_number
from ..backends import CPU, backend_of
from .checks import floats, separate
from .linear import DeferredMatmul

_SGD, _MOMENTUM, _ADAM, _ADAGRAD, _RMSPROP = (
    _core.RULES[name] for name in ("sgd", "momentum", "adam", "adagrad", "rmsprop")
)
_INF = math.inf

__all__ = ["adagrad_step", "adam_step", "momentum_step", "rmsprop_step", "sgd_step"]


def sgd_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    *,
    lr: float,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """Gradient descent: ``param -= lr * g``.

    Parameters
    ----------
    param : ndarray, shape (P,)
        Changed in place.
    grad : ndarray, shape (P,), or LinearGradient
        With a `LinearGradient` of shape (I, O), ``param`` and the state are matrices of that shape with rows of unit
        stride, and the gradient is computed on the way.
    lr : float
        Learning rate, 0 or more.
    l1, l2, decay : float
        See the module's opening; 0 or more.

    Raises
    ------
    TypeError, ValueError
        For arrays or numbers that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p = np.ones(2)
    >>> ct.ops.sgd_step(p, np.array([1.0, -1.0]), lr=0.5)
    >>> p
    array([0.5, 1.5])
    """
    _step("sgd_step", _SGD, param, grad, {}, lr=lr, l1=l1, l2=l2, decay=decay)


def momentum_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    velocity: NDArray[Any],
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """Momentum: ``velocity = momentum * velocity + g; param -= lr * velocity`` (or ``g + momentum * velocity``, Nesterov).

    Parameters as `sgd_step`; ``velocity`` starts at zero and is changed in place.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, v = np.ones(1), np.zeros(1)
    >>> ct.ops.momentum_step(p, np.ones(1), v, lr=0.5)
    >>> p, v
    (array([0.5]), array([1.]))
    """
    momentum = _fraction("momentum_step", "momentum", momentum)
    nesterov = flag("momentum_step", "nesterov", nesterov)
    state = {"velocity": velocity}
    _step(
        "momentum_step",
        _MOMENTUM,
        param,
        grad,
        state,
        lr=lr,
        l1=l1,
        l2=l2,
        decay=decay,
        beta1=momentum,
        nesterov=nesterov,
    )


def adam_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    m: NDArray[Any],
    v: NDArray[Any],
    *,
    lr: float,
    step: int,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """Adam (with ``decay``: AdamW). ``step`` counts from 1. Parameters as `sgd_step`; ``m`` and ``v`` start at zero.

    References
    ----------
    Kingma and Ba, arXiv:1412.6980v9. Loshchilov and Hutter, arXiv:1711.05101v3.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, m, v = np.ones(1), np.zeros(1), np.zeros(1)
    >>> ct.ops.adam_step(p, np.ones(1), m, v, lr=0.1, step=1)
    >>> p.round(6)
    array([0.9])
    """
    if not (type(step) is int and 1 <= step < 2**63):  # counts from 1
        step = whole_number("adam_step", "step", step, 1, 2**63 - 1)
    if not (type(beta1) is type(beta2) is float and 0 <= beta1 < 1 and 0 <= beta2 < 1):
        beta1, beta2 = _fraction("adam_step", "beta1", beta1), _fraction("adam_step", "beta2", beta2)
    _step(
        "adam_step", _ADAM, param, grad, {"m": m, "v": v},
        lr=lr, l1=l1, l2=l2, decay=decay, beta1=beta1, beta2=beta2, eps=eps, step=step,
    )  # fmt: skip


def adagrad_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    accum: NDArray[Any],
    *,
    lr: float,
    eps: float = 1e-10,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """AdaGrad: ``accum += g**2; param -= lr * g / (sqrt(accum) + eps)``. Parameters as `sgd_step`.

    References
    ----------
    Duchi, Hazan and Singer, JMLR 12 (2011) 2121-2159.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, s = np.ones(1), np.zeros(1)
    >>> ct.ops.adagrad_step(p, np.full(1, 2.0), s, lr=0.25)
    >>> p, s
    (array([0.75]), array([4.]))
    """
    _step("adagrad_step", _ADAGRAD, param, grad, {"accum": accum}, lr=lr, l1=l1, l2=l2, decay=decay, eps=eps)


def rmsprop_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    sq: NDArray[Any],
    mom: NDArray[Any] | None = None,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """RMSProp: ``sq = alpha * sq + (1 - alpha) * g**2; mom = momentum * mom + g / (sqrt(sq) + eps); param -= lr * mom``.

    Parameters as `sgd_step`; ``mom`` may be left out where ``momentum`` is 0.

    References
    ----------
    Tieleman and Hinton, Coursera "Neural Networks for Machine Learning", lecture 6.5 (2012).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, s = np.ones(1), np.zeros(1)
    >>> ct.ops.rmsprop_step(p, np.ones(1), s, lr=0.01)
    >>> p.round(4)
    array([0.9])
    """
    alpha, momentum = _fraction("rmsprop_step", "alpha", alpha), _fraction("rmsprop_step", "momentum", momentum)
    if momentum and mom is None:
        raise ValueError("rmsprop_step: momentum needs mom, an array of the shape of param that starts at zero")
    state = {"sq": sq} if mom is None else {"sq": sq, "mom": mom}
    _step(
        "rmsprop_step", _RMSPROP, param, grad, state,
        lr=lr, l1=l1, l2=l2, decay=decay, beta1=momentum, beta2=alpha, eps=eps,
    )  # fmt: skip


def _fraction(function: str, name: str, value: Any) -> float:
    if type(value) is float and 0 <= value < 1:  # every step of a training comes by
        return value
    return number(function, name, value, at_least=0, below=1)


def _step(
    function: str,
    rule: int,
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    state: dict[str, NDArray[Any]],
    *,
    lr: float,
    l1: float,
    l2: float,
    decay: float,
    beta1: float = 0.0,
    beta2: float = 0.0,
    eps: float = 0.0,
    step: int = 1,
    nesterov: bool = False,
) -> None:
    given_numbers = (lr, l1, l2, decay, eps)
    if set(map(type, given_numbers)) != {float} or not (min(given_numbers) >= 0 and sum(given_numbers) < _INF):
        lr, l1, l2, decay, eps = (  # every step of a training comes by: the usual ones are looked at together
            number(function, name, value, at_least=0)
            for name, value in zip(("lr", "l1", "l2", "decay", "eps"), given_numbers, strict=True)
        )
    numbers = (lr, l1, l2, decay, beta1, beta2, eps, step, nesterov)
    backend = CPU if type(param) is np.ndarray else backend_of(param)
    first, second = [*state.values(), None, None][:2]
    given, x = (grad.b, grad.a) if isinstance(grad, DeferredMatmul) else (grad, None)
    missing = (rule != _SGD and first is None) or (rule == _ADAM and second is None)
    if missing or not backend.is_host or not _core.optim_step_fits(param, given, x, first, second):
        _check_layout(function, param, grad, state)
    if not backend.is_host and isinstance(grad, DeferredMatmul):
        grad = grad.array()
    backend.optim_step(rule, param, grad, first, second, numbers)


def _check_layout(
    function: str, param: NDArray[Any], grad: NDArray[Any] | DeferredMatmul, state: dict[str, NDArray[Any]]
) -> None:
    """Parameters and state alike, writable and of unit stride; the gradient of the same shape and dtype."""
    product = isinstance(grad, DeferredMatmul)
    arrays: dict[str, Any] = {"param": param, **({} if product else {"grad": grad}), **state}
    backend, *_ = floats(function, **arrays)
    if param.ndim != (2 if product else 1):
        what = "a matrix, since grad is a LinearGradient" if product else "one-dimensional"
        raise ValueError(f"{function}: param must be {what}, got shape {param.shape}")
    for name, x in ({"grad": grad} | state).items():
        if x.shape != param.shape or x.dtype != param.dtype:
            raise ValueError(
                f"{function}: {name} must be like param ({param.dtype}, {param.shape}), got {x.dtype} {x.shape}"
            )
    for name, x in ({"param": param} | state).items():
        if (
            (backend.is_host and not (x.flags.writeable and x.flags.aligned))
            or x.strides != param.strides
            or (x.size > 1 and x.strides[-1] != x.itemsize)
        ):
            raise ValueError(f"{function}: {name} must be writable, contiguous and laid out like param")
    read = {"grad.x": grad.a, "grad.dz": grad.b} if isinstance(grad, DeferredMatmul) else {"grad": grad}
    separate(function, {"param": param} | state, read, in_place=("grad",))
    if not isinstance(grad, DeferredMatmul) and not grad.flags.c_contiguous:
        raise ValueError(f"{function}: grad must be contiguous")
