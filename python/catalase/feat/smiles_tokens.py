"""`SmilesTokens`: the tokens of SMILES as a featurizer, for models that read sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._internal.numbers import choice, shown
from .._internal.registry import Object, register
from .._internal.report import Failure, Report
from .._internal.text import strip_white
from ..data.ragged import ragged
from ..data.tokenizer import CharTokenizer
from ..ops.ecfp import ecfp
from .featurizer import Featurizer, datapoints_of


@register("SmilesTokens", tokenizer=Object(CharTokenizer))
class SmilesTokens(Featurizer):
    """The token numbers of SMILES as they are written, for `SequenceRegressor` and `SequenceClassifier`.

    Parameters
    ----------
    tokenizer : SmilesTokenizer
        Or another tokenizer of `catalase.data`. With ``unknown="token"`` new molecules may have tokens that it lacks.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Notes
    -----
    A SMILES is read as `catalase.ops.ecfp` reads it, so that text that is no molecule is refused, and is then tokenized
    without the white space around it. The spelling matters: ``OCC`` and ``CCO`` are one molecule, but other tokens.

    Examples
    --------
    >>> import catalase as ct
    >>> tokens = ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(["CCO", "CCCl"], unknown="token"))
    >>> tokens.featurize(["CCO", "ClC"]).padded().values.tolist()
    [[4, 4, 6], [5, 4, 0]]
    >>> tokens.featurize(["CCO", "C1CC"], errors="drop")[1].tolist(), tokens.report.failures[0].text
    ([0], 'C1CC')
    """

    reads = "SMILES"
    makes_sequences = True

    def __init__(self, tokenizer: CharTokenizer) -> None:
        if not isinstance(tokenizer, CharTokenizer):
            raise TypeError(
                "SmilesTokens: tokenizer must be one such as catalase.data.SmilesTokenizer.fit(smiles), got "
                f"{shown(tokenizer)}"
            )
        self.tokenizer = tokenizer

    def featurize(self, datapoints: Sequence[Any], errors: str = "raise") -> Any:
        """Return the tokens of SMILES.

        Parameters
        ----------
        datapoints : sequence of str
            No RDKit molecules, which have no spelling of their own.
        errors : {"raise", "mask", "drop"}
            The treatment of a SMILES that cannot be read, or has a token that the tokenizer refuses: raise, give a sequence
            without tokens, or leave it out. With "drop" the result is (sequences, kept_indices).

        Returns
        -------
        RaggedArray of int32, N sequences
        """
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES")
        texts = [strip_white(item) if isinstance(item, str) else item for item in items]
        how = "raise" if errors == "raise" else "mask"
        _, read = ecfp(texts, radius=0, size=8, errors=how, return_report=True)  # the reader, and little else
        failures = {failure.position: failure for failure in read.failures}
        tokens = [np.zeros(0, np.int32)] * len(texts)
        for row, text in enumerate(texts):
            if row in failures:
                continue
            try:
                tokens[row] = self.tokenizer.encode(text)
            except (TypeError, ValueError) as error:
                if errors == "raise":
                    raise type(error)(f"featurize: row {row} of datapoints: {error}") from None
                failures[row] = Failure(row, text if isinstance(text, str) else repr(text)[:200], str(error))
        kept = np.setdiff1d(np.arange(len(texts)), list(failures))
        rows = kept if errors == "drop" else np.arange(len(texts))
        self.report = Report(len(texts), len(rows), [failures[row] for row in sorted(failures)], counts=read.counts)
        found = ragged([tokens[row] for row in rows])
        return (found, kept) if errors == "drop" else found

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, from which `Featurizer.build` makes an equal featurizer."""
        return {"tokenizer": self.tokenizer.to_config()}

    def __repr__(self) -> str:
        return f"SmilesTokens({self.tokenizer!r})"
