"""Splitting a dataset into train, validation and test: by position, at random, stratified, or by scaffold."""

from __future__ import annotations

from ._base import Splitter
from ._scaffold import ScaffoldSplitter, murcko_scaffold
from ._simple import IndexSplitter, RandomSplitter, RandomStratifiedSplitter

__all__ = [
    "IndexSplitter",
    "RandomSplitter",
    "RandomStratifiedSplitter",
    "ScaffoldSplitter",
    "Splitter",
    "murcko_scaffold",
]
