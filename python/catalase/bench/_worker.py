"""The process that times: one, or several libraries in turn, at a fixed number of threads.

Reads a JSON command a line from standard input and answers with a line of JSON: ``prepare`` builds a case in each
library and saves what it computes, ``time`` calls them in turn for some seconds, ``peak`` measures the machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ._case import Prepared
from ._families import family_of


def limit_threads(library: str, threads: int) -> None:
    """Set what an environment variable cannot: most pools obey theirs, which `_run` sets before the process starts."""
    if library == "torch":
        import torch

        torch.set_num_threads(threads)


def serve(libraries: list[str], threads: int) -> None:
    """Answer commands until standard input ends."""
    ready: dict[str, Prepared] = {}
    for library in libraries:
        limit_threads(library, threads)
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            if command["do"] == "prepare":
                ready, answer = _prepare(libraries, command)
            elif command["do"] == "time":
                answer = {"samples": _time_in_turn(ready, command["seconds"], command["skip"])}
            elif command["do"] == "peak":
                answer = _peak()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _prepare(libraries: list[str], command: dict[str, Any]) -> tuple[dict[str, Prepared], dict[str, Any]]:
    family = family_of(command["family"])
    case = next(c for c in family.cases(command["quick"]) if c.name == command["case"])
    ready, files = {}, {}
    for library in libraries:
        if library not in family.LIBRARIES:
            continue
        prepared = family.LIBRARIES[library](case)
        if prepared is None:  # not a case for this library
            continue
        ready[library] = prepared
        files[library] = f"{command['folder']}/{library}.npz"
        np.savez(files[library], *[np.asarray(x) for x in ready[library].result()])
    return ready, {"files": files}


_TURN = 0.02  # seconds: short beside a change of the clock, long beside a training step


def _time_in_turn(ready: dict[str, Prepared], seconds: float, skip: float) -> dict[str, list[float]]:
    """Seconds a call, by library; calls within the first ``skip`` seconds are not counted.

    A turn is some calls in a row, as a program makes them. Its first call, which finds the caches full of the other
    library's data, is not counted, unless one call alone is longer than a turn.
    """
    calls: list[tuple[list[float], Callable[[], Any]]] = [([], prepared.call) for prepared in ready.values()]
    start = time.perf_counter()
    while True:
        now = time.perf_counter() - start
        if now > skip + seconds and all(len(samples) >= 3 for samples, _ in calls):
            break
        for samples, call in calls:
            if len(calls) > 1 and (not samples or samples[-1] < _TURN):
                call()
            turn = time.perf_counter()
            while True:
                before = time.perf_counter()
                call()
                after = time.perf_counter()
                if now >= skip:
                    samples.append(after - before)
                if after - turn > _TURN:
                    break
    return dict(zip(ready, (samples for samples, _ in calls), strict=True))


def _peak() -> dict[str, float]:
    from .. import _core

    return {"GFLOP/s": _core.fma_peak(200), "GB/s": _core.copy_peak(5)}


if __name__ == "__main__":
    serve(sys.argv[2:], int(sys.argv[1]))
