"""Datasets and loaders, with the names that DeepChem users know."""

from __future__ import annotations

from . import mnist
from .csv_loader import CSVLoader
from .dataset import Dataset, NumpyDataset
from .disk import DiskDataset

__all__ = ["CSVLoader", "Dataset", "DiskDataset", "NumpyDataset", "mnist"]
