"""Inverted dropout from a counter-based generator: the mask depends only on seed, layer, step and element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import number, whole_number
from ..backends import is_device_array, same_backend
from .checks import float_array, output, separate


def dropout(
    x: NDArray[Any],
    rate: float,
    *,
    seed: int,
    layer: int = 0,
    step: int = 0,
    kept: NDArray[np.uint8] | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Set each value to 0 with probability ``rate`` and scale the others by ``1 / (1 - rate)``.

    Parameters
    ----------
    x : ndarray
        float32 or float64, any shape. Elements are numbered in C order.
    rate : float
        From 0 (nothing is dropped) to below 1.
    seed : int
        Seed of the run; 0 to 2**64 - 1.
    layer, step : int
        Numbers of the layer and of the run's step; 0 to 2**32 - 1. Other numbers give independent masks.
    kept : ndarray of uint8, shape of x, optional
        Filled with 1 where a value was kept and 0 where it was dropped. With it `dropout_backward` need not draw the
        mask again.
    out : ndarray, optional
        Written and returned; contiguous, with the same shape and dtype. It may be ``x``, or overlap it.

    Returns
    -------
    ndarray
        Same shape.

    Raises
    ------
    TypeError
        If ``x`` is not a float array.
    ValueError
        If ``rate``, ``seed``, ``layer`` or ``step`` is out of range, or ``kept`` or ``out`` does not fit.

    Notes
    -----
    The generator is Philox-4x32-10 with key (seed) and counter (element group, layer, step). The mask is the same on any
    level, device and number of threads. It need not be stored: `dropout_backward` draws it again if it is not given.

    References
    ----------
    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405.
    Srivastava et al., "Dropout", JMLR 15 (2014) 1929-1958.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.dropout(np.ones(8), 0.5, seed=1)
    array([...])
    """
    return _apply("dropout", "x", x, rate, seed, layer, step, kept, out)


def dropout_backward(
    dy: NDArray[Any], rate: float, *, seed: int, layer: int = 0, step: int = 0, kept: NDArray[np.uint8] | None = None
) -> NDArray[Any]:
    """Return the gradient at the input of `dropout`, with the mask of the same key. Parameters are those of `dropout`.

    ``kept``, the mask that `dropout` filled, is read instead of drawing the mask again. The bits are the same.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.ones(100)
    >>> y, dx = ct.ops.dropout(x, 0.3, seed=7), ct.ops.dropout_backward(x, 0.3, seed=7)
    >>> bool(np.array_equal(y, dx))
    True
    """
    if kept is None:
        return _apply("dropout_backward", "dy", dy, rate, seed, layer, step, None)
    backend, dy = float_array("dropout_backward", "dy", dy)
    rate, _ = _check_key("dropout_backward", rate, seed, layer, step)
    _check_kept("dropout_backward", dy, kept)
    return backend.dropout_backward(dy, rate, kept)


def _check_kept(function: str, x: Any, kept: Any) -> None:
    is_array = isinstance(kept, np.ndarray) or is_device_array(kept)
    if is_array:
        same_backend(function, x=x, kept=kept)
    if not is_array or kept.dtype != np.uint8 or kept.shape != x.shape:
        came = f"{kept.dtype} {kept.shape}" if is_array else type(kept).__name__
        raise ValueError(f"{function}: kept must be a uint8 array of the shape of its values {x.shape}, got {came}")
    if not kept.flags.c_contiguous:
        raise ValueError(f"{function}: kept must be contiguous")


def check_rate(function: str, rate: Any) -> float:
    """Return the dropout rate after a check that it is from 0 to below 1."""
    if type(rate) is float and 0 <= rate < 1:
        return rate
    return number(function, "rate", rate, at_least=0, below=1)


def _check_key(function: str, rate: Any, seed: Any, layer: Any, step: Any) -> tuple[float, tuple[int, int, int]]:
    if (
        type(seed) is type(layer) is type(step) is int
        and 0 <= seed < 2**64
        and 0 <= layer < 2**32
        and 0 <= step < 2**32
    ):
        return check_rate(function, rate), (seed, layer, step)  # every training step comes by
    return check_rate(function, rate), (
        whole_number(function, "seed", seed, 0, 2**64 - 1),
        whole_number(function, "layer", layer, 0, 2**32 - 1),
        whole_number(function, "step", step, 0, 2**32 - 1),
    )


def _apply(
    function: str, name: str, x: NDArray[Any], rate: float, seed: int, layer: int, step: int, kept: Any, out: Any = None
) -> NDArray[Any]:
    backend, x = float_array(function, name, x)
    rate, key = _check_key(function, rate, seed, layer, step)
    if kept is not None:
        _check_kept(function, x, kept)
        separate(function, {"kept": kept}, {name: x, "out": out})
    if out is not None:
        if not backend.is_host:
            raise ValueError(f"{function}: out goes with NumPy arrays, got {type(x).__name__}; leave it out")
        output(function, backend, out, x.shape, x.dtype, dense=True)
    return backend.dropout(x, key, rate, kept, out)
