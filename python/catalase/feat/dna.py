"""`DNAOneHotFeaturizer`: one-hot DNA as a featurizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .._internal.arrays import dtype_of
from .._internal.numbers import choice, flag, whole_number
from .._internal.registry import Bool, Int, Str, register
from .._internal.report import Failure, Report
from .._internal.text import strip_white
from ..ops.one_hot_dna import encode, letter_at, spans_of
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._internal.outcomes import Errors, InPlace, Numbers


@register(
    "DNAOneHotFeaturizer",
    length=Int(0, none=True, optional=True),
    reverse_complement=Bool(optional=True),
    dtype=Str(choices=["float32", "uint8", "int8"], optional=True),
)
class DNAOneHotFeaturizer(Featurizer):
    """Turn sequences into rows of four numbers, A C G T; see `catalase.ops.one_hot_dna`.

    Parameters
    ----------
    length : int, optional
        The number of rows of a sequence; shorter sequences end in zeros. Without it all sequences must have one length.
    reverse_complement : bool
        Encode the other strand.
    dtype : {"float32", "uint8", "int8"}

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Notes
    -----
    DeepChem's ``OneHotFeaturizer`` with ``charset=["A", "C", "G", "T"]`` has a fifth column for unknown letters, and
    ``utils.genomics_utils.seq_one_hot_encode`` has the order A T C G N; here unknown bases (N) are zeros.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.DNAOneHotFeaturizer(length=8).featurize(["ACGT", "TTGNNA"]).shape
    (2, 8, 4)
    """

    reads = "sequence"
    aside = ("length", "dtype")

    def __init__(self, length: int | None = None, reverse_complement: bool = False, dtype: str = "float32") -> None:
        name = "DNAOneHotFeaturizer"
        self.length = None if length is None else whole_number(name, "length", length, 0, 2**40)
        self.reverse_complement = flag(name, "reverse_complement", reverse_complement)
        self.dtype = dtype_of(name, "dtype", dtype, ("float32", "uint8", "int8")).name

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> NDArray[Any]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[NDArray[Any], Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the rows of sequences.

        Parameters
        ----------
        datapoints : sequence of str or bytes
        errors : {"raise", "mask", "drop"}
            The treatment of a sequence that has a byte that is no letter of DNA, or is longer than ``length``: raise, give
            zeros, or leave it out. With "drop" the result is (array, kept_indices).

        Returns
        -------
        ndarray, shape (N, length, 4)
        """
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        given = datapoints_of("featurize", datapoints, "sequences")
        texts = [strip_white(text) if isinstance(text, (str, bytes)) else text for text in given]
        failures = [] if errors == "raise" else _unreadable(texts, self.length)
        for failure in failures:
            texts[failure.position] = "N" * (self.length or 0)
        if self.length is None and failures:
            width = max((len(text) for text in texts), default=0)
            for failure in failures:
                texts[failure.position] = "N" * width
        spans = spans_of("featurize", texts, self.length, self.reverse_complement)
        X, bad = encode(spans, self.length, self.dtype)
        for i in np.flatnonzero(bad >= 0):
            reason = letter_at(texts[i], int(bad[i]))
            if errors == "raise":
                raise ValueError(f"featurize: sequence {i} has {reason}")
            X[i] = 0
            failures.append(Failure(int(i), str(texts[i]), reason))
        failures.sort()
        kept = np.setdiff1d(np.arange(len(texts)), [f.position for f in failures])
        self.report = Report(len(texts), len(kept) if errors == "drop" else len(texts), failures)
        return (X[kept], kept) if errors == "drop" else X

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        length = None if self.length is None else int(self.length)
        return {"length": length, "reverse_complement": self.reverse_complement, "dtype": self.dtype}


def _unreadable(texts: Sequence[Any], length: int | None) -> list[Failure]:
    """Return failures for items that cannot be given to the kernel: no text, not ASCII, or too long."""
    found = []
    for i, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            found.append(Failure(i, str(text), f"needs str or bytes, got {type(text).__name__}"))
        elif isinstance(text, str) and not text.isascii():
            found.append(Failure(i, text, "has letters beyond ASCII"))
        elif length is not None and len(text) > length:
            found.append(Failure(i, str(text), f"has {len(text)} letters, more than {length}"))
    return found
