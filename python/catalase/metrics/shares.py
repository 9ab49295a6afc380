"""The interval of a share, such as that of class 1 among some rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def share_interval(
    positive: NDArray[np.float64], count: NDArray[Any] | int, coverage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of Wilson's interval of the share of positives among so many rows.

    References
    ----------
    Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Examples
    --------
    >>> low, high = share_interval(np.array([5.0]), 10, 0.95)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.237], [0.763])
    """
    from statistics import NormalDist  # an import of some milliseconds

    z = NormalDist().inv_cdf(0.5 + coverage / 2)
    share = positive / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half
