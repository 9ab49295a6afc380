"""Optimizer steps in plain float64 NumPy, written as in the papers."""

from __future__ import annotations

import numpy as np


def penalized(p, g, lr, l1, l2, decay):
    return g + l1 * np.sign(p) + l2 * p, p * (1 - lr * decay)


def sgd(p, g, state, t, lr, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    return p - lr * g, state


def momentum(p, g, state, t, lr, momentum=0.9, nesterov=False, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    v = momentum * state[0] + g
    return p - lr * (g + momentum * v if nesterov else v), [v]


def adam(p, g, state, t, lr, beta1=0.9, beta2=0.999, eps=1e-8, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    m, v = beta1 * state[0] + (1 - beta1) * g, beta2 * state[1] + (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), [m, v]


def adagrad(p, g, state, t, lr, eps=1e-10, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    s = state[0] + g * g
    return p - lr * g / (np.sqrt(s) + eps), [s]


def rmsprop(p, g, state, t, lr, alpha=0.99, eps=1e-8, momentum=0.0, **penalties):
    g, p = penalized(p, g, lr, **penalties)
    s = alpha * state[0] + (1 - alpha) * g * g
    v = momentum * state[1] + g / (np.sqrt(s) + eps)
    return p - lr * v, [s, v]
