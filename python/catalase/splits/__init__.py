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
