"""Datasets and loaders, under the names of DeepChem."""

from __future__ import annotations

from . import mnist
from .augment import Augment, AugmentedDataset
from .csv_loader import CSVLoader
from .dataset import Dataset, NumpyDataset
from .disk import DiskDataset
from .disk_writer import DiskWriter
from .genome import Interval, one_hot_intervals, read_bed, read_fasta, reverse_complement
from .graph import GraphDataset
from .graph_batch import AtomLists, GraphBatch
from .image import ImageDataset
from .image_loader import ImageLoader
from .ragged import RaggedArray, SequenceBatch
from .sequence import SequenceDataset
from .tokenizer import CharTokenizer, DNATokenizer, SmilesTokenizer, load_tokenizer

__all__ = [
    "AtomLists",
    "Augment",
    "AugmentedDataset",
    "CSVLoader",
    "CharTokenizer",
    "DNATokenizer",
    "Dataset",
    "DiskDataset",
    "DiskWriter",
    "GraphBatch",
    "GraphDataset",
    "ImageDataset",
    "ImageLoader",
    "Interval",
    "NumpyDataset",
    "RaggedArray",
    "SequenceBatch",
    "SequenceDataset",
    "SmilesTokenizer",
    "load_tokenizer",
    "mnist",
    "one_hot_intervals",
    "read_bed",
    "read_fasta",
    "reverse_complement",
]
