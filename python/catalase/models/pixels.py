"""The scale of a model's pixels, and what tells whether pixels that come in have another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 1 / 255  # what a level of 8 bits is of full brightness
_BRIGHTEST = 2 * 255  # beyond this no pixel is one of 8 bits, be it resampled or not


class Seen:
    """What was seen of the values of some batches: the lowest, the highest, and whether all were whole numbers."""

    def __init__(self) -> None:
        self.low, self.high, self.whole = 0.0, 0.0, True

    def add(self, X: NDArray[Any]) -> None:
        """Look at one more batch."""
        if not X.size:
            return
        self.low, self.high = min(self.low, float(X.min())), max(self.high, float(X.max()))
        if self.whole and X.dtype.kind == "f":
            self.whole = bool((np.floor(X) == X).all())

    @property
    def within_one(self) -> bool:
        """Whether no value was beyond 1."""
        return self.low >= -1 and self.high <= 1

    @property
    def fractions(self) -> bool:
        """Whether the pixels are fractions of full brightness, from 0 to 1."""
        return not self.whole and self.low >= 0 and self.high <= 1


class Pixels:
    """Brings pixels onto the scale of one model, batch by batch, in one pass over a dataset or an array.

    The same values give the same bits in every number type. What cannot be of the model's scale is refused, which never
    depends on how rows fall into batches: `add` looks at each batch, `end` judges all of them.

    Parameters
    ----------
    where : str
        The function, for messages.
    scale : float or None
        ``model.pixel_scale``; None, of a model that has not been fitted, divides uint8 by 255 and nothing else.
    fractions : bool
        Whether the model was trained on fractions of full brightness.
    applied : float
        What the pixels were multiplied with already (``dataset.scaled_by``).
    """

    def __init__(self, where: str, scale: float | None, fractions: bool, applied: float = 1.0) -> None:
        self.where, self.scale, self.fractions, self.applied = where, scale, fractions, applied
        self.seen = Seen()

    def add(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return a batch on the net's scale."""
        if self.scale is None or self.fractions:
            return _times(X, LEVEL) if X.dtype == np.uint8 else self._looked_at(X)
        if self.applied == self.scale:
            return X
        if X.dtype != np.uint8:
            self._looked_at(X)
        return _times(X, self.scale / self.applied)

    def check(self, X: NDArray[Any], rows: int) -> None:
        """Refuse an array in memory that is of another scale, so many rows at a time."""
        if X.dtype != np.uint8:
            for start in range(0, len(X), rows):
                self._looked_at(X[start : start + rows])
        self.end()

    def end(self) -> None:
        """Refuse pixels of another scale, once all have been seen."""
        seen = self.seen
        if self.scale == LEVEL and self.applied != LEVEL and not seen.whole and seen.within_one:
            raise ValueError(
                f"{self.where}: X holds fractions, none beyond 1, but the model was trained on pixels from 0 to 255; "
                "multiply X by 255"
            )
        if self.fractions and seen.whole and not seen.within_one:
            raise ValueError(
                f"{self.where}: X holds whole numbers up to {seen.high:g}, but the model was trained on pixels from 0 to 1; "
                "divide X by 255, or give it as uint8, which is divided"
            )

    def _looked_at(self, X: NDArray[Any]) -> NDArray[Any]:
        if self.fractions or self.scale == LEVEL:
            self.seen.add(X)
            if self.scale == LEVEL and self.applied != LEVEL and self.seen.high > _BRIGHTEST:
                raise ValueError(
                    f"{self.where}: X holds {self.seen.high:g}, but the model was trained on pixels from 0 to 255; bring X "
                    "into that range"
                )
        return X


def _times(X: NDArray[Any], scale: float) -> NDArray[Any]:
    """``X * scale`` in float32; divided by what 1/scale is, so that 255 levels become exactly 1."""
    if scale == 1:
        return X
    return X.astype(np.float32) / np.float32(1 / scale)
