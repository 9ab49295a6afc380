"""Tokenizers, which turn text (characters, SMILES, DNA) into token numbers and back. The vocabulary is saved as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._internal import arrays, storage
from .._internal.numbers import choice, listed, path_of, shown, walked, whole_number
from .._internal.registry import List, Str, build, register

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
PAD, START, END, UNKNOWN = range(len(SPECIAL))
_KIND = "catalase tokenizer"
_FIELDS = {"tokens": List(Str(), max_length=1_000_000), "unknown": Str(choices=["error", "token"])}
_Self = TypeVar("_Self", bound="CharTokenizer")


@register("CharTokenizer", **_FIELDS)
class CharTokenizer:
    """A tokenizer with one token a character.

    Parameters
    ----------
    tokens : sequence of str
        The vocabulary, without the special tokens; `fit` collects it from texts.
    unknown : {"error", "token"}
        Treatment of a token that is not in the vocabulary by `encode`: it is refused, with its position, or gets the
        number of ``<unk>``.

    Attributes
    ----------
    tokens : list of str
    unknown : str
    size : int
        Number of tokens with the special ones: ``<pad>`` 0, ``<start>`` 1, ``<end>`` 2, ``<unk>`` 3, ``tokens`` from 4.

    Notes
    -----
    `encode` adds no start or end token; `models.LanguageModel` does.

    Examples
    --------
    >>> import catalase as ct
    >>> tokenizer = ct.data.CharTokenizer.fit(["abba", "cab"])
    >>> tokenizer.encode("bac")
    array([5, 4, 6], dtype=int32)
    >>> tokenizer.decode([5, 4, 6])
    'bac'
    >>> ct.data.CharTokenizer(["a", "b"], unknown="token").encode("abd").tolist()
    [4, 5, 3]
    """

    def __init__(self, tokens: Sequence[str], unknown: str = "error") -> None:
        name = type(self).__name__
        tokens = listed(name, "tokens", tokens, "strings")
        if not all(isinstance(token, str) and token for token in tokens):
            raise TypeError(f"{name}: tokens must be a list of strings that are not empty; {name}.fit(texts) makes one")
        choice(name, "unknown", unknown, ("error", "token"))
        self.tokens, self.unknown = list(map(str, tokens)), unknown
        self._numbers = {token: number for number, token in enumerate((*SPECIAL, *self.tokens))}
        if len(self._numbers) < self.size:
            twice = next(token for token, count in Counter((*SPECIAL, *self.tokens)).items() if count > 1)
            raise ValueError(f"{name}: the token {twice!r} is there twice")

    @classmethod
    def fit(cls: type[_Self], texts: Iterable[str], min_count: int = 1, unknown: str = "error") -> _Self:
        """Return a tokenizer of the tokens that occur at least ``min_count`` times in ``texts``, sorted."""
        counts: Counter[str] = Counter()
        splitter = cls([], "token")
        min_count = whole_number(f"{cls.__name__}.fit", "min_count", min_count, 0)
        choice(f"{cls.__name__}.fit", "unknown", unknown, ("error", "token"))
        for text in texts_of(f"{cls.__name__}.fit", texts):
            counts.update(splitter.split(text))
        return cls(sorted(token for token, count in counts.items() if count >= min_count), unknown)

    @property
    def size(self) -> int:
        return len(SPECIAL) + len(self.tokens)

    def split(self, text: str) -> list[str]:
        """Return the tokens of a text, known or not; joined they are the text (DNA is in upper case)."""
        return list(self._text("split", text))

    def _text(self, method: str, text: Any) -> str:
        """Return the argument if it is a string, else raise a TypeError."""
        if not isinstance(text, str):
            raise TypeError(f"{type(self).__name__}.{method}: text must be a str, got {shown(text)}")
        return text

    def encode(self, text: str) -> NDArray[np.int32]:
        """Return the numbers of a text's tokens, (T,) int32.

        Raises
        ------
        ValueError
            For a token that is not in the vocabulary, with its position in the text, unless ``unknown="token"``.
        """
        tokens = self.split(self._text("encode", text))
        get = self._numbers.get
        numbers = np.array([get(token, UNKNOWN) for token in tokens], np.int32)
        if self.unknown == "error" and (numbers < len(SPECIAL)).any():
            first = int(np.flatnonzero(numbers < len(SPECIAL))[0])
            at = sum(len(token) for token in tokens[:first])
            raise ValueError(
                f"{type(self).__name__}.encode: unknown token {tokens[first]!r} at position {at} of {_shown(text)}; fit on "
                "texts that have it, or use unknown='token'"
            )
        return numbers

    def encode_all(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """Return the numbers of each text; an error names the text's row."""
        result = []
        for row, text in enumerate(texts_of(f"{type(self).__name__}.encode_all", texts)):
            try:
                result.append(self.encode(text))
            except ValueError as error:
                raise ValueError(f"row {row}: {error}") from None
        return result

    def decode(self, numbers: ArrayLike) -> str:
        """Return the text of token numbers; ``<pad>``, ``<start>`` and ``<end>`` are left out."""
        where = f"{type(self).__name__}.decode"
        array = arrays.numbers(where, "numbers", numbers)
        if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= self.size):
            raise ValueError(f"{where}: numbers must be whole numbers from 0 to {self.size - 1}, got {shown(numbers)}")
        names = (*SPECIAL, *self.tokens)
        return "".join(names[number] for number in array.ravel() if number >= UNKNOWN)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"class": type(self).__name__, "tokens": list(self.tokens), "unknown": self.unknown}

    def save(self, path: str | Path) -> None:
        """Write the vocabulary into a JSON file; `load_tokenizer` reads it."""
        path = path_of(f"{type(self).__name__}.save", "path", path)
        storage.write_json_atomic(path, {"kind": _KIND, "tokenizer": self.to_config()})

    def __len__(self) -> int:
        return self.size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self.to_config() == other.to_config()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.unknown, *self.tokens))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.tokens)} tokens, unknown={self.unknown!r})"


