"""One-hot encoding of DNA: each letter becomes a row of four numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _core
from .._core import empty
from .._internal.arrays import refuse_masked
from .._internal.numbers import shown, whole_number
from ..backends import backend_named
from .checks import dtype_of

_DTYPES = (np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.int8))


class Spans(NamedTuple):
    """Intervals to be encoded: interval k is [start, stop) of ``texts[which]``, 0-based, and may be reversed."""

    texts: list[Any]
    which: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    reverse: NDArray[np.uint8]


def one_hot_dna(
    sequences: str | bytes | Sequence[str | bytes],
    *,
    length: int | None = None,
    reverse_complement: bool | Sequence[bool] | NDArray[np.bool_] = False,
    dtype: DTypeLike = np.float32,
    device: str = "cpu",
) -> NDArray[Any]:
    """Encode DNA: ``out[i, j]`` is 1 in the column of letter j of sequence i, in the order A C G T.

    Parameters
    ----------
    sequences : str, bytes, or list of them
        A C G T in either case; U counts as T. N and the other IUPAC letters (R Y S W K M B D H V) give a row of zeros.
    length : int, optional
        Rows a sequence; shorter sequences end in rows of zeros. By default all sequences must have one length.
    reverse_complement : bool, or one a sequence
        Encode the other strand in its direction: the last letter comes first, with A for T and C for G.
    dtype : {float32, uint8, int8}
    device : {"cpu", "cuda"}
        "cuda" sends the letters to the GPU and writes the rows there; the result is a CuPy array.

    Returns
    -------
    ndarray, shape (N, length, 4)
        Without the first axis for a single str or bytes.

    Raises
    ------
    TypeError
        If a sequence is neither str nor bytes, or for another dtype.
    ValueError
        For a byte that is not a letter of DNA (the error names it and its position), sequences of unequal length without
        ``length``, sequences longer than ``length``, and another device.
    RuntimeError
        For ``device="cuda"`` without a CUDA device.

    Notes
    -----
    The result is the same for any number of threads. An empty list gives shape (0, length or 0, 4).

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.one_hot_dna("ACNt", dtype="uint8")
    array([[1, 0, 0, 0],
           [0, 1, 0, 0],
           [0, 0, 0, 0],
           [0, 0, 0, 1]], dtype=uint8)
    >>> ct.ops.one_hot_dna(["ACG", "TT"], length=4).shape
    (2, 4, 4)
    """
    single = isinstance(sequences, (str, bytes))
    if not single and not isinstance(sequences, Iterable):
        raise TypeError(f"one_hot_dna: sequences must be a string or a list of strings, got {type(sequences).__name__}")
    if isinstance(sequences, (bytearray, memoryview, dict)) or (
        isinstance(sequences, np.ndarray) and sequences.ndim != 1
    ):
        raise TypeError(f"one_hot_dna: sequences must be a string or a list of strings, got {shown(sequences)}")
    texts: list[Any] = [sequences] if single else list(sequences)
    spans = spans_of("one_hot_dna", texts, length, reverse_complement)
    if not isinstance(device, str):
        raise TypeError(f"one_hot_dna: device must be 'cpu' or 'cuda', got {shown(device)}")
    backend = backend_named(device, "one_hot_dna")
    result, i, at = backend.one_hot(texts, spans.stop, spans.reverse, _columns(spans, length), _dtype(dtype))
    if at >= 0:
        which = "the sequence" if single else f"sequence {i}"
        raise ValueError(f"one_hot_dna: {which} has {letter_at(texts[i], at)}")
    return result[0] if single else result


def spans_of(function: str, texts: list[Any], length: int | None, reverse_complement: Any) -> Spans:
    """Check sequences, and return the intervals that cover them whole."""
    kinds = set(map(type, texts))
    if kinds != {bytes} and not (kinds == {str} and all(map(str.isascii, texts))):
        _check_texts(function, texts)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    if length is None:
        other = np.flatnonzero(sizes != sizes[0]) if len(sizes) else np.zeros(0, np.int64)
        if len(other):
            raise ValueError(
                f"{function}: sequence 0 has {sizes[0]} letters but sequence {other[0]} has {sizes[other[0]]}; give "
                "length= to fill shorter ones up with zeros"
            )
    else:
        length = whole_number(function, "length", length, 0, 2**40)
        longer = np.flatnonzero(sizes > length)
        if len(longer):
            raise ValueError(
                f"{function}: length is {length}, but sequence {longer[0]} has {sizes[longer[0]]} letters; cut the sequence "
                "or give a larger length"
            )
    reverse = _strands(function, reverse_complement)
    if reverse.dtype != np.bool_ or reverse.shape not in ((), (len(texts),)):
        raise ValueError(
            f"{function}: reverse_complement must be True, False, or {len(texts)} of them, one a sequence; got "
            f"{reverse.dtype} of shape {reverse.shape}"
        )
    flags = np.ascontiguousarray(np.broadcast_to(reverse, (len(texts),))).astype(np.uint8)
    return Spans(texts, np.arange(len(texts), dtype=np.int64), np.zeros(len(texts), np.int64), sizes, flags)


def _strands(function: str, reverse_complement: Any) -> NDArray[Any]:
    """Return one strand for all sequences, or one for each, as an array."""
    refuse_masked(function, "reverse_complement", reverse_complement)
    if isinstance(reverse_complement, (bool, np.bool_, np.ndarray)):
        return np.asarray(reverse_complement)
    if not isinstance(reverse_complement, (list, tuple)) or not all(
        isinstance(r, (bool, np.bool_)) for r in reverse_complement
    ):
        raise TypeError(
            f"{function}: reverse_complement must be True, False, or one of them a sequence, got {shown(reverse_complement)}"
        )
    return np.asarray(reverse_complement, bool)


def _check_texts(function: str, texts: list[Any]) -> None:
    """Check each text in a loop, which lists of plain strings do not need."""
    for i, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"{function}: sequences must be str or bytes, but sequence {i} is {type(text).__name__}")
        if isinstance(text, str) and not text.isascii():
            at, letter = next((at, letter) for at, letter in enumerate(text) if not letter.isascii())
            raise ValueError(
                f"{function}: sequence {i} has {letter!r} at position {at}, which is no letter of DNA; needed A C G T "
                "(or U), N or another IUPAC letter"
            )


def encode(spans: Spans, length: int | None, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rows, and for each interval the position in its text of the first byte that is not a letter, or -1."""
    n = len(spans.which)
    out = empty((n, _columns(spans, length), 4), _dtype(dtype))
    bad = np.empty(n, np.int64)
    _core.one_hot_dna(spans.texts, spans.which, spans.start, spans.stop, spans.reverse, out, bad)
    return out, bad


def _dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = dtype_of("one_hot_dna", "dtype", dtype)
    if kind not in _DTYPES:
        raise TypeError(f"one_hot_dna: dtype must be float32, uint8 or int8, got {kind}")
    return kind


def _columns(spans: Spans, length: int | None) -> int:
    """Return the rows a sequence: ``length``, or by default the length of the longest."""
    if length is not None:
        return int(length)
    return int((spans.stop - spans.start).max()) if len(spans.which) else 0


def letter_at(text: str | bytes, position: int) -> str:
    """Return a phrase with the character at a position that is not a letter of DNA, and the letters that are."""
    value = text[position] if isinstance(text, bytes) else ord(text[position])
    shown = f" ({chr(value)!r})" if 0x20 <= value < 0x7F else ""
    return (
        f"the byte 0x{value:02X}{shown} at position {position}; needed A C G T (or U), N or another IUPAC letter, in "
        "either case"
    )
