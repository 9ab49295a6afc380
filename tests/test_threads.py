"""Tests of the thread pool in other programs: many Python threads, and fork."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import catalase as ct
from catalase import _core


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


def test_concurrent_training_of_several_models():
    """Each thread trains a net of its own; every one gets the bits it would get alone."""
    X = (np.random.default_rng(0).random((64, 512)) < 0.05).astype(np.float32)
    y = np.random.default_rng(1).standard_normal((64, 2)).astype(np.float32)

    def trained() -> np.ndarray:
        model = ct.models.MultitaskRegressor(2, 512, layer_sizes=[64], dropouts=0.0, batch_size=16, seed=3)
        model.fit(ct.data.NumpyDataset(X, y), nb_epoch=3)
        return model.predict(X)

    expected, results = trained(), []
    workers = [threading.Thread(target=lambda: results.append(trained())) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 8 and all(np.array_equal(r, expected) for r in results)


def test_the_gil_is_released_while_a_kernel_runs():
    """A counter in another Python thread goes on while one long product is computed."""
    a = np.ones((1500, 1500), np.float32)
    counted, stop, during = [0], threading.Event(), 0

    def count():
        while not stop.is_set():
            counted[0] += 1

    before = ct.get_num_threads()
    ct.set_num_threads(1)
    worker = threading.Thread(target=count)
    worker.start()
    try:
        for _ in range(50):
            start = counted[0]
            ct.ops.matmul(a, a)
            during = max(during, counted[0] - start)
            if during > 1000:
                break
    finally:
        stop.set()
        worker.join()
        ct.set_num_threads(before)
    assert during > 1000, "the other thread stood still"


_FORKS = """
import os
import numpy as np
import catalase as ct

rng = np.random.default_rng(0)
a, b = rng.standard_normal((120, 300)).astype(np.float32), rng.standard_normal((300, 200)).astype(np.float32)
assert ct.get_num_threads() == 2
expected = ct.ops.matmul(a, b)
for _ in range(1000):
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(ct.ops.matmul(a, b), expected) else 1)
    assert np.array_equal(ct.ops.matmul(a, b), expected)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_thousand_forks_after_threaded_work():
    """In a process of its own: a fork copies the page tables, which are large where all other tests have run."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORKS], env={**os.environ, "CATALASE_NUM_THREADS": "2"}, timeout=300
    )
    assert run.returncode == 0


def _square_sum(seed):
    x = np.random.default_rng(seed).standard_normal((80, 400)).astype(np.float32)
    return ct.ops.matmul(x, x, transpose_b=True)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_multiprocessing_workers(product, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    expected = [_square_sum(seed) for seed in range(6)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert all(np.array_equal(a, b) for a, b in zip(pool.map(_square_sum, range(6)), expected, strict=True))


def test_threads_from_the_environment():
    script = "import catalase as ct; print(ct.get_num_threads())"
    for text, expected in (("3", "3"), ("1", "1")):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "CATALASE_NUM_THREADS": text},
            capture_output=True,
            text=True,
        )
        assert run.stdout.strip() == expected, run.stderr
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "CATALASE_NUM_THREADS": "many"},
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0 and "CATALASE_NUM_THREADS must be a whole number from 1 to 4096" in run.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks on this system")
def test_threads_obey_the_affinity_mask():
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import catalase as ct; print(ct.get_num_threads())"
    environment = {k: v for k, v in os.environ.items() if k != "CATALASE_NUM_THREADS"}
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True).stdout.strip()
        == "1"
    )


# The files that containers leave; a group obeys those around it.
@pytest.mark.parametrize(
    "files, group, expected",
    [
        ({"cpu.max": "150000 100000"}, "", 2),
        ({"cpu.max": "max 100000"}, "", 0),
        ({"a/cpu.max": "400000 100000", "a/b/cpu.max": "100000 100000"}, "/a/b", 1),
        ({"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, "/a/b", 2),
        ({"a/cpu.max": "20000 100000"}, "/a", 1),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, "", 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "", 0),
        ({"cpu.max": "nonsense"}, "/missing/group", 0),
    ],
)
def test_container_limits(tmp_path, files, group, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert _core.quota_cores(str(tmp_path), group) == expected


def test_threadpoolctl_sees_and_limits_the_pool(tmp_path):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    stranger = tmp_path / "_core.another-package.so"  # SciPy has such a one; it must not be taken for ours
    shutil.copy(np.random._common.__file__, stranger)
    ctypes.CDLL(str(stranger))
    before = ct.get_num_threads()
    ct.set_num_threads(2)
    try:
        ours = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "catalase"]
        assert len(ours) == 1 and ours[0]["num_threads"] == 2 and ours[0]["version"] == ct.__version__
        with threadpoolctl.threadpool_limits(1):
            assert ct.get_num_threads() == 1
        assert ct.get_num_threads() == 2
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            assert ct.get_num_threads() == 2
    finally:
        ct.set_num_threads(before)
