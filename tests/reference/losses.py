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
