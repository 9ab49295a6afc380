"""Recurrent cells in plain float64 NumPy, one sequence and one step at a time."""

from __future__ import annotations

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def rnn_step(x, h, w_x, w_h, b, activation="tanh"):
    a = x @ w_x + b + h @ w_h
    return np.tanh(a) if activation == "tanh" else np.maximum(a, 0)


def gru_step(x, h, w_x, w_h, b):
    a_r, a_z, a_n = np.split(x @ w_x + b[0], 3)
    s_r, s_z, s_n = np.split(h @ w_h + b[1], 3)
    r, z = sigmoid(a_r + s_r), sigmoid(a_z + s_z)
    n = np.tanh(a_n + r * s_n)
    return (1 - z) * n + z * h


def lstm_step(x, h, c, w_x, w_h, b):
    i, f, g, o = np.split(x @ w_x + b + h @ w_h, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def run(kind, x, w_x, w_h, b, h0=None, c0=None, *, activation="tanh", lengths=None, reverse=False):
    """Return y, h, and for the LSTM c, of whole sequences."""
    x, w_x, w_h, b = (a.astype(np.float64) for a in (x, w_x, w_h, b))
    n, steps, _ = x.shape
    hidden = w_h.shape[0]
    h, c = (np.zeros((n, hidden)) if s is None else s.astype(np.float64) for s in (h0, c0))
    y = np.zeros((n, steps, hidden))
    for i in range(n):
        own = range(steps if lengths is None else lengths[i])
        for t in reversed(own) if reverse else own:
            if kind == "lstm":
                h[i], c[i] = lstm_step(x[i, t], h[i], c[i], w_x, w_h, b)
            elif kind == "gru":
                h[i] = gru_step(x[i, t], h[i], w_x, w_h, b)
            else:
                h[i] = rnn_step(x[i, t], h[i], w_x, w_h, b, activation)
            y[i, t] = h[i]
    return (y, h, c) if kind == "lstm" else (y, h)
