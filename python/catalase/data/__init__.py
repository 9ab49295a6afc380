"""Datasets and loaders, with the names that DeepChem users know."""

from __future__ import annotations

from . import mnist
from .csv_loader import CSVLoader
from .dataset import Dataset, NumpyDataset
from .disk import DiskDataset
from .genome import Interval, one_hot_intervals, read_bed, read_fasta, reverse_complement

__all__ = [
    "CSVLoader",
    "Dataset",
    "DiskDataset",
    "Interval",
    "NumpyDataset",
    "mnist",
    "one_hot_intervals",
    "read_bed",
    "read_fasta",
    "reverse_complement",
]
