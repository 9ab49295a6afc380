"""Splitting a dataset into train, validation and test: by position, at random, stratified, or by scaffold."""

from __future__ import annotations

from .scaffold import ScaffoldSplitter, murcko_scaffold
from .simple import IndexSplitter, RandomSplitter, RandomStratifiedSplitter
from .splitter import Splitter

__all__ = [
    "IndexSplitter",
    "RandomSplitter",
    "RandomStratifiedSplitter",
    "ScaffoldSplitter",
    "Splitter",
    "murcko_scaffold",
]

# The splitters that commands and loaders take by a name.
NAMED = {"index": IndexSplitter, "random": RandomSplitter, "scaffold": ScaffoldSplitter}
