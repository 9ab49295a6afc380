"""Rows by number on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import is_device_array
from ...ops.embedding import check_padding, token_ids


class Embedding(Function):
    """Rows of ``w`` by number."""

    def forward(self, w: NDArray[Any], *, ids: Any, padding_index: int | None) -> NDArray[Any]:
        self.ids, self.rows, self.padding_index = ids, w.shape[0] if w.ndim else 0, padding_index
        return ops.embedding(ids, w)

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        ids = self.ids if is_device_array(self.ids) else self.ids.astype(np.int64)
        options: dict[str, Any] = {"padding_index": self.padding_index, "out": self.gradient_out(0)}
        return (ops.embedding_backward(dy, ids, self.rows, **options),)


def embedding(ids: ArrayLike, w: Tensor, *, padding_index: int | None = None) -> Tensor:
    """Return ``w[ids]``, one operation on the tape; see `catalase.ops.embedding`.

    The row ``padding_index`` is taken like any other, but gets no gradient.
    """
    if isinstance(ids, Tensor):
        raise TypeError("embedding: ids must be an array of whole numbers, got a Tensor, which holds floats")
    w = as_tensor("embedding", "w", w)
    padding_index = check_padding("embedding", padding_index, w.shape[0] if w.ndim else 0)
    kept: Any = ids  # an array on a device must stay as it is until the backward pass
    if not is_device_array(ids):
        given = token_ids("embedding", ids)[1]
        kept = np.array(given) if given.size else given.astype(np.int64)  # as they are now
    return Embedding.apply(w, ids=kept, padding_index=padding_index)
