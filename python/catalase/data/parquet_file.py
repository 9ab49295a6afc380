"""Parquet files as tables of text, through pyarrow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

from .._internal.report import Failure
from .table_file import Table


class ParquetFile(Table):
    """The rows of a Parquet file, each cell as the text of its value; a missing value is an empty cell.

    Parameters
    ----------
    file : path
        A file; Parquet cannot be read from a pipe.
    function : str
        Name of the reading function, for messages.
    raw : binary stream, optional
        The bytes of the file, if it is open already.

    Raises
    ------
    ImportError
        Without pyarrow.
    """

    def __init__(self, file: str | os.PathLike[str], function: str, *, raw: IO[bytes] | None = None) -> None:
        super().__init__(file, function)
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise ImportError(f"{function}: Parquet files need pyarrow; pip install 'catalase[arrow]'") from None
        self._damage = pyarrow.ArrowInvalid, OSError
        try:
            raw = self._opened(raw)
            if not raw.seekable():
                raise ValueError(f"{function}: {self.name} is a pipe, from which Parquet cannot be read; save it first")
            self._file: Any = parquet.ParquetFile(raw)
        except pyarrow.ArrowInvalid as error:
            self._stack.close()
            raise ValueError(f"{function}: {self.name} is not a Parquet file: {error}") from None
        except BaseException:
            self._stack.close()
            raise
        self.total = self._file.metadata.num_rows
        self.header = list(self._file.schema_arrow.names)
        self._wanted: list[int] = list(range(len(self.header)))

    def only(self, columns: Sequence[int]) -> None:
        """Read these columns only; the cells of others are empty."""
        self._wanted = sorted(set(columns))

    def position(self) -> int:
        """Return how many rows have been read."""
        return self._row

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield the rows; all can be read."""
        names = [self.header[i] for i in self._wanted]
        try:
            for batch in self._file.iter_batches(batch_size=size, columns=names):
                rows = [[""] * len(self.header) for _ in range(batch.num_rows)]
                for i, column in zip(self._wanted, batch.columns, strict=True):
                    for row, value in zip(rows, column.to_pylist(), strict=True):
                        row[i] = _text(value)
                self._row += len(rows)
                if rows:
                    yield rows, []
        except self._damage as error:
            raise ValueError(f"{self._function}: {self.name} is damaged or cut short {self._near()}: {error}") from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
