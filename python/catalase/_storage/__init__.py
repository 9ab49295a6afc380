"""Files that survive a kill: atomic writes, JSON that carries its own digest, and saved folders.

``files`` writes one file atomically and reads checked JSON; ``save`` and ``load`` keep a config and its arrays so that
one rename commits all of them. Nothing here pickles, and nothing that is read is trusted before its digest agrees.
"""

from __future__ import annotations

from .files import MAX_JSON_BYTES, check_json, read_json, sha256_file, write_file_atomic, write_json_atomic
from .load import FORMAT_VERSION, MAX_ARRAYS_BYTES, load_all, load_folder
from .save import save_folder

__all__ = [
    "FORMAT_VERSION",
    "MAX_ARRAYS_BYTES",
    "MAX_JSON_BYTES",
    "check_json",
    "load_all",
    "load_folder",
    "read_json",
    "save_folder",
    "sha256_file",
    "write_file_atomic",
    "write_json_atomic",
]
