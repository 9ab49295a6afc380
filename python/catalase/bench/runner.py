"""`run_bench` starts the processes, checks the results, times the libraries in turn, and gathers the rows."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .._internal.numbers import choice, flag, number, shown, whole_number
from .case import Case, compare
from .device import DEVICES
from .families import DEVICE_FAMILIES, FAMILIES, cases_of, family_of, libraries_of
from .machine import describe_machine

PEERS = {
    "numpy": "numpy",
    "torch": "torch",
    "torchvision": "torchvision",
    "sklearn": "sklearn",
    "rdkit": "rdkit",
    "deepchem": "deepchem",
    "chemprop": "chemprop",
    "skfp": "skfp",
    "fpsim2": "FPSim2",
}
# Peers on a device. Where no library has such a function on a GPU, Catalase's own CPU kernels are the peer.
DEVICE_PEERS = {"torch": "torch", "torch-compiled": "torch", "catalase-cpu": "catalase"}
# These variables limit the peers to AVX2 where CATALASE_CPU limits Catalase to it.
_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
_BLOCK, _SKIP = 0.25, 0.1  # seconds of a turn at two threads and more, and of its beginning, which is not counted


@dataclass
class Row:
    """One case at one number of threads: seconds of each library, p50 and p90, and the problems."""

    family: str
    case: str
    threads: int
    unit: str
    work: float
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    device: str = "cpu"

    def rate(self, library: str, which: str = "p50") -> float:
        """Return the work per second, in the row's unit."""
        scale = 1e9 if self.unit.startswith("G") else 1e6 if self.unit.startswith("M") else 1.0
        return self.work / scale / self.seconds[library][which]

    def ratio(self, library: str) -> float:
        """Return how many times faster Catalase is, by the medians."""
        return self.seconds[library]["p50"] / self.seconds["catalase"]["p50"]

    def best_peer(self) -> str | None:
        """Return the fastest of the other libraries."""
        peers = [name for name in self.seconds if name != "catalase"]
        return min(peers, key=lambda name: self.seconds[name]["p50"]) if peers else None


def run_bench(
    families: Sequence[str] = (),
    *,
    threads: Sequence[int] = (1,),
    peers: Sequence[str] | None = None,
    seconds: float = 1.0,
    quick: bool = False,
    device: str = "cpu",
    on_row: Any = None,
) -> dict[str, Any]:
    """Time Catalase and its peers.

    Parameters
    ----------
    families : sequence of str
        Names in `FAMILIES`; an empty list stands for all families.
    threads : sequence of int
        Numbers of threads; each has its own rows.
    peers : sequence of str, optional
        Libraries to compare with; by default all that are installed.
    seconds : float
        The time that is spent on each library and case.
    quick : bool
        Take small cases only, to see that everything runs.
    device : {"cpu", "cuda"}
        The device that does the work. "cuda" has its own families and peers, all in one process, in float32 unless a row
        says TF32; times are those of calls that are started one after the other and waited for together.
    on_row : callable, optional
        It is called with each `Row` as soon as that is measured.

    Returns
    -------
    dict
        JSON values: ``machine``, ``absent`` (peers that are not installed), ``skipped`` (rows that the device could not
        compute for lack of memory or tensor cores, each with the reason), and ``rows``.

    Raises
    ------
    TypeError, ValueError
        For a family or peer that is not known, or a number of threads below 1.
    RuntimeError
        If there is no CUDA device where one is asked for; the message is one sentence with the reason.
    """
    choice("bench", "device", device, tuple(DEVICES))
    known, all_families = (DEVICE_PEERS, DEVICE_FAMILIES) if device == "cuda" else (PEERS, tuple(FAMILIES))
    for name in _several("families", families):
        family_of(name)
        if name not in all_families:
            raise ValueError(f"bench: {name} does not run on {device}; choose from {', '.join(all_families)}")
    unknown = [name for name in _several("peers", () if peers is None else peers) if name not in known]
    if unknown:
        raise ValueError(f"bench: there is no peer {unknown[0]!r} on {device}; choose from {', '.join(known)}")
    if not isinstance(threads, (list, tuple, range)) or not threads:
        raise TypeError(f"bench: threads must be a list of whole numbers, got {shown(threads)}")
    threads = [whole_number("bench", "threads", count) for count in threads]
    seconds, quick = number("bench", "seconds", seconds, above=0), flag("bench", "quick", quick)
    if on_row is not None and not callable(on_row):
        raise TypeError(f"bench: on_row must be a function of a row, got {shown(on_row)}")
    if device == "cuda":
        from ..backends.cuda import require_cuda

        require_cuda("bench")
    wanted = list(known) if peers is None else list(peers)
    installed = [name for name in wanted if importlib.util.find_spec(known[name]) is not None]
    rows: list[Row] = []
    skipped: list[dict[str, str]] = []
    for name in families or all_families:
        family = family_of(name)
        for count in threads if device == "cpu" else threads[:1]:
            if hasattr(family, "COMMANDS"):
                made = _run_processes(name, family, count, installed, seconds, quick)
            else:
                made = _run_calls(name, family, count, installed, seconds, quick, device, skipped)
            for row in made:
                rows.append(row)
                if on_row is not None:
                    on_row(row)
    return {
        "machine": describe_machine(["catalase", *installed], device),
        "absent": [name for name in wanted if name not in installed],
        "skipped": skipped,
        "rows": [asdict(row) for row in rows],
    }


