"""Device code for the driver: packaged by CMake, or compiled by NVRTC (which needs no device) and cached on disk."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from ..._internal.console import SafeStream

# -fmad=false: a product and a sum become one FMA only where the source says fmaf; -ftz=true: denormals count as zero.
# The CPU does both, and the kernels reproduce its bits.
OPTIONS = ("--std=c++17", "-fmad=false", "-ftz=true", "-prec-div=true", "-prec-sqrt=true")


def sources() -> Path:
    """Return the folder of device code: next to this file if installed, at the repository's root in a source tree."""
    installed = Path(__file__).parent / "kernels"
    return installed if installed.is_dir() else Path(__file__).parents[4] / "cuda"


def compile_source(name: str, arch: str, *, options: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Compile ``cuda/<name>.cu`` for an architecture such as "sm_90"; return the cubin and the compiler's remarks.

    Raises
    ------
    RuntimeError
        If it does not compile; the message holds the compiler's.
    """
    from cupy.cuda import nvrtc

    folder = sources()
    program = nvrtc.createProgram((folder / f"{name}.cu").read_text(), f"{name}.cu", (), ())
    try:
        try:
            nvrtc.compileProgram(program, (f"-arch={arch}", *OPTIONS, f"-I{folder}", *options))
        except nvrtc.NVRTCError as error:
            raise RuntimeError(
                f"{name}.cu does not compile for {arch}: {error}\n{nvrtc.getProgramLog(program)}"
            ) from None
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program).rstrip("\0\n ")
    finally:
        nvrtc.destroyProgram(program)


def binary(name: str, arch: str, driver: int) -> Path:
    """Return a file for the driver to load: the packaged fatbin, if it fits, else a cubin compiled here.

    Parameters
    ----------
    name : str
        The source file's name, as in ``cuda/<name>.cu``.
    arch : str
        The device's architecture, such as "sm_90".
    driver : int
        The newest CUDA version that the driver knows, such as 12040 for 12.4.
    """
    return packaged(name, arch, driver) or cubin(name, arch)


def packaged(name: str, arch: str, driver: int) -> Path | None:
    """Return ``<name>.fatbin`` in the sources' folder, if it was made of these sources and loads on such a device.

    Code of the device's generation needs a driver of the compiler's major version or later, PTX of its full version or later.
    """
    file = sources() / f"{name}.fatbin"
    try:
        lines = Path(f"{file}.txt").read_text().splitlines()
        facts = dict(line.split(" ", 1) for line in lines)
        if facts["sources"] != digest_of_sources(name) or facts["binary"] != _digest(file):
            return None
        major, minor = map(int, facts["toolkit"].split("."))
        device, made_for = int(arch[3:]), [int(a[3:]) for a in facts["architectures"].split()]
    except (OSError, KeyError, ValueError):
        return None
    if any(a // 10 == device // 10 and a <= device for a in made_for):
        return file if driver >= 1000 * major else None
    return file if device > max(made_for) and driver >= 1000 * major + 10 * minor else None


def digest_of_sources(name: str) -> str:
    """Return a checksum of a source file, the headers it may include and the options; CMake computes the same."""
    files = [sources() / f"{name}.cu", *sorted(sources().glob("*.cuh"))]
    listing = "".join(f"{_digest(file)}  {file.name}\n" for file in files) + " ".join(OPTIONS) + "\n"
    return hashlib.sha256(listing.encode()).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def cubin(name: str, arch: str) -> Path:
    """Return a cubin file for ``cuda/<name>.cu``, compiled at its first use and cached with a checksum."""
    from cupy.cuda import nvrtc

    key = repr((nvrtc.getVersion(), arch, digest_of_sources(name)))
    kept = _folder() / f"{name}-{arch}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.cubin"
    checksum = kept.with_suffix(".sha256")
    try:
        if checksum.read_text() == _digest(kept):
            return kept
    except OSError:
        pass
    print(f"catalase: compiling {name}.cu for {arch}, once", file=SafeStream(sys.stderr))
    binary, _ = compile_source(name, arch)
    _write(kept, binary)
    _write(checksum, hashlib.sha256(binary).hexdigest().encode())
    return kept


def _folder() -> Path:
    from platformdirs import user_cache_path

    folder = Path(os.environ.get("CATALASE_CUDA_CACHE") or user_cache_path("catalase") / "cuda")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(temporary, path)
