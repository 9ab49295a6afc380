"""The model with which every test of screening scores."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct

from .helpers import library


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A regressor with a transformer and its featurizer in the metadata, as ``catalase train`` makes them."""
    folder = tmp_path_factory.mktemp("model") / "m"
    smiles = [s for s in library(60) if ct.ops.ecfp([s], errors="drop")[1].size]
    X = ct.ops.ecfp(smiles, size=256, radius=1)
    plain = ct.data.NumpyDataset(X, np.array([[s.count("C") * 3.0] for s in smiles]))
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    made = ct.models.MultitaskRegressor(1, 256, layer_sizes=[16], seed=0, learning_rate=0.01)
    made.fit(normal.transform(plain), nb_epoch=20)
    made.transformers = [normal]
    made.featurizer = {
        "fingerprint": ct.feat.CircularFingerprint(radius=1, size=256).to_config(),
        "smiles": "mol",
        "tasks": ["activity"],
        "classification": False,
    }
    made.save(folder)
    return folder
