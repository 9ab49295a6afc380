"""The families of the bench, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .case import Case

# By name on the command line: the file in this folder, and the work that it measures.
FAMILIES = {
    "matmul": ("matmul", "float32 matrix products"),
    "conv": ("conv", "convolutions forward and backward, one and two dimensions"),
    "convnet": ("convnet", "training steps of the teaching texts' convolutional nets with Adam"),
    "mlp": ("mlp", "training steps of a dense net with Adam, sparse and dense inputs"),
    "predict": ("predict", "predictions of a dense net on fingerprints"),
    "elementwise": ("elementwise", "activations, softmax, dropout, losses, embedding and the optimizer's pass"),
    "pool": ("pool", "max pooling and batch normalization of images, forward and backward"),
    "rnn": ("rnn", "LSTM, GRU and tanh RNN over whole sequences, forward and backward"),
    "data": ("data", "one-hot DNA, augmentation, images decoded ahead, datasets on disk"),
    "fingerprint": ("fingerprint", "fingerprints from SMILES and from RDKit molecules"),
    "tanimoto": ("tanimoto", "searching by Tanimoto similarity, with and without an index; Butina clusters"),
    "screen": ("screen", "virtual screening, a file of SMILES to the best molecules"),
    "book-tox21": ("book_tox21", "the book's Tox21 listing, whole processes"),
    "import": ("import_time", "importing the library, whole processes"),
}


# These families have ON_DEVICE, functions that take a case and a `Device`.
DEVICE_FAMILIES = ("matmul", "mlp", "predict", "convnet", "rnn", "tanimoto", "fingerprint")


def family_of(name: str) -> ModuleType:
    """Return the module of a family; a ValueError names the existing ones."""
    if name not in FAMILIES:
        raise ValueError(f"bench: there is no family {name!r}; choose from {', '.join(FAMILIES)}")
    return importlib.import_module(f".{FAMILIES[name][0]}", __package__)


def cases_of(family: ModuleType, quick: bool, device: str) -> list[Case]:
    """Return the cases of a family, which may list other cases for a device."""
    on_device = device != "cpu" and hasattr(family, "device_cases")
    cases: list[Case] = family.device_cases(quick) if on_device else family.cases(quick)
    return cases


def libraries_of(family: ModuleType, device: str) -> dict[str, Callable[..., Any]]:
    """Return the functions that prepare a case, by library."""
    found: dict[str, Callable[..., Any]] = family.LIBRARIES if device == "cpu" else family.ON_DEVICE
    return found