def _several(name: str, value: Any) -> Sequence[str]:
    """Return names in a list; refuse a single text, which would be taken letter by letter."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
        raise TypeError(f"bench: {name} must be a list of names, got {shown(value)}")
    return value


# Families whose calls are timed.
class _Process:
    """A worker process; see `worker.py`."""

    def __init__(self, libraries: list[str], threads: int, device: str) -> None:
        self.libraries = libraries
        command = [sys.executable, "-m", "catalase.bench.worker", str(threads), device, *libraries]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads)
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench: the process of {', '.join(self.libraries)} ended with {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def _processes(groups: list[list[str]], threads: int, device: str) -> Iterator[list[_Process]]:
    with ExitStack() as stack:
        workers = []
        for libraries in groups:
            workers.append(_Process(libraries, threads, device))
            stack.callback(workers[-1].close)
        yield workers


def environment(threads: int) -> dict[str, str]:
    """Return variables that limit every library to a number of threads, and to AVX2 where CATALASE_CPU says so."""
    count = str(threads)
    names = ("CATALASE_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    level = _AVX2 if os.environ.get("CATALASE_CPU") == "avx2" else {}
    return {**os.environ, **level, **dict.fromkeys(names, count), "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


def _run_calls(
    name: str,
    family: ModuleType,
    threads: int,
    installed: list[str],
    seconds: float,
    quick: bool,
    device: str,
    skipped: list[dict[str, str]],
) -> Iterator[Row]:
    libraries = ["catalase", *(p for p in installed if p in libraries_of(family, device))]
    together = threads == 1 or device != "cpu"
    groups = [libraries] if together else [[library] for library in libraries]
    with _processes(groups, threads, device) as workers, tempfile.TemporaryDirectory() as folder:
        peak: dict[str, float] = {}
        for case in cases_of(family, quick, device):
            row = Row(name, case.name, threads, case.unit, case.work, device=device)
            _check(row, workers, case, folder, quick)
            if "catalase" in row.problems:
                if device == "cpu":
                    raise RuntimeError(f"bench: {name} {case.name}: {row.problems['catalase']}")
                skipped.append({"family": name, "case": case.name, "why": row.problems["catalase"]})
                continue
            samples: dict[str, list[float]] = {library: [] for library in libraries}
            timed = [w for w in workers if not set(w.libraries) <= set(row.problems)]
            rounds = 1 if together else max(2, round(seconds / _BLOCK))
            for _ in range(rounds):
                for worker in timed:
                    span = seconds * len(libraries) if together else min(_BLOCK, seconds)
                    answer = worker.ask(do="time", seconds=span, skip=0 if quick else _SKIP)
                    for library, values in answer.get("samples", {}).items():
                        samples[library] += values
            if device == "cpu" and not (quick and peak):
                peak = workers[0].ask(do="peak")
            row.peak = peak
            for library, values in samples.items():
                if values and library not in row.problems:
                    row.seconds[library] = _summary(values)
            if "catalase" in row.seconds:
                yield row


def _check(row: Row, workers: list[_Process], case: Case, folder: str, quick: bool) -> None:
    """Prepare a case in all libraries, and note those whose results differ from Catalase's."""
    results: dict[str, list[Any]] = {}
    for worker in workers:
        answer = worker.ask(do="prepare", family=row.family, case=case.name, folder=folder, quick=quick)
        if "error" in answer:
            row.problems.update(dict.fromkeys(worker.libraries, answer["error"]))
        row.problems.update(answer.get("problems", {}))
        for library, path in answer.get("files", {}).items():
            with np.load(path) as arrays:
                results[library] = [arrays[key] for key in arrays.files]
    if "catalase" not in results:
        row.problems.setdefault("catalase", "Catalase has no answer")
        return
    for library, theirs in results.items():
        difference = compare(case, results["catalase"], theirs)
        if difference is not None:
            row.problems[library] = f"computes something else: {difference}"


def _summary(values: list[float]) -> dict[str, float]:
    p50, p90 = np.percentile(values, [50, 90])
    return {"p50": float(p50), "p90": float(p90), "best": float(min(values)), "samples": len(values)}


# Families that time whole processes.
def _run_processes(
    name: str, family: ModuleType, threads: int, installed: list[str], seconds: float, quick: bool
) -> Iterator[Row]:
    libraries = ["catalase", *(p for p in installed if p in family.COMMANDS)]
    rows: dict[str, Row] = {}
    samples: dict[tuple[str, str], list[float]] = {}
    answers: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(family.ROUNDS if not quick else 1):
            for library in libraries:
                start = time.perf_counter()
                done = subprocess.run(
                    family.COMMANDS[library](folder, quick),
                    capture_output=True, text=True, env=environment(threads), cwd=folder,
                )  # fmt: skip
                whole = time.perf_counter() - start
                if done.returncode != 0:
                    tail = (done.stderr.strip().splitlines() or ["no message"])[-1]
                    answers[library] = {"problem": f"ended with {done.returncode}: {tail}"}
                    continue
                lines = done.stdout.strip().splitlines()
                answers[library] = json.loads(lines[-1]) if lines else {}
                for stage, value in {**answers[library].get("seconds", {}), "whole process": whole}.items():
                    samples.setdefault((stage, library), []).append(value)
    for (stage, library), values in samples.items():
        row = rows.setdefault(stage, Row(name, stage, threads, "runs/s", 1.0))
        row.seconds[library] = _summary(values)
    for library, answer in answers.items():
        problem = answer.get("problem") or family.differs(answers.get("catalase", {}), answer)
        if problem:
            for row in rows.values():
                row.problems[library] = problem
    if "catalase" in answers and "problem" in answers["catalase"]:
        raise RuntimeError(f"bench: {name}: Catalase's process {answers['catalase']['problem']}")
    yield from (row for row in rows.values() if "catalase" in row.seconds)
