"""Batches on a device: what a captured step reads of them, and another batch of the same kind over other arrays."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.data.batch import Batch
from catalase.train.fit import usual_forward

pytestmark = pytest.mark.on_a_device

F32 = np.float32
KINDS = {
    "dense": lambda rng: rng.standard_normal((80, 64)).astype(F32),
    "bits": lambda rng: rng.integers(0, 256, (80, 8), dtype=np.uint8),
    "sparse": lambda rng: ct.ops.as_sparse((rng.random((80, 64)) < 0.05) * rng.standard_normal((80, 64)).astype(F32)),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_batch_on_a_device_and_one_over_its_arrays_give_what_the_host_gives(backend, rng, kind):
    host, other = (Batch(KINDS[kind](rng)) for _ in range(2))
    net = ct.nn.Linear(64, 3, rng=0)
    expected = usual_forward(net, host.X).numpy()
    net.to(backend.name)
    batch = host.to(backend.name)
    again = other.to(backend.name).with_arrays(batch.arrays)
    assert batch.static == again.static is not None
    assert [a is b for a, b in zip(batch.arrays, again.arrays, strict=True)] == [True]
    for moved in (batch, again):
        assert len(moved) == 80 and np.array_equal(backend.get(usual_forward(net, moved.X).data), expected)
