"""Nonsense in every argument of every estimator and transformer: `fit` answers it in a sentence, or takes it."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

import catalase as ct
import catalase.sklearn as cs
from tests.nonsense import Target, call, report

X = np.arange(24.0).reshape(12, 2)
SMILES = ["C" * n for n in range(1, 13)]
SEQUENCES = ["ACGT", "AC", "GT"] * 4
SMALL = {"max_iter": 1, "random_state": 0}
EARLY = {"tol": 1e-4, "early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 2, "verbose": False}
DENSE = {"hidden_layer_sizes": [4], "activation": "relu", "dropout": 0.1, "alpha": 1e-4, "batch_size": 8, "learning_rate_init": 0.01, "layer_norm": False, "residual": False, "featurizer": None, **SMALL, **EARLY}  # fmt: skip
GRAPH = {"hidden_size": 4, "depth": 2, "ffn_hidden_size": 4, "ffn_num_layers": 1, "dropout": 0.1, "aggregation": "norm", "batch_size": 8, "features": "dmpnn", "extra": None, **SMALL, **EARLY}  # fmt: skip
READER = {"cell": "gru", "tokenizer": None, "embedding_size": 2, "hidden_size": 3, "num_layers": 1, "bidirectional": False, "pool": "last", "dropout": 0.1, "batch_size": 8, "learning_rate_init": 0.01, **SMALL, **EARLY}  # fmt: skip
NEIGHBORS = {"n_neighbors": 2, "weights": "distance", "metric": "euclidean", "scale": True, "featurizer": None}
GP = {"n_counts": None, "max_exact": 50, "n_inducing": 5, "random_state": 0, "featurizer": None}
AUTO = {"time_budget": 1.0, "splitter": "random", "folds": 2, "members": ["Gaussian process"], "random_state": 0, "verbose": False}  # fmt: skip
CALLS = {
    "DenseRegressor": (X, DENSE), "DenseClassifier": (X, DENSE), "DMPNNRegressor": (SMILES, GRAPH), "DMPNNClassifier": (SMILES, GRAPH), "SequenceRegressor": (SEQUENCES, READER), "SequenceClassifier": (SEQUENCES, READER),
    "KNNRegressor": (X, NEIGHBORS), "KNNClassifier": (X, NEIGHBORS), "TanimotoGPRegressor": (X, GP), "TanimotoGPClassifier": (X, GP), "RidgeRegressor": (X, {"alpha": 1.0, "featurizer": None}), "RidgeClassifier": (X, {"alpha": 1.0, "featurizer": None}),
    "AutoRegressor": (SMILES, AUTO), "AutoClassifier": (SMILES, AUTO),
    "ECFP": (SMILES, {"radius": 1, "size": 64, "chiral": False, "bonds": True, "features": False, "counts": False, "errors": "raise"}), "Descriptors": (SMILES, {"names": ["MolWt"], "errors": "raise"}),
    "MolGraphs": (SMILES, {"features": "dmpnn", "extra": None, "errors": "raise"}), "OneHotDNA": (SEQUENCES, {"length": 4, "reverse_complement": False, "errors": "raise"}),
}  # fmt: skip
KINDS = {
    "hidden_layer_sizes": "sizes", "batch_size": "whole", "featurizer": "anything", "extra": "ours?", "tokenizer": "ours?", "alpha": "number?", "n_counts": "whole?", "members": "words?", "names": "words?", "length": "whole?", "features": "anything",
}  # fmt: skip
# scikit-learn refuses a seed itself; a model that trains is made under its own name.
BEHIND = ("DMPNNModel", "SequenceRegressor", "SequenceClassifier", "TanimotoGP", "RidgeRegression", "AutoModel", "CircularFingerprint", "Descriptors", "MolGraphFeaturizer", "DNAOneHotFeaturizer", "mol_graphs", "descriptors", "featurize")  # fmt: skip
ALSO = {"counts": ["is_counts_based"], "learning_rate_init": ["learning_rate"]}


@pytest.mark.parametrize("name", cs.__all__)
def test_arguments(name):
    kind, (rows, options) = getattr(cs, name), CALLS[name]
    y = np.tile([0, 1], 6)

    def fitted(*args, **arguments):
        made = kind(*args, **arguments)
        return made.fit(rows, y) if hasattr(made, "predict") else made.fit_transform(rows)

    fitted.__name__, fitted.__signature__ = name, inspect.signature(kind)
    assert set(inspect.signature(kind).parameters) == set(options)
    skip = [
        "random_state",
        "time_budget",
        *(["learning_rate_init"] if "cell" in options else []),
    ]  # where 2**200 gives NaN
    target = Target(fitted, lambda: call(**options), KINDS, (name, *BEHIND), ALSO, skip)
    wrong = target.failures(pairs=10)
    assert not wrong, report(wrong)


def test_without_scikit_learn_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None\nimport catalase as ct\ntry: ct.sklearn\nexcept ImportError as error: print(error)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "catalase.sklearn: scikit-learn 1.6 or newer is needed; pip install 'catalase[sklearn]'\n"
    assert ct.sklearn is cs
