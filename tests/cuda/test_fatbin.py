"""Tests of the arguments that CMake gives nvcc, and of the loader's choice of fatbins. A stub replaces nvcc."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalase.backends.cuda import compile as _compile
from tests.cuda import build

SCRIPT = build.KERNELS.parent / "cmake" / "fatbin.cmake"
ARCHITECTURES = ["75", "80", "90", "100"]
STUB = """#!/bin/sh
case "$1" in
  --version) echo "Cuda compilation tools, release {release}, V{release}.88"; exit;;
  --list-gpu-code) for n in {known}; do echo "sm_$n"; done; exit;;
esac
echo "$*" >> "{log}"
case "$*" in *{fails}.cu*) echo "error: words of nvcc" >&2; exit 1;; esac
while [ $# -gt 1 ]; do if [ "$1" = -o ]; then echo "made by the stub" > "$2"; fi; shift; done
"""


def cmake() -> str:
    path = shutil.which("cmake") or shutil.which("cmake", path=str(Path(sys.executable).parent))
    if path is None or not SCRIPT.is_file():
        pytest.skip("needs cmake and a checkout")
    return path


def build_with(folder: Path, nvcc: str, *options: str) -> tuple[Path, str]:
    """Configure, build and install a project that only includes the script; return the installed folder and the words."""
    project, made, there = folder / "project", folder / "made", folder / "there"
    project.mkdir(exist_ok=True)
    (project / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(x NONE)\ninclude({SCRIPT})\n"
    )
    words = ""
    for command in (
        ["-G", "Unix Makefiles", "-S", project, "-B", made, f"-DCMAKE_INSTALL_PREFIX={there}", f"-DCATALASE_NVCC={nvcc}", *options],
        ["--build", made],
        ["--install", made],
    ):  # fmt: skip
        done = subprocess.run([cmake(), *map(str, command)], capture_output=True, text=True)
        words += done.stdout + done.stderr
        assert done.returncode == 0, words
    return there / "catalase" / "backends" / "cuda" / "kernels", words


def stub(folder: Path, release: str = "12.8", known: str = " ".join(ARCHITECTURES), fails: str = "none") -> Path:
    path = folder / "nvcc"
    path.write_text(STUB.format(release=release, known=known, log=folder / "log", fails=fails))
    path.chmod(0o755)
    return path


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@needs_make
def test_nvcc_gets_the_options_of_nvrtc_and_every_architecture(tmp_path):
    there, _ = build_with(tmp_path, str(stub(tmp_path)))
    calls = (tmp_path / "log").read_text().splitlines()
    files = sorted(p.stem for p in build.KERNELS.glob("*.cu"))
    assert sorted(p.name for p in there.iterdir()) == sorted(f"{f}.fatbin{end}" for f in files for end in ("", ".txt"))
    assert len(calls) == len(files)
    for call in calls:
        words = call.split()
        assert words[0] == "-fatbin" and set(_compile.OPTIONS) <= set(words)
        for n in ARCHITECTURES:
            assert f"arch=compute_{n},code=sm_{n}" in words
        assert "arch=compute_100,code=compute_100" in words and f"-I{build.KERNELS}" in words


@needs_make
def test_the_listing_is_what_the_loader_computes(tmp_path, monkeypatch):
    there, _ = build_with(tmp_path, str(stub(tmp_path, known="80 90")))
    for file in [*build.KERNELS.glob("*.cu"), *build.KERNELS.glob("*.cuh")]:
        shutil.copy(file, there)
    monkeypatch.setattr(_compile, "sources", lambda: there)
    assert "architectures sm_80 sm_90\n" in (there / "matmul.fatbin.txt").read_text()
    assert _compile.binary("matmul", "sm_90", 12040) == there / "matmul.fatbin"


@needs_make
def test_a_file_that_nvcc_refuses_is_left_to_nvrtc(tmp_path, monkeypatch):
    there, words = build_with(tmp_path, str(stub(tmp_path, fails="conv")))
    assert "words of nvcc" in words and "left to NVRTC" in words.replace("\n  ", " ")
    assert not (there / "conv.fatbin").exists() and (there / "matmul.fatbin").exists()
    for file in [*build.KERNELS.glob("*.cu"), *build.KERNELS.glob("*.cuh")]:
        shutil.copy(file, there)
    monkeypatch.setattr(_compile, "sources", lambda: there)
    assert _compile.packaged("conv", "sm_90", 13000) is None


@needs_make
@pytest.mark.parametrize("option", ["-DCATALASE_CUDA_FATBIN=OFF", "-DCATALASE_NVCC="], ids=["off", "absent"])
def test_without_nvcc_or_switched_off_nothing_is_made(tmp_path, option):
    there, _ = build_with(tmp_path, str(stub(tmp_path)), option)
    assert not there.exists() and not (tmp_path / "log").exists()


@needs_make
def test_an_nvcc_that_knows_no_architecture_is_not_used(tmp_path):
    there, words = build_with(tmp_path, str(stub(tmp_path, known="30 35")))
    assert not there.exists() and "knows none of the architectures" in words


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder of sources with a fatbin of CUDA 12.8 for sm_80 and sm_90; NVRTC must not be asked."""
    (tmp_path / "some.cu").write_text("code")
    (tmp_path / "types.cuh").write_text("header")
    monkeypatch.setattr(_compile, "sources", lambda: tmp_path)
    monkeypatch.setattr(_compile, "cubin", lambda name, arch: Path(f"nvrtc-{name}-{arch}"))
    (tmp_path / "some.fatbin").write_bytes(b"binary")
    (tmp_path / "some.fatbin.txt").write_text(
        f"sources {_compile.digest_of_sources('some')}\nbinary {hashlib.sha256(b'binary').hexdigest()}\n"
        "toolkit 12.8\narchitectures sm_80 sm_90\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "arch, driver, taken",
    [
        ("sm_80", 12080, True), ("sm_90", 12080, True), ("sm_90", 12020, True), ("sm_90", 13000, True),
        ("sm_86", 12080, True), ("sm_89", 12080, True),  # the code of sm_80 runs there
        ("sm_90", 11080, False),  # too old a driver
        ("sm_75", 12080, False),
        ("sm_120", 12080, True), ("sm_120", 12040, False),  # PTX, which a driver takes from its own version down
    ],
)  # fmt: skip
def test_a_fatbin_is_taken_where_it_loads(package, arch, driver, taken):
    expected = package / "some.fatbin" if taken else Path(f"nvrtc-some-{arch}")
    assert _compile.binary("some", arch, driver) == expected


@pytest.mark.parametrize(
    "file, text",
    [("some.cu", "other code"), ("types.cuh", "other header"), ("more.cuh", "one more"), ("some.fatbin", "cut"),
     ("some.fatbin.txt", "failed\n"), ("some.fatbin.txt", "toolkit x\n")],
)  # fmt: skip
def test_a_fatbin_of_other_sources_or_altered_is_left(package, file, text):
    (package / file).write_text(text)
    assert _compile.binary("some", "sm_90", 13000) == Path("nvrtc-some-sm_90")


def test_an_absent_fatbin_is_no_error(package):
    os.remove(package / "some.fatbin.txt")
    assert _compile.binary("some", "sm_90", 13000) == Path("nvrtc-some-sm_90")
