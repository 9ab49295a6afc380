"""Handwritten digits: MNIST from its original files, and scikit-learn's small set, which needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal import arrays
from .._internal.numbers import flag, path_of, shown, whole_number
from .dataset import NumpyDataset
from .idx import read_idx

__all__ = ["DigitImages", "Digits", "digits", "read_data_sets", "read_idx"]


_MOST_IN_A_BATCH = 2**24


class DigitImages:
    """One part of a set of digits.

    Parameters
    ----------
    images : ndarray of float32, shape (N, pixels)
        Pixels row by row; 0 is the background and 1 is full ink.
    labels : ndarray
        uint8 (N,), 0 to 9, or float32 (N, 10), one-hot.
    """

    def __init__(self, images: NDArray[np.float32], labels: NDArray[Any]) -> None:
        for name, array, axes in (("images", images, (2,)), ("labels", labels, (1, 2))):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
                raise TypeError(f"DigitImages: {name} must be an array of numbers, got {shown(array)}")
            if array.ndim not in axes or len(array) != len(images):
                raise ValueError(
                    f"DigitImages: images must be (N, pixels) and labels (N,) or (N, 10), got {images.shape} and "
                    f"{np.shape(labels)}"
                )
            arrays.refuse_masked("DigitImages", name, array)
        self.images, self.labels = images, labels
        self._rng = np.random.Generator(np.random.Philox(0))
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def num_examples(self) -> int:
        """Number of images."""
        return len(self.images)

    def next_batch(self, batch_size: int, shuffle: bool = True) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Return the next images and labels; at the end of an epoch a new one begins, in another order.

        Parameters
        ----------
        batch_size : int
            1 to 2**24.
        shuffle : bool
            Whether each epoch has another order; the orders are the same in every run.

        Returns
        -------
        images, labels : ndarray

        Examples
        --------
        >>> import numpy as np, catalase as ct
        >>> part = ct.data.mnist.DigitImages(np.zeros((5, 4), np.float32), np.arange(5, dtype=np.uint8))
        >>> images, labels = part.next_batch(3)
        >>> images.shape, labels.shape
        ((3, 4), (3,))
        """
        batch_size = whole_number("next_batch", "batch_size", batch_size, 1, _MOST_IN_A_BATCH)
        shuffle = flag("next_batch", "shuffle", shuffle)
        if not self.num_examples:
            raise ValueError("next_batch: there are no images to take")
        n = self.num_examples
        epochs = max(0, -(-(batch_size - len(self._order)) // n))  # epochs that begin within this batch
        orders = [self._rng.permutation(n) if shuffle else np.arange(n) for _ in range(epochs)]
        self._order = np.concatenate([self._order, *orders])
        rows, self._order = self._order[:batch_size], self._order[batch_size:]
        return self.images[rows], self.labels[rows]

    def dataset(self) -> NumpyDataset:
        """Return the images and labels as a dataset."""
        return NumpyDataset(self.images, self.labels)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"DigitImages({len(self)} images of {self.images.shape[1]} pixels, labels {self.labels.shape})"


class Digits(NamedTuple):
    """The result of `read_data_sets`: three parts without a common image."""

    train: DigitImages
    validation: DigitImages
    test: DigitImages


def read_data_sets(dir: str | Path, one_hot: bool = False, validation_size: int = 5000) -> Digits:
    """Read MNIST from its four original files.

    Parameters
    ----------
    dir : path
        Folder of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
        ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``, also in a folder of the same name.
    one_hot : bool
        Whether labels are float32 (N, 10) instead of uint8 (N,).
    validation_size : int
        Number of training images that become the validation part; they are the first ones.

    Returns
    -------
    Digits
        ``train`` (55,000), ``validation`` (5,000) and ``test`` (10,000), each with ``images``, float32 (N, 784) in
        [0, 1], and ``labels``.

    Raises
    ------
    FileNotFoundError
        If the folder or a file is missing; the error names it.
    ValueError
        If a file is damaged, truncated or of another kind, images and labels differ in number, or
        ``validation_size`` exceeds the training images.

    Examples
    --------
    >>> import catalase as ct
    >>> mnist = ct.data.mnist.read_data_sets("mnist/", one_hot=True)  # doctest: +SKIP
    >>> mnist.train.images.shape, mnist.train.labels.shape  # doctest: +SKIP
    ((55000, 784), (55000, 10))
    """
    folder = path_of("read_data_sets", "dir", dir)
    one_hot = flag("read_data_sets", "one_hot", one_hot)
    validation_size = whole_number("read_data_sets", "validation_size", validation_size, 0)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"read_data_sets: there is no folder {folder}; give the one that holds train-images-idx3-ubyte.gz and its "
            "three companions (mnist.digits() needs no files)"
        )
    images, labels = _pair(folder, "train")
    if validation_size > len(images):
        raise ValueError(
            f"read_data_sets: validation_size must be from 0 to the {len(images)} training images, got {validation_size}"
        )
    test_images, test_labels = _pair(folder, "t10k")
    return Digits(
        train=_part(images[validation_size:], labels[validation_size:], one_hot),
        validation=_part(images[:validation_size], labels[:validation_size], one_hot),
        test=_part(test_images, test_labels, one_hot),
    )


def digits(one_hot: bool = False) -> Digits:
    """Return the 1,797 digits of 8 x 8 pixels that come with scikit-learn; nothing is downloaded.

    Parameters
    ----------
    one_hot : bool
        As `read_data_sets`.

    Returns
    -------
    Digits
        Images are in the order of the set: the first 180 are ``validation``, the last 360 ``test``, the 1,257 between
        them ``train``. ``images`` are float32 (N, 64) in [0, 1].

    Raises
    ------
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.data.mnist.digits().train.images.shape
    (1257, 64)
    """
    one_hot = flag("digits", "one_hot", one_hot)
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("mnist.digits: needs scikit-learn; pip install scikit-learn") from None
    bunch = load_digits()
    images = (bunch.data / 16).astype(np.float32)  # scikit-learn's values are 0 to 16
    labels = bunch.target.astype(np.uint8)
    return Digits(
        train=DigitImages(images[180:-360], _labels(labels[180:-360], one_hot)),
        validation=DigitImages(images[:180], _labels(labels[:180], one_hot)),
        test=DigitImages(images[-360:], _labels(labels[-360:], one_hot)),
    )


def _pair(folder: Path, kind: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the images and labels of one kind after checking that they match."""
    image_file = _find(folder, f"{kind}-images", "idx3-ubyte")
    label_file = _find(folder, f"{kind}-labels", "idx1-ubyte")
    images, labels = read_idx(image_file), read_idx(label_file)
    for file, array, dimensions in ((image_file, images, 3), (label_file, labels, 1)):
        if array.ndim != dimensions or array.dtype != np.uint8:
            raise ValueError(
                f"read_data_sets: {file} holds {array.dtype} of shape {array.shape}, but {dimensions}-dimensional "
                f"unsigned bytes (magic {2048 + dimensions}) were needed; is it another file under this name?"
            )
    if len(images) != len(labels):
        raise ValueError(
            f"read_data_sets: {image_file} holds {len(images)} images but {label_file} {len(labels)} labels; they must "
            "belong together"
        )
    if len(labels) and labels.max() > 9:
        raise ValueError(f"read_data_sets: {label_file} holds the label {labels.max()}; digits are 0 to 9")
    return images, labels


def _find(folder: Path, stem: str, ending: str) -> Path:
    names = [f"{stem}-{ending}", f"{stem}-{ending}.gz", f"{stem}.{ending}", f"{stem}.{ending}.gz"]
    for name in names:
        for place in (folder / name, folder / name / name):  # Kaggle's archive has each file in a folder of its name
            if place.is_file():
                return place
    raise FileNotFoundError(f"read_data_sets: {folder} holds neither {names[0]} nor {names[1]}")


def _part(images: NDArray[Any], labels: NDArray[Any], one_hot: bool) -> DigitImages:
    pixels = images.reshape(len(images), images.shape[1] * images.shape[2]).astype(np.float32)
    pixels /= 255  # a product with 1/255 would not turn 255 into exactly 1
    return DigitImages(pixels, _labels(labels, one_hot))


def _labels(labels: NDArray[Any], one_hot: bool) -> NDArray[Any]:
    return np.eye(10, dtype=np.float32)[labels] if one_hot else labels
