"""A trained row for each token."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import ops
from .._internal.numbers import whole_number
from ..autograd import Tensor, record
from ..autograd.tensor import as_tensor
from ..backends import is_device_array
from ..ops.embedding import check_padding, token_ids
from .init import LARGEST_SIZE, Initializer, normal, random_generator, start_values
from .module import Module
from .parameter import Parameter


def embedding(ids: ArrayLike, w: Tensor, *, padding_index: int | None = None) -> Tensor:
    """Return ``w[ids]``, one node on the tape; see `catalase.ops.embedding`.

    The row ``padding_index`` is taken like any other, but gets no gradient.
    """
    if isinstance(ids, Tensor):
        raise TypeError("embedding: ids must be an array of whole numbers, got a Tensor, which holds floats")
    w = as_tensor("embedding", "w", w)
    padding_index = check_padding("embedding", padding_index, w.shape[0] if w.ndim else 0)
    kept: Any = ids  # on a device for you to leave alone
    if not is_device_array(ids):
        given = token_ids("embedding", ids)[1]
        kept = np.array(given) if given.size else given.astype(np.int64)  # as they are now
    y = ops.embedding(kept, w.data)

    def backward(dy: NDArray[Any]) -> tuple[Any, ...]:
        target = w.grad_target() if isinstance(w, Parameter) else None
        return (
            ops.embedding_backward(
                dy,
                kept if is_device_array(kept) else kept.astype(np.int64),
                w.shape[0],
                padding_index=padding_index,
                out=target,
            ),
        )

    return record(y, (w,), backward)


class Embedding(Module):
    """A trained row for each token; see `catalase.ops.embedding`.

    Parameters
    ----------
    num_embeddings, dim : int
        V, tokens there are, and D, values of each, 1 or more.
    padding_index : int, optional
        A token that stands for nothing: its row starts as zeros, and gets no gradient.
    weight_init : initializer, optional
        From `catalase.nn.init`; normal of deviation 1 where left out, as in PyTorch.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed; fresh entropy where left out.

    Attributes
    ----------
    w : Parameter, shape (V, D)

    Raises
    ------
    TypeError, ValueError
        When called with ids that are no whole numbers, or have no row: unknown tokens need a number of their own.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Embedding(40, 16, padding_index=0, rng=0)
    >>> tokens = np.array([[3, 7, 7], [12, 0, 0]])
    >>> y = layer(tokens)
    >>> y.shape, bool(y.data[1, 1:].any())
    ((2, 3, 16), False)
    """

    def __init__(
        self,
        num_embeddings: int,
        dim: int,
        padding_index: int | None = None,
        *,
        weight_init: Initializer | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        shape = (
            whole_number("Embedding", "num_embeddings", num_embeddings, 1, LARGEST_SIZE),
            whole_number("Embedding", "dim", dim, 1, LARGEST_SIZE),
        )
        self.padding_index = check_padding("Embedding", padding_index, num_embeddings)
        rng = random_generator("Embedding", rng)
        values = start_values(
            "Embedding", "weight_init", normal(1.0) if weight_init is None else weight_init, shape, rng
        ).copy()
        if self.padding_index is not None:
            values[self.padding_index] = 0
        self.w = Parameter(values)

    def forward(self, ids: ArrayLike) -> Tensor:
        return embedding(ids, self.w, padding_index=self.padding_index)

    def __repr__(self) -> str:
        return f"Embedding({self.w.shape[0]}, {self.w.shape[1]}, padding_index={self.padding_index})"
