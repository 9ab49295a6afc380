"""Rows by number on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...backends import is_device_array
from ...ops.embedding import check_padding, token_ids
from ..parameter import Parameter


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
