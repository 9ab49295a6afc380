"""Several savers and loaders at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from catalase._internal import storage
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
