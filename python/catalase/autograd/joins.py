"""Functions of several tensors, under NumPy's names: concatenate, stack, where, maximum, minimum, einsum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._internal.arrays import refuse_masked
from .._internal.numbers import shown, whole_number
from ..backends import backend_of, is_device_array
from .tensor import Tensor, as_tensor, fit_to, operand, record


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
        One tensor or more, of one dtype, and of equal shapes except along ``axis``.
    axis : int
        Negative axes count from the last.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.concatenate([ct.Tensor(np.ones(2)), ct.Tensor(np.zeros(1))]).numpy()
    array([1., 1., 0.])
    """
    parents = tuple(_tensors("concatenate", "tensors", tensors))
    first = parents[0]
    if not first.ndim or any(p.ndim != first.ndim for p in parents):
        raise ValueError(
            f"concatenate: tensors must have one number of axes, 1 or more, got {[p.shape for p in parents]}"
        )
    axis = whole_number("concatenate", "axis", axis, -first.ndim, first.ndim - 1) % first.ndim
    rest = [p.shape[:axis] + p.shape[axis + 1 :] for p in parents]
    if any(shape != rest[0] for shape in rest):
        raise ValueError(f"concatenate: tensors must agree but along axis {axis}, got {[p.shape for p in parents]}")
    lengths = [t.shape[axis] for t in parents]
    arrays = [t.data for t in parents]
    return record(backend_of(*arrays).concatenate(arrays, axis), parents, lambda g: _split(g, lengths, axis))


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
        One tensor or more, of one dtype and one shape.
    axis : int
        The place of the new axis in the result.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.stack([ct.Tensor(np.ones(2)), ct.Tensor(np.zeros(2))], axis=1).numpy()
    array([[1., 0.],
           [1., 0.]])
    """
    parents = _tensors("stack", "tensors", tensors)
    if any(p.shape != parents[0].shape for p in parents):
        raise ValueError(f"stack: tensors must have one shape, got {[p.shape for p in parents]}")
    ndim = parents[0].ndim
    place = whole_number("stack", "axis", axis, -ndim - 1, ndim) % (ndim + 1)
    return concatenate([p.expand_dims(place) for p in parents], place)


def maximum(a: Any, b: Any) -> Tensor:
    """Return the larger of two values, element by element; equal ones share the gradient evenly, and NaN stays NaN.

    Parameters
    ----------
    a, b : Tensor, array or number
        At least one is a Tensor. The shapes broadcast.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.maximum(ct.Tensor(np.array([1.0, -1.0])), 0.0).numpy()
    array([1., 0.])
    """
    return _chosen("maximum", a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """Return the smaller of two values, element by element; arguments and gradient as `maximum`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.minimum(ct.Tensor(np.array([1.0, -1.0])), 0.0).numpy()
    array([ 0., -1.])
    """
    return _chosen("minimum", a, b)


def _chosen(function: str, a: Any, b: Any) -> Tensor:
    like = a if isinstance(a, Tensor) else b
    if not isinstance(like, Tensor):
        raise TypeError(
            f"{function}: a or b must be a Tensor, got {shown(a)} and {shown(b)}; use np.{function} for arrays"
        )
    a, b = operand(a, like, function, "a"), operand(b, like, function, "b")
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{function}: a and b must broadcast, got shapes {a.shape} and {b.shape}") from None
    xp = backend_of(a.data, b.data)
    y = getattr(xp, function)(a.data, b.data)

    def backward(g: Any) -> tuple[Any, ...]:
        of_a, of_b = xp.equal(y, a.data), xp.equal(y, b.data)
        shared = xp.multiply(xp.multiply(g, xp.multiply(of_a, of_b)), y.dtype.type(0.5))
        return tuple(fit_to(xp.subtract(xp.multiply(g, hit), shared), t) for hit, t in ((of_a, a), (of_b, b)))

    return record(np.asarray(y) if xp.is_host else y, (a, b), backward)


def einsum(subscripts: str, *tensors: Any) -> Tensor:
    """Return the sum of products that Einstein's notation describes, as ``numpy.einsum`` does.

    Parameters
    ----------
    subscripts : str
        A letter for each axis of each tensor, a comma between tensors, and after ``->`` the letters of the result; "..."
        stands for the axes that broadcast. Without ``->`` the result has the letters that occur once, in order of the
        alphabet. A letter that one tensor has twice takes the diagonal.
    *tensors : Tensor or array
        At least one is a Tensor.

    Notes
    -----
    Tensors are joined from left to right, two at a time, as products of matrices.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> a = ct.Tensor(np.arange(6.0).reshape(2, 3))
    >>> ct.autograd.einsum("ij,ij->i", a, a).numpy()
    array([ 5., 50.])
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: subscripts must be text such as 'ij,jk->ik', got {shown(subscripts)}")
    parents = _tensors("einsum", "tensors", tensors)
    names, result = _subscripts(subscripts, parents)
    lengths: dict[str, int] = {}
    for i, (tensor, axes) in enumerate(zip(parents, names, strict=True)):
        for letter, n in zip(axes, tensor.shape, strict=True):
            if lengths.setdefault(letter, n) != n and 1 not in (n, lengths[letter]):
                raise ValueError(
                    f"einsum: tensors must agree along {letter!r}, got the lengths {lengths[letter]} and {n}"
                )
            lengths[letter] = max(n, lengths[letter]) if n and lengths[letter] else 0
        parents[i], names[i] = _diagonal(tensor, axes)
    first, axes = parents[0], names[0]
    for i, (other, letters) in enumerate(zip(parents[1:], names[1:], strict=True), 2):
        later = set(result).union(*names[i:])
        first, axes = _joined(first, axes, other, letters, later, lengths)
    first, axes = _summed(first, axes, set(result))
    return first.transpose(*(axes.index(letter) for letter in result)) if result else first


