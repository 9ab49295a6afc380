"""Softmax and losses in plain float64 NumPy."""

from __future__ import annotations

import numpy as np


def log_softmax(x):
    x = x.astype(np.float64)
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax_cross_entropy(x, labels, w):
    logs = log_softmax(x)
    if labels.dtype.kind in "iu":
        labels = np.eye(x.shape[-1])[labels]
    return -w * (labels * logs).sum(axis=-1)


def sigmoid_cross_entropy(x, z, w):
    x = x.astype(np.float64)
    return w * (np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x))))


# One value for each label: functions of output, y and the settings of the loss.
def floored_log(p):
    return np.log(np.maximum(p, 1e-12))


def huber(x, y, delta=1.0):
    apart = np.abs(x - y)
    return np.where(apart <= delta, apart**2 / 2, delta * (apart - delta / 2))


def hinge(x, y):
    return np.maximum(0, 1 - np.where(y > 0, 1, -1) * x)


def poisson(x, y, log_output=False):
    return np.exp(x) - y * x if log_output else x - y * floored_log(x)


def binary_cross_entropy(p, y):
    return -(y * floored_log(p) + (1 - y) * floored_log(1 - p))


def focal(x, y, gamma=2.0, alpha=None):
    p = 1 / (1 + np.exp(-x))
    of_label = y * p + (1 - y) * (1 - p)
    share = 1 if alpha is None else y * alpha + (1 - y) * (1 - alpha)
    return share * (1 - of_label) ** gamma * sigmoid_cross_entropy(x, y, 1)


ELEMENTWISE = {
    "L1Loss": lambda x, y: np.abs(x - y),
    "L2Loss": lambda x, y: (x - y) ** 2,
    "SigmoidCrossEntropy": lambda x, y: sigmoid_cross_entropy(x, y, 1),
    "HuberLoss": huber,
    "HingeLoss": hinge,
    "SquaredHingeLoss": lambda x, y: hinge(x, y) ** 2,
    "PoissonLoss": poisson,
    "BinaryCrossEntropyLoss": binary_cross_entropy,
    "FocalLoss": focal,
}


# One value for each row: functions of one output row, one label row and one row of weights.
def cosine(x, y, w):
    x, y = x[w != 0], y[w != 0]
    return w.max() * (1 - x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


VECTORS = {
    "EuclideanLoss": lambda x, y, w: np.sqrt(sum((w * (x - y)) ** 2)),
    "HellingerLoss": lambda x, y, w: sum(w * (np.sqrt(x) - np.sqrt(y)) ** 2) / np.sqrt(2),
    "KLDivergenceLoss": lambda x, y, w: sum(v * b * np.log(b / a) for a, b, v in zip(x, y, w, strict=True) if b > 0),
    "CosineLoss": cosine,
    "CrossEntropyLoss": lambda x, y, w: -sum(w * y * floored_log(x)),
    "NegativeLogLikelihoodLoss": lambda x, y, w: -sum(w * y * x),
}


def censored(x, low, high):
    return np.where(x < low, (low - x) ** 2, np.where(x > high, (x - high) ** 2, 0.0))
