"""`SmilesTokens`: the tokens of SMILES as a featurizer, for models that read sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .._internal.numbers import choice, flag, shown
from .._internal.registry import Bool, Object, register
from .._internal.report import Failure, Report
from .._internal.text import strip_white
from ..chem.reading import canonical_smiles, read
from ..data.ragged import ragged
from ..data.tokenizer import CharTokenizer
from ..ops.ecfp import ecfp
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers
    from ..data.ragged import RaggedArray


@register("SmilesTokens", tokenizer=Object(CharTokenizer), canonical=Bool(optional=True))
class SmilesTokens(Featurizer):
    """The token numbers of SMILES, for `SequenceRegressor` and `SequenceClassifier`.

    Parameters
    ----------
    tokenizer : SmilesTokenizer
        Or another tokenizer of `catalase.data`. With ``unknown="token"`` new molecules may have tokens that it lacks.
    canonical : bool
        Tokenize RDKit's canonical SMILES of a molecule, so that its spelling does not matter, instead of the text as it is
        written: ``OCC`` and ``CCO`` are one molecule, but other tokens.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Notes
    -----
    A SMILES is read in both cases, as `catalase.ops.ecfp` and `catalase.chem.read` read it: text that is no molecule is
    refused. White space around it is no part of it. Canonical SMILES can differ between versions of RDKit.

    Examples
    --------
    >>> import catalase as ct
    >>> tokens = ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(["CCO", "CCCl"], unknown="token"))
    >>> tokens.featurize(["CCO", "ClC"]).padded().values.tolist()
    [[4, 4, 6], [5, 4, 0]]
    >>> tokens.featurize(["CCO", "C1CC"], errors="drop")[1].tolist(), tokens.report.failures[0].text
    ([0], 'C1CC')
    >>> ct.feat.SmilesTokens(tokens.tokenizer, canonical=True).featurize(["OCC"])[0].tolist()
    [4, 4, 6]
    """

    reads = "SMILES"
    makes_sequences = True

    def __init__(self, tokenizer: CharTokenizer, canonical: bool = False) -> None:
        if not isinstance(tokenizer, CharTokenizer):
            raise TypeError(
                "SmilesTokens: tokenizer must be one such as catalase.data.SmilesTokenizer.fit(smiles), got "
                f"{shown(tokenizer)}"
            )
        self.tokenizer, self.canonical = tokenizer, flag("SmilesTokens", "canonical", canonical)

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> RaggedArray: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[RaggedArray, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the tokens of SMILES.

        Parameters
        ----------
        datapoints : sequence of str, or with ``canonical`` of RDKit molecules
        errors : {"raise", "mask", "drop"}
            The treatment of a SMILES that cannot be read, or has a token that the tokenizer refuses: raise, give a sequence
            without tokens, or leave it out. With "drop" the result is (sequences, kept_indices).

        Returns
        -------
        RaggedArray of int32, N sequences
        """
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        texts, report = spelled(datapoints_of("featurize", datapoints, "SMILES"), self.canonical, errors)
        failures = {failure.position: failure for failure in report.failures}
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
        self.report = Report(len(texts), len(rows), [failures[row] for row in sorted(failures)], counts=report.counts)
        found = ragged([tokens[row] for row in rows])
        return (found, kept) if errors == "drop" else found

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, from which `Featurizer.build` makes an equal featurizer."""
        return {"tokenizer": self.tokenizer.to_config(), "canonical": self.canonical}

    def __repr__(self) -> str:
        return f"SmilesTokens({self.tokenizer!r}{', canonical=True' if self.canonical else ''})"


def spelled(items: list[Any], canonical: bool, errors: Errors = "raise") -> tuple[list[Any], Report]:
    """Return the texts to tokenize, and the report of the molecules that cannot be read, whose texts mean nothing."""
    how: InPlace = "raise" if errors == "raise" else "mask"
    if canonical:
        molecules, report = read(items, errors=how, return_report=True)
        return [None if molecule is None else canonical_smiles(molecule) for molecule in molecules], report
    texts = [strip_white(item) if isinstance(item, str) else item for item in items]
    return texts, ecfp(texts, radius=0, size=8, errors=how, return_report=True)[1]  # the reader, and little else
