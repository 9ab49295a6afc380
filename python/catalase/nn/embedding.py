"""The embedding layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._internal.numbers import whole_number
from ..autograd import Tensor
from ..ops.embedding import check_padding
from .functional.embedding import embedding
from .init import LARGEST_SIZE, Initializer, normal, random_generator, start_values
from .module import TensorModule
from .parameter import Parameter


class Embedding(TensorModule):
    """A layer with a trained row for each token; see `catalase.ops.embedding`.

    Parameters
    ----------
    num_embeddings, dim : int
        Number of tokens V, and values a token D, each 1 or more.
    padding_index : int, optional
        The padding token: its row is initially zeros, and gets no gradient.
    weight_init : initializer, optional
        From `catalase.nn.init`; by default normal with standard deviation 1, as in PyTorch.
    rng : numpy.random.Generator or int, optional
        Generator of the initial values, or its seed; fresh entropy by default.

    Attributes
    ----------
    w : Parameter, shape (V, D)

    Raises
    ------
    TypeError, ValueError
        When called with ids that are not whole numbers, or have no row; unknown tokens need a separate number.

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
