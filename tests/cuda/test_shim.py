"""Tests that the shim finds planted faults and names their place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.cuda import build
from tests.cuda.host import HostRuntime


@pytest.fixture
def faulty(host_program) -> Iterator[HostRuntime]:
    runtime = HostRuntime(host_program([build.SHIM / "faults.cu"]))
    yield runtime
    runtime.close()


def launch(runtime, kernel, *args, grid=(1, 1, 1), threads=64, shared_bytes=0):
    runtime.launch(f"faults.{kernel}", grid, (threads, 1, 1), shared_bytes, args)


def test_a_kernel_runs_all_its_threads(faulty):
    y = faulty.empty(1000, np.float32)
    launch(faulty, "fine", y, 1000, grid=(16, 1, 1))
    assert np.array_equal(y.get(), np.arange(1000))


def test_a_read_past_the_end_is_reported_at_its_line(faulty):
    x, y = faulty.array(np.zeros(64, np.float32)), faulty.empty(64, np.float32)
    with pytest.raises(RuntimeError, match=r"heap-buffer-overflow[\s\S]*faults\.cu:\d+"):
        launch(faulty, "reads_past_the_end", x, y, 64)


def test_a_write_past_shared_memory_is_reported(faulty):
    with pytest.raises(RuntimeError, match="global-buffer-overflow"):
        launch(faulty, "writes_past_shared", faulty.empty(8, np.float32), 1, threads=8)  # thread 7 writes tile[8]


def test_dynamic_shared_memory_is_as_large_as_the_launch_says(faulty):
    y = faulty.empty(64, np.float32)
    launch(faulty, "reads_dynamic_shared", y, 0, shared_bytes=256)
    assert np.all(np.isnan(y.get()))
    with pytest.raises(RuntimeError, match=r"heap-buffer-overflow[\s\S]*faults\.cu:\d+"):
        launch(faulty, "reads_dynamic_shared", y, 1, shared_bytes=256)


@pytest.mark.parametrize("size, words", [(0, "the launch has no shared_bytes"), (2**18, "than any device has")])
def test_launches_without_shared_bytes_or_with_too_many_are_refused(faulty, size, words):
    with pytest.raises(RuntimeError, match=words):
        launch(faulty, "reads_dynamic_shared", faulty.empty(64, np.float32), 0, shared_bytes=size)


def test_a_missing_barrier_changes_the_answer(faulty):
    answers = []
    for faulty.schedule in (0, 1, 7):
        y = faulty.empty(64, np.float32)
        launch(faulty, "lacks_a_barrier", y)
        answers.append(y.get())
    assert not all(np.array_equal(answers[0], a, equal_nan=True) for a in answers[1:])


def test_diverging_barriers_are_refused(faulty):
    with pytest.raises(RuntimeError, match=r"different barriers, faults\.cu:\d+ and faults\.cu:\d+"):
        launch(faulty, "diverges", faulty.empty(64, np.float32))


def test_shared_memory_is_poisoned_between_blocks(faulty):
    faulty.schedule, y = 0, faulty.empty(128, np.float32)
    launch(faulty, "reads_unset_shared", y, grid=(2, 1, 1))
    assert np.all(y.get()[:64] == 5) and np.all(np.isnan(y.get()[64:]))


def test_threads_that_have_ended_are_not_waited_for(faulty):
    y = faulty.empty(32, np.float32)
    launch(faulty, "some_exit", y)
    assert np.array_equal(y.get(), np.arange(32) + 33)


def test_a_shuffle_with_an_ended_lane_is_refused(faulty):
    with pytest.raises(RuntimeError, match="names lane 5, which is not there any more"):
        launch(faulty, "shuffles_with_the_gone", faulty.empty(64, np.float32))


@pytest.mark.parametrize("schedule", [0, 1, 12345])
def test_shuffles_and_ballots(faulty, schedule):
    faulty.schedule, x, y = schedule, np.arange(64, dtype=np.float32), faulty.empty(64, np.float32)
    launch(faulty, "warp_sum", faulty.array(x), y)
    expected = np.full(64, 0xAA, np.float32)
    expected[0], expected[32] = x[:32].sum(), x[32:].sum()
    assert np.array_equal(y.get(), expected)


def test_a_warp_that_runs_ahead_shows_what_lacks_a_second_barrier(faulty):
    answers = []
    for faulty.schedule in (0, 1, 2, 7, 9):
        y = faulty.empty(64, np.float32)
        launch(faulty, "overwrites_what_others_read", y)
        answers.append(y.get())
    assert np.all(answers[0] == 6) and not all(np.array_equal(answers[0], a) for a in answers[1:])


def test_a_misaligned_vector_load_is_reported(faulty):
    with pytest.raises(RuntimeError, match="misaligned address"):
        launch(
            faulty, "misaligned_vector", faulty.array(np.zeros(64, np.float32)), faulty.empty(8, np.float32), threads=8
        )


@pytest.mark.parametrize(
    "args, message",
    [((1.0,), "takes 2 values, got 1"), ((None, 1.0), "value 1 must be of kind i and 8 bytes, got f and 4"),
     ((None, np.int32(1)), "value 1 must be of kind i and 8 bytes, got i and 4")],
)  # fmt: skip
def test_wrong_values_are_refused(faulty, args, message):
    with pytest.raises(TypeError, match=message):
        launch(faulty, "fine", *args)
