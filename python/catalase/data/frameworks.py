"""Datasets as PyTorch and TensorFlow read them; either is imported only when it is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .dataset import Dataset


def pytorch_dataset(dataset: Dataset, batch_size: int | None, *walk: Any) -> Any:
    """Return the dataset of `Dataset.make_pytorch_dataset`, whose arguments are checked."""
    try:
        import torch.utils.data as torch_data
    except ImportError:
        raise ImportError("make_pytorch_dataset: PyTorch is needed; pip install 'catalase[torch]'") from None

    class Rows(torch_data.IterableDataset):
        """Rows, or batches, of a dataset of Catalase."""

        def __iter__(self) -> Iterator[tuple[Any, ...]]:
            epochs, deterministic, pad_batches, seed = walk
            worker = torch_data.get_worker_info()
            if worker is not None and seed is None:
                seed = worker.seed - worker.id  # the same for all workers, and another in each walk
            batches: Any = dataset.iterbatches(batch_size or _ROWS, epochs, deterministic, pad_batches, seed)
            items = batches if batch_size else (row for batch in batches for row in _rows(batch))
            return iter(items) if worker is None else itertools.islice(items, worker.id, None, worker.num_workers)

        def __reduce__(self) -> Any:
            return pytorch_dataset, (dataset, batch_size, *walk)

    return Rows()


_ROWS = 100


def _rows(batch: Any) -> Iterator[tuple[Any, ...]]:
    for X, y, w, name in zip(*batch, strict=True):
        yield X, y, w, name.item() if isinstance(name, np.generic) else name


def tf_dataset(dataset: Dataset, *walk: Any) -> Any:
    """Return the dataset of `Dataset.make_tf_dataset`, whose arguments are checked."""
    try:
        import tensorflow as tf
    except ImportError:
        raise ImportError("make_tf_dataset: TensorFlow is needed; pip install tensorflow") from None

    first = next(iter(dataset.iterbatches(1, deterministic=True)), None)
    if first is None or not all(isinstance(part, np.ndarray) and part.dtype.kind in "iufb" for part in first[:3]):
        raise TypeError("make_tf_dataset: the dataset must have rows, with X, y and w arrays of numbers of one shape")
    signature = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in first[:3])
    return tf.data.Dataset.from_generator(
        lambda: (batch[:3] for batch in dataset.iterbatches(*walk)), output_signature=signature
    )
