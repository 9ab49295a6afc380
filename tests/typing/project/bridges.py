"""scikit-learn and PyTorch."""

import numpy as np
import torch
import torch.utils.dlpack
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

import catalase as ct
import catalase.sklearn as cs
from catalase.interop.torch import LSTM, from_torch, to_torch

from .features import SMILES, labels


def pipeline() -> NDArray[np.float64]:
    steps = [("features", cs.ECFP(size=256, errors="mask")), ("ridge", cs.RidgeRegressor())]
    made = Pipeline(steps).fit(SMILES, labels()[:, 0])
    return np.asarray(made.predict(["CCO"]), np.float64)


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = LSTM(3, 5, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps: torch.Tensor = self.lstm(x)[0]
        return steps


def shapes() -> list[tuple[int, ...]]:
    steps: torch.Tensor = Tagger()(torch.zeros(2, 4, 3))
    net = ct.nn.Sequential(ct.nn.Linear(3, 2, rng=0))
    back = from_torch(to_torch(net))
    shared: torch.Tensor = torch.utils.dlpack.from_dlpack(ct.Tensor(np.ones((2, 3), np.float32)))
    output: ct.Tensor = back(ct.from_dlpack(shared))
    return [tuple(steps.shape), output.shape]
