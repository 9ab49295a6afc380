"""Optimizer steps over flat buffers, in place: one pass over parameters, gradient and moments.

Common to all: ``param`` and ``grad`` are one-dimensional, contiguous, of one dtype (float32 or float64). First the
penalty enters the gradient, ``g = grad + l2 * param``; then the decoupled decay shrinks the parameters, ``param *= 1 - lr *
decay``; then comes the rule; and last the proximal step of the L1 penalty, ``param = sign(param) * max(|param| - l1 * u, 0)``,
which gives exact zeros. There ``u`` is the parameter's own step size, how far a lasting gradient of 1 moves it in a step:
``lr`` for gradient descent, ``lr / (sqrt(v) + eps)`` for Adam, and so on; the table is in docs/training.md. Elements are
independent, so the bits do not depend on the number of threads. A zero parameter with zero gradient and state stays zero.
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
from .elementwise import relu
from .linear import DeferredMatmul

_SGD, _MOMENTUM, _ADAM, _ADAGRAD, _RMSPROP, _AMSGRAD, _LION = (
    _core.RULES[name] for name in ("sgd", "momentum", "adam", "adagrad", "rmsprop", "amsgrad", "lion")
)
_INF = math.inf
_SMALL = 1e-30  # keeps a division by 0 away

__all__ = ["adagrad_step", "adam_step", "lamb_step", "lion_step", "momentum_step", "rmsprop_step", "sgd_step"]


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
    v_max: NDArray[Any] | None = None,
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

    With ``v_max``, which starts at zero too, AMSGrad: the largest ``v`` so far stands under the root.

    References
    ----------
    Kingma and Ba, arXiv:1412.6980v9. Loshchilov and Hutter, arXiv:1711.05101v3. Reddi, Kale and Kumar, arXiv:1904.09237.

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
    state = {"m": m, "v": v} if v_max is None else {"m": m, "v": v, "v_max": v_max}
    _step(
        "adam_step", _ADAM if v_max is None else _AMSGRAD, param, grad, state,
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


def lion_step(
    param: NDArray[Any],
    grad: NDArray[Any] | DeferredMatmul,
    m: NDArray[Any],
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.99,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """Lion: ``c = beta1 * m + (1 - beta1) * g; m = beta2 * m + (1 - beta2) * g; param -= lr * sign(c)``.

    Parameters as `sgd_step`; ``m`` starts at zero. For the L1 penalty a parameter's own step size is ``lr / |m|``.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", arXiv:2302.06675.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, m = np.ones(1), np.zeros(1)
    >>> ct.ops.lion_step(p, np.full(1, 5.0), m, lr=0.25)
    >>> p
    array([0.75])
    """
    beta1, beta2 = _fraction("lion_step", "beta1", beta1), _fraction("lion_step", "beta2", beta2)
    _step(
        "lion_step", _LION, param, grad, {"m": m},
        lr=lr, l1=l1, l2=l2, decay=decay, beta1=beta1, beta2=beta2, eps=_SMALL,
    )  # fmt: skip


def lamb_step(
    param: NDArray[Any],
    grad: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    *,
    lr: float,
    step: int,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-6,
    l1: float = 0.0,
    l2: float = 0.0,
    decay: float = 0.0,
) -> None:
    """Lamb: ``u`` is Adam's step of rate 1 plus ``decay * param``; ``param -= lr * |param| / |u| * u``.

    Parameters as `adam_step`, but ``grad`` is an array. The norms are Euclidean, over all of ``param``, which is one layer;
    where one is 0, the factor is 1.

    References
    ----------
    You et al., "Large batch optimization for deep learning", arXiv:1904.00962.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> p, m, v = np.full(2, 2.0), np.zeros(2), np.zeros(2)
    >>> ct.ops.lamb_step(p, np.ones(2), m, v, lr=0.25, step=1)
    >>> p.round(6)
    array([1.5, 1.5])
    """
    name = "lamb_step"
    lr, l1, l2, decay = (
        number(name, key, value, at_least=0) for key, value in (("lr", lr), ("l1", l1), ("l2", l2), ("decay", decay))
    )
    eps = number(name, "eps", eps, at_least=0)
    step = whole_number(name, "step", step, 1, 2**63 - 1)
    beta1, beta2 = _fraction(name, "beta1", beta1), _fraction(name, "beta2", beta2)
    _check_layout(name, param, grad, {"m": m, "v": v})
    if param.size == 0:
        return
    b = backend_of(param)
    with np.errstate(over="ignore", invalid="ignore"):  # the result shows infinity and NaN
        if l2:
            grad = b.add(grad, b.multiply(param, l2))
        update, *moments = b.full(param.shape, 0.0, param.dtype), b.copy(m), b.copy(v)
        adam_step(update, grad, *moments, lr=1.0, step=step, beta1=beta1, beta2=beta2, eps=eps)
        if decay:
            update = b.subtract(update, b.multiply(param, decay))
        norm, length = (b.sqrt(b.sum(b.multiply(x, x), axis=0, keepdims=True)) for x in (param, update))
        both = b.sign(b.multiply(norm, length))
        lacking = b.subtract(1.0, both)
        factor = b.add(b.divide(b.multiply(norm, both), b.add(length, lacking)), lacking)
        rate = b.multiply(factor, lr)
        moved = b.add(param, b.multiply(update, rate))
        if l1:
            root = b.add(b.multiply(b.sqrt(moments[1]), 1 / math.sqrt(1 - beta2**step)), eps)
            left = b.subtract(b.absolute(moved), b.multiply(b.divide(rate, root), l1))
            moved = b.multiply(b.sign(moved), relu(left))
        for old, new in zip((param, m, v), (moved, *moments), strict=True):  # all or none, where memory ends
            b.copyto(old, new)


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
    first, second, third = [*state.values(), None, None, None][:3]
    given, x = (grad.b, grad.a) if isinstance(grad, DeferredMatmul) else (grad, None)
    missing = (rule != _SGD and first is None) or (rule in (_ADAM, _AMSGRAD) and second is None)
    if missing or not backend.is_host or not _core.optim_step_fits(param, given, x, first, second, third):
        _check_layout(function, param, grad, state)
    if not backend.is_host and isinstance(grad, DeferredMatmul):
        grad = grad.array()
    backend.optim_step(rule, param, grad, first, second, third, numbers)


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
