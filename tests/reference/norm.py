"""Batch and layer normalization in plain float64 NumPy, with two passes."""

from __future__ import annotations

import numpy as np


def moments(x):
    x = x.astype(np.float64).reshape(-1, x.shape[-1])
    return x.mean(axis=0), x.var(axis=0)


def batch_norm(x, gamma, beta, mean, var, eps, relu):
    y = (x.astype(np.float64) - mean) / np.sqrt(var + eps) * gamma + beta
    return np.where(y < 0, 0, y) if relu else y


def batch_norm_backward(dy, x, gamma, beta, mean, var, eps, relu, batch_statistics):
    dy, x = dy.astype(np.float64), x.astype(np.float64)
    inverse = 1 / np.sqrt(var + eps)
    h = (x - mean) * inverse
    g = np.where(h * gamma + beta <= 0, 0, dy) if relu else dy
    axes = tuple(range(x.ndim - 1))
    dgamma, dbeta = (g * h).sum(axis=axes), g.sum(axis=axes)
    m = x.size // x.shape[-1]
    through = (dbeta + h * dgamma) / m if batch_statistics else 0
    return gamma * inverse * (g - through), dgamma, dbeta


def layer_norm(x, gamma, beta, eps):
    x = x.astype(np.float64)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * gamma + beta


def layer_norm_backward(dy, x, gamma, eps):
    dy, x = dy.astype(np.float64), x.astype(np.float64)
    inverse = 1 / np.sqrt(x.var(-1, keepdims=True) + eps)
    h, g = (x - x.mean(-1, keepdims=True)) * inverse, dy * gamma
    axes = tuple(range(x.ndim - 1))
    dx = inverse * (g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True))
    return dx, (dy * h).sum(axis=axes), dy.sum(axis=axes)


def rms_norm(x, gamma, eps):
    x = x.astype(np.float64)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * gamma


def rms_norm_backward(dy, x, gamma, eps):
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    inverse = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    h, g = x * inverse, dy * gamma
    dx = inverse * (g - h * (g * h).mean(-1, keepdims=True))
    return dx, (dy * h).reshape(-1, x.shape[-1]).sum(0)
