"""Files that survive a kill: atomic writes, JSON that carries its own digest, and saved folders.

``files`` writes one file atomically and reads checked JSON; ``save`` and ``load`` store a config and its arrays so that
one rename commits all of them; ``lock`` keeps writers apart; ``outputs`` refuses output files that are also inputs.
No file is pickled, and no content is used before its digest has been verified.
"""

from __future__ import annotations

from .files import (
    MAX_JSON_BYTES,
    check_json,
    csv_writer,
    identity,
    load_json,
    parse_json,
    read_bytes,
    read_json,
    read_up_to,
    remove_leftovers,
    sha256_file,
    verify_digest,
    write_file_atomic,
    write_json_atomic,
)
from .load import FORMAT_VERSION, MAX_ARRAYS_BYTES, load_all, load_folder
from .lock import Hold, hold_for_reading, is_held, writing, writing_output
from .save import LOCK_SECONDS, save_folder

__all__ = [
    "FORMAT_VERSION",
    "Hold",
    "LOCK_SECONDS",
    "MAX_ARRAYS_BYTES",
    "MAX_JSON_BYTES",
    "check_json",
    "csv_writer",
    "hold_for_reading",
    "identity",
    "is_held",
    "load_all",
    "load_folder",
    "load_json",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_up_to",
    "remove_leftovers",
    "save_folder",
    "sha256_file",
    "verify_digest",
    "write_file_atomic",
    "write_json_atomic",
    "writing",
    "writing_output",
]
