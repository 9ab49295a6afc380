"""Circular fingerprints on a device: ``cuda/ecfp.cu`` hashes the molecular graphs of the native reader.

Molecules that the native reader refuses, or that are too large for the kernels, get their rows from the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import _core
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_CHUNK = 2**14  # molecules that are read and sent at a time; the next chunk is read while the device hashes this one
_WARPS = 4  # molecules a block, one a warp
_SMALL, _LARGE = 64, 256  # the most atoms and bonds of the kernels for small and for large molecules


class DeviceFingerprints:
    """Fingerprints of a batch of molecules on a device.

    Attributes
    ----------
    rows : device array, as `catalase.ops.ecfp` gives them
    others : ndarray of int
        Positions of the molecules without a row yet; see `fill`.
    """

    def __init__(self, device: CudaBackend, smiles: list[Any], settings: tuple[Any, ...]) -> None:
        radius, size, output, chirality, features, use_bond_types, threads = settings
        self._device = device
        self._numbers = int(radius), int(size), _core.ECFP_OUTPUTS[output]
        self._columns = size // 8 if output == "packed" else size
        dtype = {"packed": np.uint8, "dense": np.float32, "counts": np.uint32}[output]
        self.rows = self._device.empty((len(smiles), self._columns), dtype)
        status = np.ones(len(smiles), np.uint8)
        options = bool(use_bond_types), bool(chirality), bool(features)
        for start in range(0, len(smiles) if radius <= _core.ECFP_MAX_RADIUS else 0, _CHUNK):
            some = slice(start, min(start + _CHUNK, len(smiles)))
            graphs, atoms, _ = _core.ecfp_graphs(smiles[some], *options, status[some], threads)
            self._hash(graphs[0], some.stop - start, atoms, self.rows[some])
        self.others = np.flatnonzero(status)

    def fill(self, rows: NDArray[Any]) -> None:
        """Set the rows of ``others``."""
        if len(rows):
            self._copy(self._device.array(rows), self.rows, target=self.others)

    def take(self, indices: NDArray[np.intp]) -> None:
        """Keep only these rows."""
        kept = self._device.empty((len(indices), self._columns), self.rows.dtype)
        self._copy(self.rows, kept, source=indices)
        self.rows = kept

    def _hash(self, graphs: NDArray[np.uint32], n: int, atoms: int, rows: Any) -> None:
        """Launch the kernels for graphs as in cpp/fingerprint/graphs.h. A molecule without a graph gets an empty row."""
        ends = np.cumsum([n + 1, atoms + 1, atoms])
        on_device = self._device.array(graphs)
        arrays = [on_device[a:b] for a, b in zip([0, *ends], [*ends, len(graphs)], strict=True)]
        args = (*arrays, n, *self._numbers, rows)
        self._device.launch("ecfp.morgan_small", (-(-n // _WARPS),), (32 * _WARPS,), 0, args)
        first_atom = graphs[: n + 1].astype(np.int64)
        first_end = graphs[n + 1 :][first_atom].astype(np.int64)
        large = np.flatnonzero((np.diff(first_atom) > _SMALL) | (np.diff(first_end) > 2 * _SMALL))
        if len(large):
            grid = min(len(large), 8 * self._device.multiprocessors)
            seen = self._device.empty((grid, _LARGE * max(0, self._numbers[0] - 1), 4), np.uint64)
            args = (*arrays, self._device.array(large), len(large), *self._numbers, seen, rows)
            self._device.launch("ecfp.morgan_large", (grid,), (32,), 0, args)

    def _copy(
        self,
        from_: Any,
        to: Any,
        source: NDArray[np.intp] | None = None,
        target: NDArray[np.intp] | None = None,
    ) -> None:
        count = len(to) if target is None else len(target)
        words = self._columns * to.dtype.itemsize % 4 == 0
        width = self._columns * to.dtype.itemsize // (4 if words else 1)
        lists = [None if x is None else self._device.array(x.astype(np.int64)) for x in (source, target)]
        walk(self._device, f"rows.copy_rows_{'u32' if words else 'u8'}", count * width, from_, *lists, width, to)
