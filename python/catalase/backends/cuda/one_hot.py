"""One-hot DNA on a device: the host checks and sends the letters, ``cuda/one_hot.cu`` writes the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_LETTERS = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"


def one_hot(
    device: CudaBackend, texts: list[Any], stop: Any, reverse: Any, columns: int, dtype: Any
) -> tuple[Any, int, int]:
    """Return the rows of whole sequences, or None, with the sequence and position of the first letter that is not DNA."""
    letters = b"".join(text if isinstance(text, bytes) else text.encode("ascii") for text in texts)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(stop, dtype=np.int64)])
    wrong = letters.translate(None, _LETTERS)  # one pass, after which usually no letter is left
    if wrong:
        at = min(letters.index(byte) for byte in set(wrong))
        which = int(np.searchsorted(starts, at, side="right")) - 1
        return None, which, at - int(starts[which])
    out = device.empty((len(texts), columns, 4), dtype)
    arrays = (np.frombuffer(letters, np.uint8), starts, reverse)
    sent = [device.array(x) if out.size else x for x in arrays]
    kernel = "one_hot.one_hot_f32" if dtype == np.float32 else "one_hot.one_hot_u8"
    walk(device, kernel, len(texts) * columns, *sent, out, columns)
    return out, -1, -1
