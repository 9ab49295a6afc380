"""Functions of several tensors: concatenate and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _anywhere
from .._cuda import is_device_array
from .tensor import Tensor, fit_to, operand, record


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.concatenate([ct.Tensor(np.ones(2)), ct.Tensor(np.zeros(1))]).numpy()
    array([1., 1., 0.])
    """
    if not tensors:
        raise ValueError("concatenate: needs at least one tensor")
    parents = tuple(operand(t, tensors[0]) if not isinstance(t, Tensor) else t for t in tensors)
    lengths = [t.shape[axis] for t in parents]
    y = _anywhere.concatenate([t.data for t in parents], axis)
    return record(y, parents, lambda g: _anywhere.split(g, lengths, axis))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return ``a`` where the condition holds and ``b`` elsewhere; the gradient goes to the one that was taken.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.where(np.array([True, False]), ct.Tensor(np.ones(2)), 0.0).numpy()
    array([1., 0.])
    """
    like = a if isinstance(a, Tensor) else b
    if not isinstance(like, Tensor):
        raise TypeError("where: a or b must be a Tensor; use np.where for plain arrays")
    a, b = operand(a, like), operand(b, like)
    mask = condition.data if isinstance(condition, Tensor) else condition
    mask = mask if is_device_array(mask) else np.asarray(mask, dtype=bool)
    zero, choose = like.dtype.type(0), _anywhere.where
    y = choose(mask, a.data, b.data)
    return record(y, (a, b), lambda g: (fit_to(choose(mask, g, zero), a), fit_to(choose(mask, zero, g), b)))
