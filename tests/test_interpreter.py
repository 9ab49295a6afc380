"""Tests that a subinterpreter is refused, and that a process ends while daemon threads compute."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_IMPORT = """
{before}
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
number = interpreters.create()
try:
    outcome = interpreters.run_string(number, "import catalase")
except Exception as error:  # until Python 3.12
    outcome = error
print(outcome)
"""


@pytest.mark.parametrize("before", ["", "import numpy", "import catalase"])
def test_a_subinterpreter_is_refused(before):
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(before=before)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert "ImportError" in run.stdout and "catalase cannot be imported in a subinterpreter" in run.stdout


# A daemon thread is inside a kernel nearly all the time; the pool's workers too.
_DAEMONS = """
import atexit, os, sys, threading, time
import numpy as np
import catalase as ct

ct.set_num_threads({threads})
a = np.ones((300, 300), "f4")
data = ct.data.NumpyDataset(np.ones((500, 64), "f4"), np.ones((500, 1)))
works = {{
    "matmul": lambda: ct.ops.matmul(a, a),
    "ecfp": lambda: ct.ops.ecfp(["CCO"] * 20000),
    "fit": lambda: ct.models.MultitaskRegressor(1, 64, layer_sizes=[64], seed=0).fit(data, nb_epoch=10**6),
}}
running = threading.Event()

def work():
    running.set()
    while True:
        works["{work}"]()

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
running.wait()
time.sleep(0.2)
{end}
"""

_ENDS = {
    "returns": ("", 0),
    "sys.exit(3)": ("sys.exit(3)", 3),
    "os._exit(4)": ("os._exit(4)", 4),
    "a handler at exit": ("atexit.register(lambda: print(ct.ops.matmul(a, a)[0, 0]))", 0),
    "an exception": ("raise SystemExit(5)", 5),
    "a fork": ("child = os.fork()\nif child == 0: sys.exit(int(ct.ops.matmul(a, a)[0, 0]) - 293)\n"
               "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))", 7),
}  # fmt: skip


@pytest.mark.parametrize("end", _ENDS)
@pytest.mark.parametrize("work, threads", [("matmul", 1), ("matmul", 3), ("ecfp", 2), ("fit", 2)])
def test_a_process_ends_with_its_own_code_while_daemon_threads_compute(work, threads, end):
    code, expected = _ENDS[end]
    script = _DAEMONS.format(work=work, threads=threads, end=code)
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == expected, run.stderr[-2000:]
    if end == "a handler at exit":
        assert run.stdout.strip() == "300.0"


_SIGNALS = """
import signal
import numpy as np
import catalase as ct

a = np.random.default_rng(0).random((200, 200), dtype="f4")
expected, small = ct.ops.matmul(a, a), np.ones((50, 50), "f4")
calls = wrong = 0

def handler(*_):
    global calls
    calls += 1
    ct.ops.matmul(small, small)

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
while calls < 30:
    wrong += not np.array_equal(ct.ops.matmul(a, a), expected)
signal.setitimer(signal.ITIMER_REAL, 0)
print("wrong", wrong)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_signal_handlers_may_call_kernels(threads):
    run = subprocess.run([sys.executable, "-c", _SIGNALS], capture_output=True, text=True, timeout=60,
                         env={**os.environ, "CATALASE_NUM_THREADS": threads})  # fmt: skip
    assert run.returncode == 0 and run.stdout.strip() == "wrong 0", run.stderr
