"""Types of what the readers of molecules and sequences return, by their ``errors`` and ``output``; for type checkers only."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Errors = Literal["raise", "mask", "drop"]
InPlace = Literal["raise", "mask"]
"""The ways to treat errors with which every item has its row; with "drop" the numbers of the kept rows come, too."""
Output = Literal["dense", "packed", "csr"]
Numbers = NDArray[np.int64]
"""The positions of the items that were kept."""

Packed = NDArray[np.uint8]
Dense = NDArray[np.float32]
Counts = NDArray[np.uint32]
CSR = tuple[NDArray[np.int64], NDArray[np.int32], tuple[int, int]]
Values = NDArray[np.float64]
