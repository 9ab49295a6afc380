"""The process that times one library, or several in turn, at a fixed number of threads, on the CPU or on a device.

It reads JSON commands from standard input, one on each line, and answers each with a line of JSON: ``prepare`` builds a
case in each library and saves its results, ``time`` calls the libraries in turn for some seconds, ``peak`` measures the
machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .case import Prepared
from .device import CPU, DEVICES, Device
from .families import cases_of, family_of, libraries_of


def limit_threads(library: str, threads: int) -> None:
    """Limit the pools that obey no environment variable; `runner` sets the variables before the process starts."""
    if library == "torch":
        import torch

        torch.set_num_threads(threads)


def serve(libraries: list[str], threads: int, device: Device) -> None:
    """Answer commands until standard input ends."""
    ready: dict[str, Prepared] = {}
    for library in libraries:
        limit_threads(library, threads)
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            if command["do"] == "prepare":
                ready = {}  # before the next case is prepared, so that a device has room
                ready, answer = _prepare(libraries, command, device)
            elif command["do"] == "time" and device is CPU:
                answer = {"samples": _time_in_turn(ready, command["seconds"], command["skip"])}
            elif command["do"] == "time":
                answer = {"samples": _time_on_device(ready, command["seconds"], command["skip"], device.synchronize)}
            elif command["do"] == "peak":
                answer = _peak()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _prepare(
    libraries: list[str], command: dict[str, Any], device: Device = CPU
) -> tuple[dict[str, Prepared], dict[str, Any]]:
    family = family_of(command["family"])
    case = next(c for c in cases_of(family, command["quick"], device.name) if c.name == command["case"])
    functions = libraries_of(family, device.name)
    if device is not CPU:
        device.set_precision(case.options.get("precision", "float32"))
    ready, files, problems = {}, {}, {}
    for library in libraries:
        if library not in functions:
            continue
        try:
            prepared = functions[library](case) if device is CPU else functions[library](case, device)
            if prepared is None:  # this library does not have the case
                continue
            results = [np.asarray(x) for x in prepared.result()]
        except Exception as error:
            if device is CPU:
                raise
            problems[library] = f"{type(error).__name__}: {error}"  # it does not stop the others
            continue
        ready[library] = prepared
        files[library] = f"{command['folder']}/{library}.npz"
        np.savez(files[library], *results)
    return ready, {"files": files, "problems": problems}


_TURN = 0.02  # seconds: short compared with changes of the clock rate, long compared with a training step


def _time_in_turn(ready: dict[str, Prepared], seconds: float, skip: float) -> dict[str, list[float]]:
    """Return the seconds of each call, by library; calls within the first ``skip`` seconds are not counted.

    A turn is several calls in a row, as a program makes them. Its first call finds the caches full of the other library's
    data, and is not counted unless one call alone is longer than a turn.
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


def _time_on_device(
    ready: dict[str, Prepared], seconds: float, skip: float, synchronize: Callable[[], None]
) -> dict[str, list[float]]:
    """Return the seconds of a call, by library, from turns of calls that are started in a row and waited for together.

    Launches thus overlap with running kernels, as in a program. A turn is as many calls as take about `_TURN`, and gives
    one sample.
    """
    counts, samples = dict.fromkeys(ready, 1), {library: list[float]() for library in ready}
    start = time.perf_counter()
    while True:
        now = time.perf_counter() - start
        if now > skip + seconds and all(len(found) >= 3 for found in samples.values()):
            return samples
        for library, prepared in ready.items():
            prepared.call()  # this call finds the caches as the other library left them
            synchronize()
            before = time.perf_counter()
            for _ in range(counts[library]):
                prepared.call()
            synchronize()
            each = (time.perf_counter() - before) / counts[library]
            if now >= skip:
                samples[library].append(each)
            counts[library] = max(1, min(1000, round(_TURN / each)))


def _peak() -> dict[str, float]:
    from .. import _core

    return {"GFLOP/s": _core.fma_peak(200), "GB/s": _core.copy_peak(5)}


if __name__ == "__main__":
    with DEVICES[sys.argv[2]].stream():
        serve(sys.argv[3:], int(sys.argv[1]), DEVICES[sys.argv[2]])
