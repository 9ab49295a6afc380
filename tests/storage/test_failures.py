"""Tests that an error, an interrupt or a kill at every step of a save leaves the old state or the new."""

from __future__ import annotations

import builtins
import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from catalase._internal import storage
from catalase._internal.storage import files as files_module

from .helpers import NEW, NEW_CONFIG, OLD, OLD_CONFIG, state

STEPS = [
    (builtins, "open"),
    (files_module.os, "fsync"),
    (files_module.os, "replace"),
    (files_module.os, "unlink"),
    (files_module.os, "open"),
    (files_module._HashingWriter, "write"),
]


class Counter:
    """Wraps every step that touches the disk; at step number `stop` it does `action`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop: int, action: object) -> None:
        self.seen = 0
        for owner, name in STEPS:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name), stop, action))

    def wrap(self, function: object, stop: int, action: object) -> object:
        def step(*args: object, **kwargs: object) -> object:
            self.seen += 1
            if self.seen == stop:
                action()  # type: ignore[operator]
            return function(*args, **kwargs)  # type: ignore[operator]

        return step


def full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    raise KeyboardInterrupt


def steps_of_a_save(folder: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        counter = Counter(patch, -1, full_disk)
        storage.save_folder(folder, NEW_CONFIG, NEW)
    return counter.seen


def attempt(folder: Path, stop: int, action: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Counter(patch, stop, action)
        storage.save_folder(folder, NEW_CONFIG, NEW)


@pytest.mark.parametrize("action", [full_disk, interrupt])
def test_an_error_at_every_step_leaves_old_or_new(tmp_path: Path, action: object) -> None:
    storage.save_folder(tmp_path / "count", OLD_CONFIG, OLD)
    total = steps_of_a_save(tmp_path / "count")
    assert total >= 10
    states = set()
    for stop in range(1, total + 1):
        folder = tmp_path / str(stop)
        storage.save_folder(folder, OLD_CONFIG, OLD)
        try:
            attempt(folder, stop, action)
        except OSError as error:
            assert "No space left on device" in str(error), stop
            assert "\n" not in str(error)
        except KeyboardInterrupt:
            pass
        states.add(state(folder))
        assert not list(folder.glob(".*")), f"temporary file left at step {stop}"
        storage.save_folder(folder, NEW_CONFIG, NEW)
        assert state(folder) == "new"
        assert len(os.listdir(folder)) == 2
    assert states == {"old", "new"}


def test_a_kill_at_every_step_leaves_old_or_new(tmp_path: Path) -> None:
    storage.save_folder(tmp_path / "count", OLD_CONFIG, OLD)
    total = steps_of_a_save(tmp_path / "count")
    states = set()
    for stop in range(1, total + 1):
        folder = tmp_path / str(stop)
        storage.save_folder(folder, OLD_CONFIG, OLD)
        child = os.fork()
        if child == 0:
            try:
                attempt(folder, stop, lambda: os._exit(9))
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        states.add(state(folder))
        storage.save_folder(folder, NEW_CONFIG, NEW)
        assert len(os.listdir(folder)) == 2
    assert states == {"old", "new"}


@pytest.mark.parametrize(("name", "code"), [("replace", errno.EPERM), ("fsync", errno.EIO), ("open", errno.EROFS)])
def test_a_folder_that_refuses(saved: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """A refused rename, a failing disk, a read-only file system: one sentence, and the old state stays."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    before = sorted(os.listdir(saved))
    with monkeypatch.context() as patch:
        if name == "open":
            real = open
            patch.setattr("builtins.open", lambda path, mode: refuse() if mode == "xb" else real(path, mode))
        else:
            patch.setattr(files_module.os, name, refuse)
        with pytest.raises(
            OSError, match=r"save: could not write .*; free some space or choose another folder"
        ) as caught:
            storage.save_folder(saved, NEW_CONFIG, NEW)
        assert caught.value.errno == code
    assert sorted(os.listdir(saved)) == before
    assert state(saved) == "old"


def test_a_file_that_cannot_grow(saved: Path) -> None:
    """A real refusal by the kernel (a file size limit, as a quota gives), in a child of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
            storage.save_folder(saved, NEW_CONFIG, {"big": np.zeros(100_000)})
        except OSError as error:
            code = 0 if error.errno == errno.EFBIG and "save: could not write" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert state(saved) == "old"
    assert len(os.listdir(saved)) == 2


def test_a_new_folder_is_removed_when_saving_fails(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module.os, "replace", lambda *args: full_disk())
        with pytest.raises(OSError, match="No space left"):
            storage.save_folder(tmp_path / "a" / "b", NEW_CONFIG, NEW)
    assert os.listdir(tmp_path) == []


def test_fsync_that_a_file_system_does_not_offer_for_folders_is_skipped(saved: Path) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files_module.os, "fsync", fsync)
        storage.save_folder(saved, NEW_CONFIG, NEW)
    assert state(saved) == "new"