_BROADCAST = "".join(map(chr, range(0x400, 0x440)))


def _subscripts(text: str, parents: Sequence[Tensor]) -> tuple[list[str], str]:
    """Return the letters of the axes of each tensor, and of the result; for the axes of "..." letters beyond ASCII."""
    inputs, arrow, output = text.replace(" ", "").partition("->")
    terms = inputs.split(",")
    wrong = f"einsum: subscripts must have letters, ',', '...' and one '->', one term a tensor, got {shown(text)}"
    if len(terms) != len(parents):
        raise ValueError(f"{wrong} for {len(parents)} tensors")
    names, most = [], 0
    for i, (term, tensor) in enumerate(zip(terms, parents, strict=True)):
        letters = term.replace("...", "", 1)
        extra = tensor.ndim - len(letters) if "..." in term else 0
        if (
            not ((letters.isascii() and letters.isalpha()) or not letters)
            or extra < 0
            or len(letters) + extra != tensor.ndim
        ):
            raise ValueError(f"{wrong}: {term!r} does not fit tensors[{i}] of shape {tensor.shape}")
        names.append(term.replace("...", _BROADCAST[len(_BROADCAST) - extra :]))
        most = max(most, extra)
    every = "".join(names)
    if not arrow:
        output = "..." + "".join(sorted(x for x in set(every) if x.isascii() and every.count(x) == 1))
    elif most and "..." not in output:
        raise ValueError(f"{wrong}: the result must name '...' too")
    result = output.replace("...", _BROADCAST[len(_BROADCAST) - most :], 1)
    if not output.isascii() or len(set(result)) != len(result) or not set(result) <= set(every):
        raise ValueError(f"{wrong}: the result must have letters of the tensors, each once")
    return names, result