# Bracket atoms and ring closures of two digits are one token, as in Schwaller et al., doi:10.1021/acscentsci.9b00576. Other
# text is taken letter by letter, so that split never loses a letter.
_SMILES = re.compile(r"\[[^\[\]]*\]|Br|Cl|%\d\d|%\(\d+\)|.", re.DOTALL)


@register("SmilesTokenizer", **_FIELDS)
class SmilesTokenizer(CharTokenizer):
    """A tokenizer of SMILES: bracket atoms, ``Cl``, ``Br`` and ring closures ``%12`` are one token each, other characters too.

    Parameters
    ----------
    tokens, unknown
        As `CharTokenizer`.

    Notes
    -----
    SMILES are neither checked nor changed: a token without chemical meaning is an unknown token like any other.

    Examples
    --------
    >>> import catalase as ct
    >>> tokenizer = ct.data.SmilesTokenizer.fit(["CC(=O)Cl", "C[C@H](N)Br"])
    >>> tokenizer.split("C[C@H](Cl)Br")
    ['C', '[C@H]', '(', 'Cl', ')', 'Br']
    >>> tokenizer.decode(tokenizer.encode("C[C@H](Cl)Br"))
    'C[C@H](Cl)Br'
    """

    def split(self, text: str) -> list[str]:
        return _SMILES.findall(self._text("split", text))


@register("DNATokenizer", unknown=_FIELDS["unknown"])
class DNATokenizer(CharTokenizer):
    """A tokenizer of the four bases, in either case: A is 4, C 5, G 6 and T 7; RNA's U counts as T.

    Parameters
    ----------
    unknown : {"token", "error"}
        Other letters (N, the codes for several bases) become ``<unk>``, or are refused with their position.

    Notes
    -----
    `decode` returns upper case, with ``<unk>`` in the place of each letter that is not a base.

    Examples
    --------
    >>> import catalase as ct
    >>> tokenizer = ct.data.DNATokenizer()
    >>> tokenizer.encode("ACgtN")
    array([4, 5, 6, 7, 3], dtype=int32)
    >>> tokenizer.decode([4, 5, 6, 7, 3])
    'ACGT<unk>'
    """

    def __init__(self, unknown: str = "token") -> None:
        super().__init__(["A", "C", "G", "T"], unknown)

    @classmethod
    def fit(cls, texts: Iterable[str], min_count: int = 1, unknown: str = "token") -> DNATokenizer:
        """Return ``DNATokenizer(unknown)``, whose vocabulary does not depend on texts."""
        walked("DNATokenizer.fit", "texts", texts, "texts")
        whole_number("DNATokenizer.fit", "min_count", min_count, 0)
        return cls(unknown)

    def split(self, text: str) -> list[str]:
        """Return the letters of a text in upper case, U as T."""
        upper = self._text("split", text).upper()
        letters = list(upper) if len(upper) == len(text) else [letter.upper() for letter in text]  # one token a letter
        return ["T" if letter == "U" else letter for letter in letters] if "U" in upper else letters

    def to_config(self) -> dict[str, Any]:
        return {"class": "DNATokenizer", "unknown": self.unknown}


def load_tokenizer(path: str | Path) -> CharTokenizer:
    """Load a tokenizer that ``save`` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If the file is not that of a tokenizer, or names an unknown class or setting. Nothing is unpickled.
    """
    path = path_of("load_tokenizer", "path", path)
    content = storage.read_json(path)
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise ValueError(f"load_tokenizer: {path} holds no tokenizer; give the file that save wrote")
    try:
        tokenizer: CharTokenizer = build(content.get("tokenizer"), CharTokenizer)
    except (TypeError, ValueError) as error:
        raise ValueError(f"load_tokenizer: {path} holds no vocabulary that can be used: {error}") from None
    return tokenizer


def texts_of(where: str, texts: Iterable[str]) -> Iterable[str]:
    """Yield texts one at a time; an error names the row of an item that is not a text."""
    if isinstance(texts, str):
        raise TypeError(f"{where}: texts must be a list of texts, got one text; put it into a list")
    for row, text in enumerate(walked(where, "texts", texts, "texts")):
        if not isinstance(text, str):
            raise TypeError(f"{where}: texts must be a list of texts, got {type(text).__name__} at row {row}")
        yield text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
