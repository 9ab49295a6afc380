"""Reading files of ``torch.save`` without PyTorch, and without running what is in them.

Such a file is a zip archive: a pickle, and beside it the values of each tensor as plain bytes. Of the names in the pickle,
those of tensors select code in this file; the others become inert `Record`s, which say what class was named and what it was
given. No function is looked up or called.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.pickles import PickleReader

_DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_DICTS = ("collections.OrderedDict", "lightning.fabric.utilities.data.AttributeDict", "argparse.Namespace")
_LISTS = ("__builtin__.set", "builtins.set", "__builtin__.frozenset", "builtins.frozenset")
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETERS = ("torch._utils._rebuild_parameter",)


class Record:
    """A name of a class or function in a file, or an object of it, of which nothing is known but what the file says.

    Attributes
    ----------
    name : str
        Module and name, as in "chemprop.nn.agg.MeanAggregation".
    arguments : tuple or None
        What it was called with; None for the name alone.
    state : object
        What the object's attributes were to become.
    """

    def __init__(self, name: str, arguments: tuple[Any, ...] | None = None) -> None:
        self.name, self.arguments, self.state = name, arguments, None

    def __repr__(self) -> str:
        return self.name if self.arguments is None else f"<{self.name}>"


class StoredTensor:
    """A tensor in a file; its values are read when `array` is asked for them."""

    def __init__(self, archive: _Archive, storage: tuple[str, str, int], offset: int, shape: Any, stride: Any) -> None:
        whole = all(type(part) is tuple and all(type(n) is int and n >= 0 for n in part) for part in (shape, stride))
        if not whole or len(shape) != len(stride) or type(offset) is not int or offset < 0:
            raise ValueError(f"a tensor of shape {shape!r} and strides {stride!r}")
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if math.prod(shape) and last >= storage[2]:
            raise ValueError(f"a tensor of shape {shape} in a storage of {storage[2]} values")
        self._archive, self._storage, self._offset, self._stride = archive, storage, offset, stride
        self.shape: tuple[int, ...] = shape

    def array(self) -> NDArray[Any]:
        """Return the values as an array of their own."""
        key, kind, count = self._storage
        if not math.prod(self.shape):
            return np.zeros(self.shape, _DTYPES[kind])
        dtype = np.dtype(self._archive.byte_order + _DTYPES[kind])
        values = np.frombuffer(self._archive.read(f"data/{key}", count * dtype.itemsize), dtype)
        strides = tuple(step * dtype.itemsize for step in self._stride)
        view = np.lib.stride_tricks.as_strided(values[self._offset :], self.shape, strides)
        return np.array(view, dtype.newbyteorder("="))


class _Archive:
    """The zip archive of a file, whose parts are stored as they are."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = zipfile.ZipFile(path)
        pickles = [name for name in self.file.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("no data.pkl in it")
        self.folder = pickles[0].split("/")[0]
        names = self.file.namelist()
        order = self.file.read(f"{self.folder}/byteorder") if f"{self.folder}/byteorder" in names else b"little"
        self.byte_order = ">" if order == b"big" else "<"

    def info(self, part: str) -> zipfile.ZipInfo:
        info = self.file.getinfo(f"{self.folder}/{part}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"a compressed {part}, as torch.save does not write it")
        return info

    def read(self, part: str, size: int) -> bytes:
        data = self.file.read(self.info(part))
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes of {part} where {size} were needed")
        return data


class _TorchReader(PickleReader):
    def __init__(self, archive: _Archive, packages: Collection[str], stream: Any) -> None:
        super().__init__(stream)
        self.archive, self.packages = archive, packages

    def name(self, module: Any, name: Any) -> Record:
        full = f"{module}.{name}"
        if full not in _LISTS and str(module).split(".")[0] not in self.packages:
            raise ValueError(f"the name {full}")
        return Record(full)

    def call(self, make: Any, arguments: Any) -> Any:
        if not isinstance(make, Record) or make.arguments is not None or type(arguments) is not tuple:
            raise ValueError(f"a call of {make!r}")
        if make.name in _DICTS:
            return dict(*arguments)
        if make.name in _LISTS:
            return list(*arguments)
        if make.name in _TENSORS:
            storage, offset, shape, stride = arguments[:4]
            if type(storage) is not tuple:
                raise ValueError("a tensor without its storage")
            return StoredTensor(self.archive, storage, offset, shape, stride)
        if make.name in _PARAMETERS:
            return arguments[0]
        return Record(make.name, arguments)

    def build(self, target: Any, state: Any) -> None:
        if isinstance(target, Record) and target.arguments is not None:
            target.state = state
        elif type(target) is dict and type(state) is dict:
            pass  # the metadata of a module's state, or attributes of a dictionary
        else:
            raise ValueError(f"the state of a {type(target).__name__}")

    def persistent(self, identity: Any) -> tuple[str, str, int]:
        what, kind, key, _, count = identity
        name = kind.name if isinstance(kind, Record) else ""
        dtype = name.removeprefix("torch.")
        if what != "storage" or dtype not in _DTYPES or type(key) is not str or not key.isdigit():
            raise ValueError(f"a storage of {name or kind!r}")
        if (
            type(count) is not int
            or count * np.dtype(_DTYPES[dtype]).itemsize != self.archive.info(f"data/{key}").file_size
        ):
            raise ValueError(f"a storage of {count!r} values that its bytes do not hold")
        return key, dtype, count


def read_torch_file(path: str | os.PathLike[str], packages: Collection[str]) -> Any:
    """Return what a file of ``torch.save`` holds: dictionaries, lists, numbers, strings, `StoredTensor`s and `Record`s.

    Parameters
    ----------
    path : path
    packages : collection of str
        Top-level packages whose names may occur in the file, such as "torch".

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, is broken, or names something of another package.
    """
    import io

    try:
        archive = _Archive(path)
        stream = io.BytesIO(archive.file.read(archive.info("data.pkl")))
        return _TorchReader(archive, packages, stream).read()
    except FileNotFoundError:
        raise
    except zipfile.BadZipFile:
        raise ValueError(f"{os.fspath(path)}: not a file of torch.save, which is a zip archive") from None
    except Exception as error:
        raise ValueError(f"{os.fspath(path)}: cannot be read as a file of torch.save: it has {error}") from None


def write_torch_file(path: str | os.PathLike[str], content: Any) -> None:
    """Write dictionaries, lists, tuples, numbers, strings, arrays and `Record`s as ``torch.save`` would.

    A `Record` without arguments stands for the class or function of that name, one with arguments for what it returns;
    PyTorch looks it up, and calls it, when it reads the file.
    Arrays become tensors. Only this function, called at a user's request, writes a pickle.
    """
    from .._internal.storage.files import write_file_atomic

    writer = _Writer()
    writer.emit(content)
    parts = {"data.pkl": bytes(b"\x80\x02" + writer.out + b"."), "byteorder": b"little", "version": b"3\n"}
    parts |= {f"data/{i}": array.tobytes() for i, array in enumerate(writer.arrays)}

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in parts.items():
                archive.writestr(zipfile.ZipInfo(f"model/{name}"), data)

    write_file_atomic(path, write)


class _Writer:
    """The instructions of a pickle, protocol 2, for the few kinds of values that a checkpoint holds."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.arrays: list[NDArray[Any]] = []

    def emit(self, value: Any) -> None:
        if value is None:
            self.out += b"N"
        elif isinstance(value, bool):
            self.out += b"\x88" if value else b"\x89"
        elif isinstance(value, int):
            self.out += b"J" + struct.pack("<i", value)
        elif isinstance(value, float):
            self.out += b"G" + struct.pack(">d", value)
        elif isinstance(value, str):
            text = value.encode()
            self.out += b"X" + struct.pack("<I", len(text)) + text
        elif isinstance(value, dict):
            self.out += b"}("
            for key, item in value.items():
                self.emit(key)
                self.emit(item)
            self.out += b"u"
        elif isinstance(value, (list, tuple)):
            self.out += b"](" if isinstance(value, list) else b"("
            for item in value:
                self.emit(item)
            self.out += b"e" if isinstance(value, list) else b"t"
        elif isinstance(value, Record) and value.arguments is None:
            module, name = value.name.rsplit(".", 1)
            self.out += f"c{module}\n{name}\n".encode()
        elif isinstance(value, Record):
            self.emit(Record(value.name))
            self.emit(value.arguments)
            self.out += b"R"
        elif isinstance(value, np.ndarray):
            self._tensor(np.asarray(value, "<f4", order="C"))
        else:
            raise TypeError(f"write_torch_file: cannot write a {type(value).__name__}")

    def _tensor(self, array: NDArray[Any]) -> None:
        """A call of PyTorch's function that makes a tensor of a storage, which lies in a file of its own."""
        self.emit(Record(_TENSORS[0]))
        self.out += b"("
        self.emit(("storage", Record("torch.FloatStorage"), str(len(self.arrays)), "cpu", array.size))
        self.out += b"Q"
        strides = tuple(step // array.itemsize for step in array.strides)
        for part in (0, array.shape, strides, False):
            self.emit(part)
        self.emit(Record("collections.OrderedDict"))
        self.out += b")R" + b"tR"
        self.arrays.append(array)