def _diagonal(x: Tensor, axes: str) -> tuple[Tensor, str]:
    """Take the diagonal of axes with one letter."""
    for letter in sorted(set(axes)):
        while axes.count(letter) > 1:
            i = axes.index(letter)
            j = axes.index(letter, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(
                    f"einsum: tensors must agree along {letter!r}, got the lengths {x.shape[i]} and {x.shape[j]}"
                )
            rest = [k for k in range(x.ndim) if k not in (i, j)]
            places = np.arange(x.shape[i])
            x = x.transpose(i, j, *rest)[places, places]
            axes = letter + "".join(axes[k] for k in rest)
    return x, axes


def _summed(x: Tensor, axes: str, kept: set[str]) -> tuple[Tensor, str]:
    """Sum over the axes whose letters are not kept."""
    gone = tuple(i for i, letter in enumerate(axes) if letter not in kept)
    return (x.sum(gone), "".join(a for a in axes if a in kept)) if gone else (x, axes)


def _joined(
    a: Tensor, a_axes: str, b: Tensor, b_axes: str, later: set[str], lengths: dict[str, int]
) -> tuple[Tensor, str]:
    """Multiply two tensors, and sum over the letters that are in both and not needed later."""
    both = [x for x in a_axes if x in b_axes]
    a, a_axes = _summed(a, a_axes, later.union(b_axes))
    b, b_axes = _summed(b, b_axes, later.union(a_axes))
    batch, summed = [x for x in both if x in later], [x for x in both if x not in later]
    left, right = [x for x in a_axes if x not in both], [x for x in b_axes if x not in both]
    size = {x: a.shape[i] for i, x in enumerate(a_axes)} | {
        x: b.shape[i] for i, x in enumerate(b_axes) if x not in both
    }
    for x in both:
        size[x] = lengths[x]

    def matrices(t: Tensor, axes: str, *groups: list[str]) -> Tensor:
        order = [x for group in groups for x in group]
        t = t.transpose(*(axes.index(x) for x in order)) if order else t
        t = t._broadcast(tuple(size[x] for x in order))  # letters of length 1
        return t.reshape(tuple(math.prod(size[x] for x in group) for group in groups))

    product = matrices(a, a_axes, batch, left, summed) @ matrices(b, b_axes, batch, summed, right)
    joined = batch + left + right
    return product.reshape(tuple(size[x] for x in joined)), "".join(joined)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return ``a`` where the condition holds and ``b`` elsewhere; each element's gradient goes to the tensor it came from.

    Parameters
    ----------
    condition : array_like of bool
        Numbers count as True unless they are 0.
    a, b : Tensor, array or number
        At least one is a Tensor. The three shapes broadcast.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.where(np.array([True, False]), ct.Tensor(np.ones(2)), 0.0).numpy()
    array([1., 0.])
    """
    like = a if isinstance(a, Tensor) else b
    if not isinstance(like, Tensor):
        raise TypeError(f"where: a or b must be a Tensor, got {shown(a)} and {shown(b)}; use np.where for plain arrays")
    a, b = operand(a, like, "where", "a"), operand(b, like, "where", "b")
    mask = _condition(condition.data if isinstance(condition, Tensor) else condition)
    try:
        np.broadcast_shapes(mask.shape, a.shape, b.shape)
    except ValueError:
        raise ValueError(
            f"where: condition, a and b must broadcast, got shapes {mask.shape}, {a.shape} and {b.shape}"
        ) from None
    zero, choose = like.dtype.type(0), backend_of(a.data, b.data).where
    y = choose(mask, a.data, b.data)
    return record(y, (a, b), lambda g: (fit_to(choose(mask, g, zero), a), fit_to(choose(mask, zero, g), b)))


def _tensors(function: str, name: str, tensors: Any) -> list[Tensor]:
    """Return one tensor or more, of one dtype: the arrays among them become tensors."""
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise TypeError(f"{function}: {name} must be a list with one tensor or more, got {shown(tensors)}")
    first = next((t for t in tensors if isinstance(t, Tensor)), None)
    if first is None:
        first = as_tensor(function, name, tensors[0])
    return [operand(t, first, function, name) for t in tensors]


def _split(x: Any, lengths: Sequence[int], axis: int) -> tuple[Any, ...]:
    """Return views of consecutive parts along an axis."""
    stops = itertools.accumulate(lengths)
    return tuple(x[(*(slice(None),) * axis, slice(stop - n, stop))] for n, stop in zip(lengths, stops, strict=True))


def _condition(condition: Any) -> Any:
    """Return the condition as an array of bools."""
    if is_device_array(condition):
        return condition
    refuse_masked("where", "condition", condition)
    try:
        array = np.asarray(condition)
    except (ValueError, OverflowError, RecursionError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or isinstance(condition, (bytes, bytearray, memoryview)):
        raise TypeError(f"where: condition must be an array of True and False, got {shown(condition)}")
    return array.astype(bool)
