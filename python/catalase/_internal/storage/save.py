"""A saved folder: ``config.json`` and the array files it names, committed together by one rename.

``<prefix>-<sha256>.safetensors`` files are written first, ``config.json`` (naming every file with its digest, size and
the dtype and shape of each array, and carrying a digest of itself) is renamed into place last, and files that it no
longer names are removed after. So at every instant the folder holds either the old state or the new one, complete.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .files import (
    MAX_JSON_BYTES,
    check_json,
    fsync_folder,
    parse_json,
    raise_os_error,
    read_bytes,
    remove_quietly,
    write_file_atomic,
    write_json_atomic,
)
from .load import CONFIG, DTYPES, FORMAT, FORMAT_VERSION, PREFIX, Arrays, check_files, file_name
from .lock import writing

_OURS = re.compile(
    r"[a-z][a-z0-9_]{0,31}-[0-9a-f]{64}\.safetensors"
    r"|\.(config\.json|[a-z][a-z0-9_]{0,31}-[0-9a-f]{64}\.safetensors)\.[0-9a-f]{12}\.tmp"
)
LOCK_SECONDS = 60.0  # a saver waits so long for another, because saving takes no longer

Encoded = dict[str, tuple[bytes, dict[str, Any]]]  # prefix -> bytes of the file, its entry in the config


def save_folder(
    path: str | os.PathLike[str],
    config: dict[str, Any],
    arrays: Mapping[str, np.ndarray],
    *,
    prefix: str = "weights",
    extra: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> None:
    """Save a config and its arrays into a folder, all or nothing.

    Parameters
    ----------
    path : str or path
        The folder; it is made, with its parents, if it does not exist. A state that was saved in it before is replaced.
    config : dict
        JSON values only (see `check_json`).
    arrays : mapping of str to ndarray
        Float, integer or bool arrays, of any shape and strides; saved contiguous at their logical shape.
    prefix : str
        First part of the file's name, lower case letters, digits and ``_``.
    extra : mapping of str to mapping, optional
        Further array files by prefix (such as a training state), committed by the same rename.

    Raises
    ------
    TypeError, ValueError
        If the config or an array cannot be saved, or `path` holds a ``config.json`` of another program.
    OSError
        If the disk is full, the rename is refused or the folder is read-only. The state before stays loadable.

    Notes
    -----
    Two savers of one folder wait for each other (``flock`` on the folder). Where the file system has no locks, each
    removes only the files that the state before it named, so that neither removes files that the other has just written.

    Examples
    --------
    >>> import tempfile
    >>> from catalase._internal.storage import load_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_folder(folder, {"layers": [8, 2]}, {"w": np.eye(2, dtype=np.float32).T})
    ...     config, arrays = load_folder(folder)
    >>> config, arrays["w"].shape
    ({'layers': [8, 2]}, (2, 2))
    """
    folder = Path(path)
    if type(config) is not dict:
        raise TypeError(f"save: config must be a dict, got {type(config).__name__}")
    check_json(config)
    groups = {prefix: arrays, **(extra or {})}
    if extra and prefix in extra:
        raise ValueError(f"save: the prefix {prefix!r} is given twice")
    encoded = {name: _encode(name, group) for name, group in groups.items()}
    made = _make_folder(folder)
    try:
        with writing("save", folder, LOCK_SECONDS) as locked:
            _commit(folder, config, encoded, locked)
    except BaseException:
        for new in reversed(made):
            try:
                new.rmdir()  # only if still empty
            except OSError:
                break
        raise


def _encode(prefix: str, arrays: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of one array file and its entry in the config."""
    from safetensors.numpy import save

    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"save: the prefix {prefix!r} must be lower case letters, digits and '_', at most 32")
    plain: Arrays = {}
    for name, array in arrays.items():
        if type(name) is not str or name == "__metadata__":
            raise ValueError(f"save: {name!r} cannot name an array; use another str")
        if not isinstance(array, np.ndarray) or array.dtype.newbyteorder("=").name not in DTYPES:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"save: array {name!r} is {kind}; needed a NumPy array of {', '.join(DTYPES)}")
        # safetensors writes the wrong bytes for strided or byte-swapped arrays, without an error.
        plain[name] = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
    data = save(plain)
    listing = {name: {"dtype": array.dtype.name, "shape": list(array.shape)} for name, array in plain.items()}
    return data, {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "arrays": listing}


def _make_folder(folder: Path) -> list[Path]:
    """Make the folder and its parents; return those that were made, outermost first."""
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for new in made:
            fsync_folder(new.parent)
    except OSError as error:
        raise_os_error(error, "save: could not make the folder", folder, "choose another path")
    return made


def _commit(folder: Path, config: dict[str, Any], encoded: Encoded, locked: bool) -> None:
    before = _named_by(folder)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": config,
        "files": {prefix: entry for prefix, (_, entry) in encoded.items()},
    }
    names = {prefix: file_name(prefix, entry["sha256"]) for prefix, (_, entry) in encoded.items()}
    written: list[str] = []
    try:
        for prefix, (data, _) in encoded.items():
            written.append(names[prefix])
            write_file_atomic(folder / names[prefix], lambda stream, data=data: stream.write(data))  # type: ignore[misc]
        write_json_atomic(folder / CONFIG, content)
    except BaseException:
        # The error may have come after the rename (from the flush), so the folder shows which state it holds.
        if locked:
            for name in set(written) - _named_by(folder, strict=False):
                remove_quietly(folder / name)
        raise
    current = set(names.values())
    old = {name for name in os.listdir(folder) if _OURS.fullmatch(name)} if locked else before
    for name in old - current:
        remove_quietly(folder / name)


def _named_by(folder: Path, strict: bool = True) -> set[str]:
    """Return the array files that the folder's config names; refuse (if strict) a config.json of another program."""
    path = folder / CONFIG
    try:
        content = parse_json(read_bytes(path, MAX_JSON_BYTES), path)
    except (FileNotFoundError, ValueError):
        return set()  # no state yet, or one that cannot be loaded: the new state replaces it
    except OSError as error:
        raise_os_error(error, "save: could not read", path, "nothing was changed; choose another folder")
    if strict and content.get("format") != FORMAT:
        raise ValueError(f"save: {path} was not written by Catalase and would be lost; choose another folder")
    try:
        files = check_files(content, path)
    except ValueError:
        return set()
    return {file_name(prefix, entry["sha256"]) for prefix, entry in files.items()}
