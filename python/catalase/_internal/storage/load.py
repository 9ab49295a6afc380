"""Reading a saved folder: ``config.json`` and its checks, and array files, which must match their digests."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any, cast

import numpy as np

from .files import MAX_JSON_BYTES, identity, parse_json, raise_os_error, read_bytes, verify_digest

FORMAT_VERSION = 1
MAX_ARRAYS_BYTES = 64 * 2**30
FORMAT = "catalase-folder"
CONFIG = "config.json"
PREFIX = re.compile(r"[a-z][a-z0-9_]{0,31}")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64",
          "uint8", "uint16", "uint32", "uint64", "bool")  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}")

Arrays = dict[str, np.ndarray]


def file_name(prefix: str, sha256: str) -> str:
    """Return the name of an array file, made of its prefix and its digest."""
    return f"{prefix}-{sha256}.safetensors"


def load_folder(path: str | os.PathLike[str], prefix: str = "weights") -> tuple[dict[str, Any], Arrays]:
    """Load the config and the arrays of one prefix from a folder written by `save_folder`.

    Returns
    -------
    config : dict
    arrays : dict of str to ndarray
        Writable, contiguous copies with the names, dtypes and shapes that were saved.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist or has no ``config.json``.
    ValueError
        If a file is truncated, altered, missing or of an unknown format version, or `prefix` was not saved. Each file is
        read once, and the bytes that are hashed are the bytes that are parsed.
    """
    config, groups = _load(Path(path), prefix)
    return config, groups[prefix]


def load_all(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Load the config and every array file of one saved state, by prefix. The errors are those of `load_folder`."""
    return _load(Path(path), None)


def _load(folder: Path, wanted: str | None) -> tuple[dict[str, Any], dict[str, Arrays]]:
    seen: Any = None
    while True:
        looked_at = _identity(folder)  # taken before the read: if it is the same next time, nothing changed meanwhile
        content = _read_config(folder)
        files = check_files(content, folder / CONFIG)
        if wanted is not None and wanted not in files:
            raise ValueError(f"load: {folder} has no {wanted!r} arrays, only {', '.join(sorted(files)) or 'none'}")
        prefixes = files if wanted is None else [wanted]
        try:
            return content["config"], {name: _read_arrays(folder, name, files[name]) for name in prefixes}
        except FileNotFoundError as error:
            # A saver may have replaced the state between our two reads: read again, unless nothing has changed.
            if looked_at is not None and looked_at == seen:
                raise ValueError(f"load: {error.filename} is missing, so {folder} is incomplete (an interrupted "
                                 "copy?); copy the whole folder again") from error  # fmt: skip
            seen = looked_at


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return the identity of the current config; None where it has just been removed."""
    try:
        return identity(folder / CONFIG)
    except FileNotFoundError:
        return None


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        content = parse_json(read_bytes(path, MAX_JSON_BYTES), path)
    except OSError as error:
        raise_os_error(error, "load: could not read", path, "give the folder of a saved model, copied whole")
    version = content.get("format_version")
    if content.get("format") != FORMAT:
        raise ValueError(f"load: {path} was not written by Catalase (no format {FORMAT!r})")
    if type(version) is not int or version != FORMAT_VERSION:
        raise ValueError(f"load: {path} has format version {version!r}, this Catalase reads {FORMAT_VERSION}; "
                         "upgrade Catalase or save the model again")  # fmt: skip
    return verify_digest(content, path)


def check_files(content: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    """Return the checked ``files`` part. Names are computed from digests, so none can point outside the folder."""
    files = content.get("files")
    valid = type(files) is dict and type(content.get("config")) is dict
    if valid:
        valid = all(_valid_entry(prefix, entry) for prefix, entry in cast(dict[str, Any], files).items())
    if not valid:
        raise ValueError(f"load: {path} does not describe its files as it should; copy or save the folder again")
    return cast(dict[str, dict[str, Any]], files)


def _valid_entry(prefix: str, entry: Any) -> bool:
    if not PREFIX.fullmatch(prefix) or type(entry) is not dict or set(entry) != {"sha256", "bytes", "arrays"}:
        return False
    sha256, size, arrays = entry["sha256"], entry["bytes"], entry["arrays"]
    if type(sha256) is not str or not _SHA256.fullmatch(sha256) or type(arrays) is not dict:
        return False
    return type(size) is int and 0 <= size <= MAX_ARRAYS_BYTES and all(
        type(item) is dict
        and set(item) == {"dtype", "shape"}
        and item["dtype"] in DTYPES
        and type(item["shape"]) is list
        and all(type(length) is int and length >= 0 for length in item["shape"])
        for item in arrays.values()
    )  # fmt: skip


def _read_arrays(folder: Path, prefix: str, entry: dict[str, Any]) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / file_name(prefix, entry["sha256"])
    data = read_bytes(path, entry["bytes"])
    if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"load: {path} is not the file that was saved ({len(data)} bytes, {entry['bytes']} saved); "
                         "it was cut short or altered, copy the whole folder again")  # fmt: skip
    try:
        arrays: Arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"load: {path} is not a safetensors file ({error}); save the model again") from error
    found = {name: {"dtype": array.dtype.name, "shape": list(array.shape)} for name, array in arrays.items()}
    if found != entry["arrays"]:
        raise ValueError(f"load: the arrays in {path} are not those that config.json lists; save the model again")
    return {name: arrays[name] for name in entry["arrays"]}  # in the order saved
