"""Compiles device code as host C++ over the shim, with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHIM = Path(__file__).parent / "shim"
KERNELS = Path(__file__).parents[2] / "cuda"
FLAGS = (
    "-std=c++17", "-O1", "-g1", "-ffp-contract=off", "-fno-math-errno", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-Werror",
    "-Wno-unknown-pragmas", "-fsanitize=address,undefined", "-fno-sanitize=null,object-size", "-fno-sanitize-recover=all", "-fsanitize-sections=cuda_shared",
)  # fmt: skip
_KERNEL = re.compile(
    r"^extern \"C\" __global__ void(?:\s+__launch_bounds__\([^)]*\))?\s+(\w+)\(|^CATALASE_\w+\((\w+),", re.M
)


def compiler() -> str | None:
    """A g++, or None: clang cannot put red zones around a section of its own."""
    return shutil.which(os.environ.get("CXX", "g++")) if "clang" not in os.environ.get("CXX", "") else None


def why_not(folder: Path) -> str:
    """Why device code cannot be compiled here; empty where it can."""
    if compiler() is None:
        return "device code on the host needs g++"
    probe = folder / f"probe-{os.getpid()}.cpp"
    probe.write_text("int main() {}\n")
    done = subprocess.run(
        [str(compiler()), *FLAGS, str(probe), "-o", str(probe.with_suffix(""))], capture_output=True, text=True
    )
    return f"g++ has no sanitizers here: {done.stderr.strip()[:200]}" if done.returncode else ""


def kernel_names(source: Path) -> list[str]:
    """The kernels that a file defines, by hand or through one of its macros."""
    return [a or b for a, b in _KERNEL.findall(source.read_text())]


def build(sources: Sequence[Path], folder: Path) -> Path:
    """Return a program that serves the kernels of these files; what has not changed is not compiled again.

    One process builds, others that want the same wait for it.
    """
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(sources, folder)


def _build(sources: Sequence[Path], folder: Path) -> Path:
    cxx = compiler()
    assert cxx is not None
    shared = [*sorted(SHIM.glob("*.h")), *sorted(KERNELS.glob("*.cuh")), Path(__file__)]
    files = [*sources, SHIM / "scheduler.cpp", SHIM / "server.cpp"]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(lambda source: _object(cxx, source, shared, folder), files))
    table = folder / f"table-{_digest([*shared, *sources])}.cpp"
    table.write_text(_table([name for source in sources for name in kernel_names(source)]))
    objects.append(_object(cxx, table, shared, folder))
    program = folder / f"serve-{hashlib.sha256(''.join(map(str, objects)).encode()).hexdigest()[:16]}"
    if not program.exists():
        _run([cxx, *FLAGS, *map(str, objects), "-o", f"{program}.{os.getpid()}"])
        os.replace(f"{program}.{os.getpid()}", program)
    return program


def _table(names: Sequence[str]) -> str:
    declared = "".join(f"Kernel entry_{name}();\n" for name in names)
    entries = ", ".join(f"entry_{name}()" for name in names)
    body = f"static const std::vector<Kernel> all = {{{entries}}};\n  return all;"
    return f'#include "kernels.h"\nnamespace shim {{\n{declared}const std::vector<Kernel>& kernels() {{\n  {body}\n}}\n}}\n'


def _object(cxx: str, source: Path, shared: Sequence[Path], folder: Path) -> Path:
    target = folder / f"{source.stem}-{_digest([source, *shared])}.o"
    if not target.exists():
        text, extra = source, []
        if source.suffix == ".cu":  # the kernels, and after them how each is called
            text = folder / f"{source.stem}-{os.getpid()}.cpp"
            entries = "\n".join(
                f'Kernel entry_{n}() {{ return Entry<&{n}>::kernel("{n}"); }}' for n in kernel_names(source)
            )
            text.write_text(f'#include "{source}"\n#include "kernels.h"\nnamespace shim {{\n{entries}\n}}\n')
            extra = ["-include", str(SHIM / "cuda_on_host.h"), "-I", str(source.parent)]
        part = f"{target}.{os.getpid()}"
        _run([cxx, *FLAGS, *extra, "-I", str(SHIM), "-c", str(text), "-o", part])
        os.replace(part, target)
    return target


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[:8000]}"
