"""Training, saving, loading and predicting."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import catalase as ct

from .features import SIZE, SMILES, dataset, labels
from .net import Charbonnier, Net


def train(folder: Path) -> list[float]:
    train, test = ct.splits.RandomSplitter().train_test_split(dataset(), seed=0)
    scaling = ct.trans.NormalizationTransformer(dataset=train)
    model = ct.models.NetModel(Net(SIZE), Charbonnier(), optimizer=ct.optim.Adam(lr=0.01), batch_size=8, seed=0)
    stop = ct.train.EarlyStopping(patience=3)
    history: ct.train.History = model.fit(
        scaling.transform(train), nb_epoch=5, valid=scaling.transform(test), callbacks=stop
    )
    model.transformers = [scaling]
    model.featurizer = ct.feat.CircularFingerprint(size=SIZE)
    model.save(folder)
    return history["loss"]


def predict(folder: Path) -> NDArray[np.float32]:
    model = ct.models.load(folder)
    report = model.evaluate(dataset(), ct.metrics.Metric(ct.metrics.r2_score))
    assert report
    return model.predict(SMILES)


def intervals() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    model = ct.models.AutoModel("regression", members=["ridge"], folds=3)
    model.fit(SMILES, labels())
    return model.predict_interval(["CCCO"], coverage=0.8)


def interval_of(folder: Path) -> float:
    """What only one class has: the class is asked for."""
    model = ct.models.load(folder)
    if not isinstance(model, ct.models.AutoModel):
        return 0.0
    low, high = model.predict_interval(["CCCO"])
    return float(high[0, 0] - low[0, 0])
