"""Tests of recurrent cells on a device: the use of shared memory and registers, and sums that are cut as on the CPU."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from catalase import ops
from catalase.backends.cuda import rnn, rnn_weights
from tests.agreement import same_as_cpu
from tests.ops.test_rnn import KINDS, assert_like_cpu, backward, family, make, on_device, options_of

pytestmark = pytest.mark.on_a_device


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floats", [100, 2000, 9000, 2**15])
def test_what_shared_memory_does_not_hold(backend, rng, monkeypatch, kind, floats):
    """Nothing; the states of one row; some of the weights and one row; more of the weights and four rows."""
    monkeypatch.setattr(rnn, "_shared_floats", lambda runtime: floats)
    hidden = {"gru": 174, "lstm": 130}.get(kind, 514)
    if backend.device == "host":
        backend.runtime.kernels.clear()
    assert_like_cpu(backend, kind, make(rng, kind, 5, 2, 2, hidden), rng)
    if backend.device == "host":
        wanted = {100: "far", 2**15: "0_4"}.get(floats, "0_1")
        assert wanted == "0_1" or {f"rnn_forward_{wanted}", f"rnn_backward_{wanted}"} <= backend.runtime.kernels


@pytest.mark.parametrize("kind, hidden", [("tanh", 200), ("gru", 100), ("lstm", 100)])
@pytest.mark.parametrize("floats", [4000, 2**14])
def test_weights_in_registers_in_shared_memory_and_beyond(backend, rng, monkeypatch, kind, hidden, floats):
    monkeypatch.setattr(rnn, "_shared_floats", lambda runtime: floats)
    assert_like_cpu(backend, kind, make(rng, kind, 5, 2, 2, hidden), rng)


@pytest.mark.parametrize("kind, n, steps, hidden", [("relu", 9, 480, 1), ("lstm", 30, 47, 48), ("gru", 29, 48, 48)])
@pytest.mark.parametrize("ragged", [False, True])
def test_sums_over_many_steps_are_cut_as_on_the_cpu(backend, rng, monkeypatch, kind, n, steps, hidden, ragged):
    """More rows than a chain takes; several chunks; more chunks than there is room for parts."""
    arrays = make(rng, kind, n, steps, 2, hidden)
    arrays["w_h"] *= 0.5
    lengths = rng.integers(steps - 10, steps + 1, n) if ragged else None
    dy = rng.standard_normal((n, steps, hidden)).astype(np.float32)
    rest = [None] * (2 if kind == "lstm" else 1)
    _, claimed = backward(kind, arrays, [dy, *rest], lengths=lengths)
    device, on = on_device(backend, arrays), backend.array(dy)
    options = options_of(kind, lengths=lengths)
    *_, saved = getattr(ops, f"{family(kind)}_forward")(*device.values(), **options)
    # Parts; parts with room for one; all chunks in a block's registers.
    for room, processors in ((2**28, 1),) if ragged else ((2**28, None), (1, None)):
        monkeypatch.setattr(rnn_weights, "SCRATCH_BYTES", room)
        if processors and backend.device == "host":
            monkeypatch.setattr(backend.runtime, "multiprocessors", processors, raising=False)
        given_ = [device[name] for name in ("x", "w_x", "w_h")]
        found = getattr(ops, f"{family(kind)}_backward")(on, *rest, *given_, saved, **options)
        for name, a, b in zip(arrays, found, claimed, strict=True):
            assert same_as_cpu(backend.get(a), b), (name, room)


@pytest.mark.parametrize("schedule", [0, 1, 5, 7])
def test_short_chunks_are_summed_latest_first(backend, rng, monkeypatch, schedule):
    """One tile of rows a chunk, so that a block goes from one to the next at once."""
    a, dz = rng.standard_normal((75, 5)).astype(np.float32), rng.standard_normal((75, 70)).astype(np.float32)
    plan = SimpleNamespace(chunks=5, bounds=None, even=16, rows=75)
    cpu = ops.matmul(a[64:].T, dz[64:])
    for first in (48, 32, 16, 0):
        cpu = ops.matmul(a[first : first + 16].T, dz[first : first + 16], add=cpu)
    for processors in (1, 100):  # in a block's registers; in parts
        if backend.device == "host":
            backend.runtime.schedule = schedule
            monkeypatch.setattr(backend.runtime, "multiprocessors", processors, raising=False)
        dw = rnn_weights.weight_gradient_of_steps(backend.runtime, backend.array(a), backend.array(dz), plan, 3)
        assert same_as_cpu(backend.get(dw), np.roll(cpu, 3, axis=1))
    if backend.device == "host":
        backend.runtime.schedule = None
