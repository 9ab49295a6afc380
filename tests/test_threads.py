"""The thread pool inside other people's programs: many Python threads, and fork."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

import catalase as ct


@pytest.fixture
def product(rng):
    a, b = rng.standard_normal((120, 300)).astype(np.float32), rng.standard_normal((300, 200)).astype(np.float32)
    before = ct.get_num_threads()
    ct.set_num_threads(2)
    yield a, b, ct.ops.matmul(a, b)
    ct.set_num_threads(before)


def test_concurrent_calls_are_right(product):
    a, b, expected = product
    wrong = []

    def work():
        for _ in range(30):
            if not np.array_equal(ct.ops.matmul(a, b), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_after_threaded_work(product):
    a, b, expected = product
    for _ in range(20):
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(ct.ops.matmul(a, b), expected) else 1)
        assert np.array_equal(ct.ops.matmul(a, b), expected)
        assert os.waitpid(child, 0)[1] == 0
