"""Checks before a command starts: none of its outputs may be one of its inputs, or replace a file that it did not write.

Files are compared by device and inode, links followed, and by their resolved names where they do not exist yet. The
error is one sentence, and it is raised before any file is opened or made.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .files import open_descriptor
from .load import CONFIG, FORMAT

ERRORS_BEGIN = b"row,text,reason\n"  # the first line, by which an error file is recognized
_WEIGHTS = ".safetensors"


class Output(NamedTuple):
    """A file or folder to be written.

    Attributes
    ----------
    name : str
        The user's word for it, such as ``--errors-file``, for messages.
    path : path or None
        None where it was not requested; ``-`` is standard output.
    begins : bytes
        First bytes of a file that an earlier run of the same command wrote; such a file is replaced without ``force``.
    folder : bool
        Whether it is the folder of a model.
    """

    name: str
    path: str | os.PathLike[str] | None
    begins: bytes = b""
    folder: bool = False


def check_outputs(
    function: str, inputs: Mapping[str, Any], outputs: Sequence[Output], *, force: bool = False, advice: str = "--force"
) -> None:
    """Refuse outputs that are inputs, that are the same file, that cannot be made, or that would replace a file.

    Parameters
    ----------
    function : str
        Name of the command or function, for messages.
    inputs : mapping of str to path or other value
        Inputs by their description ("the library"). The folder of a saved model stands for all its files. Values that
        are not paths (a model in memory, a list of SMILES) are ignored.
    outputs : sequence of Output
    force : bool
        Whether files may be replaced. Inputs never are.
    advice : str
        The user's word for ``force``.

    Raises
    ------
    ValueError
        For a clash, or a file that would be replaced without ``force``.
    FileNotFoundError, IsADirectoryError, PermissionError
        Where the folder of an output does not exist or cannot be written, or the output is a folder.

    Examples
    --------
    >>> import pathlib
    >>> from catalase._internal.storage.outputs import Output, check_outputs
    >>> _ = pathlib.Path("lib.smi").write_text("CCO\\n")
    >>> check_outputs("screen", {"the library": "lib.smi"}, [Output("--errors-file", "./lib.smi")], force=True)
    Traceback (most recent call last):
    ...
    ValueError: screen: --errors-file (./lib.smi) is the library; choose another name
    """
    wanted = [output for output in outputs if output.path is not None]
    read = {what: _identities(path, 0) for what, path in inputs.items() if isinstance(path, (str, os.PathLike))}
    written: list[tuple[Output, set[Any]]] = []
    for output in wanted:
        assert output.path is not None
        mine = _identities(output.path, 1)
        for what, theirs in read.items():
            if mine & theirs:
                same = "belongs to" if os.path.isdir(inputs[what]) else "is"
                raise ValueError(f"{function}: {output.name} ({output.path}) {same} {what}; choose another name")
        for other, theirs in written:
            if mine & theirs:
                raise ValueError(
                    f"{function}: {output.name} ({output.path}) is written by {other.name} too; choose another name"
                )
        written.append((output, mine))
    for output in wanted:
        if output.folder:
            _check_model_folder(function, output, force, advice)
            continue
        _check_place(function, output)
        if not force and not may_replace(output):
            raise ValueError(
                f"{function}: {output.path} exists; choose another {output.name}, or add {advice} to replace it"
            )


def _check_model_folder(function: str, output: Output, force: bool, advice: str) -> None:
    assert output.path is not None
    folder = Path(output.path)
    if os.path.lexists(folder) and not folder.is_dir():
        raise ValueError(f"{function}: {folder} is no folder; choose another {output.name}")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise ValueError(
            f"{function}: {folder} exists and is not empty; choose another {output.name}, or add {advice} to replace "
            "the model"
        )
    if (folder / CONFIG).exists() and b'"' + FORMAT.encode() + b'"' not in _head(folder / CONFIG):
        raise ValueError(
            f"{function}: {folder / CONFIG} was not written by Catalase and would be lost; choose another {output.name}"
        )


def _head(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        return file.read(2**12)


def may_replace(output: Output) -> bool:
    """Return whether an output replaces no file, or only one that an earlier run of the same command wrote."""
    assert output.path is not None
    there = _stat(output.path, 1)
    if there is None or not stat.S_ISREG(there.st_mode) or _is_open(output.path):
        return True
    return bool(output.begins) and begins_with(output.path, output.begins)


def begins_with(path: str | os.PathLike[str], begins: bytes) -> bool:
    """Return whether a regular file exists and begins with these bytes."""
    return _head(Path(path)).startswith(begins)


def _is_open(path: str | os.PathLike[str]) -> bool:
    """Return whether a path stands for standard output or another file that is open already, and is written on."""
    return os.fspath(path) == "-" or open_descriptor(path) is not None


def _stat(path: str | os.PathLike[str], standard: int) -> os.stat_result | None:
    """Return the status of the file at a path, links followed; ``-`` is standard input (0) or output (1)."""
    try:
        return os.fstat(standard) if os.fspath(path) == "-" else os.stat(path)
    except OSError:
        return None


def _identities(path: str | os.PathLike[str], standard: int) -> set[Any]:
    """Return the identities of a file, or of all files of a saved model."""
    there = _stat(path, standard)
    if there is not None and stat.S_ISCHR(there.st_mode):
        return set()  # reading and writing a terminal or /dev/null at once does no harm
    place = os.path.realpath(path)
    found: set[Any] = {place} if os.fspath(path) != "-" else set()
    if there is None:
        return found | {os.path.join(place, CONFIG)}  # the path may become a model's folder
    found.add((there.st_dev, there.st_ino))
    if stat.S_ISDIR(there.st_mode):
        found.add(os.path.join(place, CONFIG))
        for entry in os.scandir(place):
            if entry.name == CONFIG or entry.name.endswith(_WEIGHTS):
                found |= _identities(entry.path, standard)
    return found


def _check_place(function: str, output: Output) -> None:
    assert output.path is not None
    there = _stat(output.path, 1)
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(f"{function}: {output.name} ({output.path}) is a folder; needed the name of a file")
    if there is not None and not stat.S_ISREG(there.st_mode):
        return
    if _is_open(output.path):
        return
    folder = Path(os.path.realpath(output.path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{function}: there is no folder {Path(output.path).parent} for {output.path}; make it first"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{function}: the folder of {output.path} cannot be written; choose another {output.name}"
        )
