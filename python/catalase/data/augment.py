"""Augmentation of images during training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal import arrays
from .._internal.numbers import flag, shown, whole_number
from ..ops.augment import augment_images
from .dataset import Dataset, Rows, checked_walk
from .lazy_columns import LazyArray


class Augment:
    """Settings of an augmentation. `AugmentedDataset` applies it to the batches of a dataset.

    Parameters
    ----------
    flip_horizontal, flip_vertical, rotate90, rotation, shift, crop, brightness, contrast, noise, limits, border, fill
        As `catalase.ops.augment_images`. By default nothing is changed.
    seed : int
        0 to 2**64 - 1. The same seed gives the same images.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> augment = ct.data.Augment(flip_horizontal=0.5, rotation=15, shift=2, noise=0.02, seed=1)
    >>> X = np.zeros((4, 8, 8, 3), np.uint8)
    >>> augment(X).dtype, augment(X).shape
    (dtype('float32'), (4, 8, 8, 3))
    """

    def __init__(
        self,
        *,
        flip_horizontal: float = 0.0,
        flip_vertical: float = 0.0,
        rotate90: bool = False,
        rotation: float = 0.0,
        shift: float | tuple[float, float] = 0.0,
        crop: tuple[int, int] | None = None,
        brightness: float = 0.0,
        contrast: float = 0.0,
        noise: float = 0.0,
        limits: tuple[float, float] | None = None,
        border: str = "constant",
        fill: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.settings: dict[str, Any] = {
            "flip_horizontal": flip_horizontal,
            "flip_vertical": flip_vertical,
            "rotate90": rotate90,
            "rotation": rotation,
            "shift": shift,
            "crop": crop,
            "brightness": brightness,
            "contrast": contrast,
            "noise": noise,
            "limits": limits,
            "border": border,
            "fill": fill,
        }
        self.seed = seed
        # Wrong settings are refused here, not in the first batch; a crop is compared with the images' size later.
        augment_images(np.zeros((0, *_size_of(crop)), np.float32), seed=seed, **self.settings)

    def __call__(
        self,
        X: NDArray[Any],
        masks: Any = None,
        *,
        step: int = 0,
        numbers: Any = None,
        random: bool = True,
        seed: int | None = None,
    ) -> Any:
        """Return augmented images, and masks if given; see `catalase.ops.augment_images`."""
        key = self.seed if seed is None else seed
        return augment_images(X, seed=key, step=step, numbers=numbers, masks=masks, random=random, **self.settings)

    def __repr__(self) -> str:
        given = {name: value for name, value in self.settings.items() if value not in (0.0, None, "constant")}
        return f"Augment({', '.join(f'{k}={v!r}' for k, v in {**given, 'seed': self.seed}.items())})"


def _size_of(crop: Any) -> tuple[int, int]:
    """Return a height and width of images that a crop fits into."""
    if crop is None:
        return 1, 1
    crop = crop.tolist() if isinstance(crop, np.ndarray) else crop
    if not isinstance(crop, (tuple, list)) or len(crop) != 2:
        raise TypeError(f"Augment: crop must be two whole numbers, height and width, got {shown(crop)}")
    height, width = (whole_number("Augment", "crop", side, 1, 2**24) for side in crop)
    return height, width


class AugmentedDataset(Dataset):
    """A dataset whose batches are augmented as they are read, differently in each epoch.

    Parameters
    ----------
    dataset : Dataset
        X (N, H, W, C) or (N, H, W), float32 or uint8.
    augment : Augment
    masks : bool
        Whether y (N, H, W, ...) labels pixels, and must be transformed with them. Weights of y's shape are transformed
        too, so that pixels from outside of the image have weight 0.

    Notes
    -----
    An image's random numbers depend only on the augmentation's seed, the seed and epoch of the walk, and the image's row:
    they are the same for any batch size, order and number of threads, and in a resumed run. A walk in order
    (``deterministic=True``, which evaluation uses) augments nothing: images are only converted, and cropped from the
    middle. The same holds for ``X``, ``y`` and ``w``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> images = ct.data.NumpyDataset(np.zeros((6, 8, 8, 1), np.uint8), np.arange(6))
    >>> train = ct.data.AugmentedDataset(images, ct.data.Augment(rotation=20, crop=(6, 6)))
    >>> X, y, w, ids = next(train.iterbatches(4, seed=0))
    >>> X.shape, X.dtype
    ((4, 6, 6, 1), dtype('float32'))
    """

    def __init__(self, dataset: Dataset, augment: Augment, masks: bool = False) -> None:
        if not isinstance(augment, Augment):
            raise TypeError(f"AugmentedDataset: augment must be an Augment, got {type(augment).__name__}")
        arrays.dataset_of("AugmentedDataset", "dataset", dataset)
        self.dataset, self.augment, self.masks = dataset, augment, flag("AugmentedDataset", "masks", masks)
        self.tasks, self.report, self.featurizer = dataset.tasks, dataset.report, dataset.featurizer

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def scaled_by(self) -> float:  # type: ignore[override]
        """1/255 for uint8 images, which augmentation scales to [0, 1]; else the factor of the dataset."""
        return 1 / 255 if self.dataset.X.dtype == np.uint8 else self.dataset.scaled_by

    @property
    def X(self) -> Any:  # type: ignore[override]
        """Images without augmentation, converted and cropped; they are read lazily if the dataset reads lazily."""
        X = self.dataset.X
        return _PlainImages(X, self.augment) if isinstance(X, LazyArray) else self.augment(X, random=False)

    @property
    def y(self) -> Any:  # type: ignore[override]
        """Labels; masks are cropped like the images."""
        return self._middle(self.dataset.y) if self.masks else self.dataset.y

    @property
    def w(self) -> Any:  # type: ignore[override]
        """Weights; weights of masks are cropped too."""
        own = self.masks and self.dataset.w.shape == self.dataset.y.shape
        return self._middle(self.dataset.w) if own else self.dataset.w

    def _middle(self, column: Any) -> Any:
        crop = self.augment.settings["crop"]
        if crop is None:
            return column
        top, left = ((n - m) // 2 for n, m in zip(column.shape[1:3], crop, strict=True))
        return column[:, top : top + crop[0], left : left + crop[1]]

    @property
    def ids(self) -> NDArray[Any]:  # type: ignore[override]
        """Identifiers."""
        return self.dataset.ids

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Rows]]:
        """Yield (epoch, row numbers, batch), augmented unless `deterministic`."""
        given = checked_walk(batch_size, epochs, deterministic, pad_batches, seed)
        *_, deterministic, _, seed = given
        walk = int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) if seed is None else seed
        key = int(np.random.SeedSequence([self.augment.seed, walk]).generate_state(1, np.uint64)[0])
        for epoch, rows, batch in self.dataset.numbered_batches(*given):
            yield epoch, rows, self._applied(batch, random=not deterministic, seed=key, step=epoch, numbers=rows)

    def _applied(self, batch: Rows, **how: Any) -> Rows:
        X, y, w, ids = batch
        if not self.masks:
            return self.augment(X, **how), y, w, ids
        if w.shape == y.shape:
            X, (y, w) = self.augment(X, (y, w), **how)
        else:
            X, y = self.augment(X, y, **how)
        return X, y, w, ids


class _PlainImages(LazyArray):
    """A column of images, converted and cropped as they are read."""

    def __init__(self, X: LazyArray, augment: Augment) -> None:
        size = augment.settings["crop"] or X.shape[1:3]
        super().__init__((len(X), *size, *X.shape[3:]), np.float32)
        self.X, self.augment = X, augment

    def take_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these rows."""
        return self.augment(self.X.take_rows(rows), random=False)
