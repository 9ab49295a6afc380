"""Tests of several savers and loaders at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase._internal import storage
from catalase._internal.storage import load as load_module
from catalase._internal.storage import lock as lock_module
from catalase._internal.storage import save as save_module

from .helpers import NEW, NEW_CONFIG, OLD, OLD_CONFIG, state


@pytest.mark.parametrize("locks", [True, False])
def test_savers_and_loaders_at_once(saved: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    if not locks:
        monkeypatch.setattr(lock_module, "_acquire", lambda function, descriptor, place, wait: False)
    errors: list[BaseException] = []
    done = threading.Event()

    def saver(offset: int) -> None:
        try:
            for index in range(15):
                value = np.full(50, 100 * offset + index, np.float32)  # all different: see the next test for equal ones
                storage.save_folder(saved, {"value": float(value[0])}, {"v": value})
        except BaseException as error:
            errors.append(error)

    def loader() -> None:
        try:
            while not done.is_set():
                config, arrays = storage.load_folder(saved)
                if "value" in config:
                    assert (arrays["v"] == config["value"]).all()
        except BaseException as error:
            errors.append(error)

    savers = [threading.Thread(target=saver, args=(i,)) for i in range(3)]
    reader = threading.Thread(target=loader)
    for thread in [*savers, reader]:
        thread.start()
    for thread in savers:
        thread.join()
    done.set()
    reader.join()
    assert not errors
    config, arrays = storage.load_folder(saved)
    assert (arrays["v"] == config["value"]).all()
    if locks:
        assert len(os.listdir(saved)) == 2


def test_savers_of_the_same_content_at_once(saved: Path) -> None:
    """A saver may not remove the file that another has just committed again."""
    errors: list[BaseException] = []

    def saver(config: dict, arrays: dict) -> None:
        try:
            for _ in range(15):
                storage.save_folder(saved, config, arrays)
                state(saved)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=saver, args=pair) for pair in [(OLD_CONFIG, OLD), (NEW_CONFIG, NEW)] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(os.listdir(saved)) == 2


def test_a_lock_held_too_long_is_an_error(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_module, "LOCK_SECONDS", 0.02)
    with storage.writing("test", saved) as locked:
        assert locked
        with pytest.raises(RuntimeError, match="save: another writer is at work"):
            storage.save_folder(saved, NEW_CONFIG, NEW)
    assert state(saved) == "old"


def test_a_loader_that_is_overtaken_twice_by_the_same_content_looks_again(saved, monkeypatch):
    """The config reads as before, and its files are missing as before: it is another config all the same."""
    real, rounds = load_module._read_config, iter(range(2))

    def overtaken(folder):
        storage.save_folder(saved, OLD_CONFIG, OLD)
        content = real(folder)
        if next(rounds, None) is not None:
            storage.save_folder(saved, NEW_CONFIG, NEW)  # whose saver sweeps what the content names
        return content

    monkeypatch.setattr(load_module, "_read_config", overtaken)
    assert storage.load_folder(saved)[0] == OLD_CONFIG


def test_an_index_that_is_saved_again_and_again_is_found(tmp_path, monkeypatch):
    first, second = (ct.FingerprintIndex(np.full((4, 8), value, np.uint8)) for value in (1, 3))
    first.save(tmp_path)
    real, rounds = storage.read_json, iter(range(2))

    def overtaken(path, **options):
        if loading and next(rounds, None) is not None:
            loading.clear()
            first.save(tmp_path)
            content = real(path, **options)
            second.save(tmp_path)
            loading.append(True)
            return content
        return real(path, **options)

    loading = [True]
    monkeypatch.setattr(storage, "read_json", overtaken)
    assert len(ct.FingerprintIndex.load(tmp_path)) == 4
