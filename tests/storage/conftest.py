"""A fixture with a folder that holds the old state."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalase._internal import storage

from .helpers import OLD, OLD_CONFIG


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    storage.save_folder(tmp_path / "m", OLD_CONFIG, OLD)
    return tmp_path / "m"
