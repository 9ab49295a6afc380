"""Device code to cubins by NVRTC, which needs no device; and the folder that keeps them."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

# -fmad=false: a product and a sum become one FMA only where the source says fmaf; -ftz=true: denormals count as zero.
# Both as on the CPU, whose bits the kernels reproduce.
OPTIONS = ("--std=c++17", "-fmad=false", "-ftz=true", "-prec-div=true", "-prec-sqrt=true")


def sources() -> Path:
    """The folder of device code: beside this file where installed, at the repository's root in a source tree."""
    installed = Path(__file__).parent / "kernels"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "cuda"


def compile_source(name: str, arch: str, *, options: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Compile ``cuda/<name>.cu`` for an architecture such as "sm_90"; return the cubin and the compiler's remarks.

    Raises
    ------
    RuntimeError
        With the compiler's words, where it refuses.
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


def cubin(name: str, arch: str) -> Path:
    """Return a cubin file for ``cuda/<name>.cu``, compiled at its first use and kept with a checksum."""
    from cupy.cuda import nvrtc

    digest = hashlib.sha256(repr((nvrtc.getVersion(), arch, OPTIONS)).encode())
    for file in [sources() / f"{name}.cu", *sorted(sources().glob("*.cuh"))]:
        digest.update(file.read_bytes())
    kept = _folder() / f"{name}-{arch}-{digest.hexdigest()[:24]}.cubin"
    checksum = kept.with_suffix(".sha256")
    try:
        if checksum.read_text() == hashlib.sha256(kept.read_bytes()).hexdigest():
            return kept
    except OSError:
        pass
    print(f"catalase: compiling {name}.cu for {arch}, once", file=sys.stderr)
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
