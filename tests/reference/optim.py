"""Optimizer steps in plain float64 NumPy, written as in the papers."""

from __future__ import annotations

import numpy as np


def penalized(p, g, lr, l2, decay):
    return g + l2 * p, p * (1 - lr * decay)


def proximal(p, reach):
    """The proximal step of reach * |p|."""
    return np.sign(p) * np.maximum(np.abs(p) - reach, 0)


def sgd(p, g, state, t, lr, l1, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    return proximal(p - lr * g, lr * l1), state


def momentum(p, g, state, t, lr, l1, momentum=0.9, nesterov=False, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    v = momentum * state[0] + g
    return proximal(p - lr * (g + momentum * v if nesterov else v), lr * l1 / (1 - momentum)), [v]


def adam(p, g, state, t, lr, l1, beta1=0.9, beta2=0.999, eps=1e-8, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    m, v = beta1 * state[0] + (1 - beta1) * g, beta2 * state[1] + (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    root = np.sqrt(v_hat) + eps
    return proximal(p - lr * m_hat / root, lr * l1 / root), [m, v]


def amsgrad(p, g, state, t, lr, l1, beta1=0.9, beta2=0.999, eps=1e-8, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    m, v = beta1 * state[0] + (1 - beta1) * g, beta2 * state[1] + (1 - beta2) * g * g
    largest = np.maximum(state[2], v)
    root = np.sqrt(largest / (1 - beta2**t)) + eps
    return proximal(p - lr * m / (1 - beta1**t) / root, lr * l1 / root), [m, v, largest]


def adagrad(p, g, state, t, lr, l1, eps=1e-10, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    s = state[0] + g * g
    root = np.sqrt(s) + eps
    return proximal(p - lr * g / root, lr * l1 / root), [s]


def rmsprop(p, g, state, t, lr, l1, alpha=0.99, eps=1e-8, momentum=0.0, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    s = alpha * state[0] + (1 - alpha) * g * g
    root = np.sqrt(s) + eps
    v = momentum * state[1] + g / root
    return proximal(p - lr * v, lr * l1 / (1 - momentum) / root), [s, v]


def lion(p, g, state, t, lr, l1, beta1=0.9, beta2=0.99, **penalties):
    """Algorithm 2 of arXiv:2302.06675."""
    g, p = penalized(p, g, lr, **penalties)
    c = beta1 * state[0] + (1 - beta1) * g
    m = beta2 * state[0] + (1 - beta2) * g
    return proximal(p - lr * np.sign(c), lr * l1 / np.maximum(np.abs(m), 1e-30)), [m]


def lamb(p, g, state, t, lr, l1, l2, decay, beta1=0.9, beta2=0.999, eps=1e-6):
    """Algorithm 2 of arXiv:1904.00962, phi the identity."""
    g = g + l2 * p
    m, v = beta1 * state[0] + (1 - beta1) * g, beta2 * state[1] + (1 - beta2) * g * g
    root = np.sqrt(v / (1 - beta2**t)) + eps
    u = m / (1 - beta1**t) / root + decay * p
    norms = np.linalg.norm(p), np.linalg.norm(u)
    rate = lr * (norms[0] / norms[1] if all(norms) else 1.0)
    return proximal(p - rate * u, rate * l1 / root), [m, v]
