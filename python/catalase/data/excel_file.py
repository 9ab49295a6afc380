"""Excel workbooks as tables of text, through openpyxl."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO, Any

from .._internal.report import Failure
from .table_file import Table


class ExcelFile(Table):
    """The rows of the first sheet of a workbook that has any, each cell as the text of its value.

    The header is the first row that is not empty; rows that are empty are skipped. Of a formula the value is read that
    Excel stored with it. A whole number has no decimal point, and a date is written as 2026-11-30.

    Parameters
    ----------
    file : path
        A workbook, ``.xlsx`` or ``.xlsm``.
    function : str
        Name of the reading function, for messages.
    raw : binary stream, optional
        The bytes of the file, if it is open already.

    Raises
    ------
    ImportError
        Without openpyxl.
    """

    def __init__(self, file: str | os.PathLike[str], function: str, *, raw: IO[bytes] | None = None) -> None:
        super().__init__(file, function)
        from zipfile import BadZipFile

        try:
            import openpyxl
        except ImportError:
            raise ImportError(
                f"{function}: {self.name}: Excel workbooks need openpyxl; pip install 'catalase[tables]', or save the sheet "
                "as 'CSV UTF-8'"
            ) from None
        try:
            with self._with_context():
                book = openpyxl.load_workbook(self._seekable(self._opened(raw)), read_only=True, data_only=True)
                self._stack.callback(book.close)
                self._sheet(book)
        except (BadZipFile, KeyError) as error:
            self._stack.close()
            raise ValueError(f"{function}: {self.name} is no Excel workbook, or damaged: {error}") from None
        except BaseException:
            self._stack.close()
            raise

    def _sheet(self, book: Any) -> None:
        """Take the first sheet with a row."""
        self._rows: Iterator[list[str]] = iter(())
        for sheet in book.worksheets:
            self._rows = (row for row in map(_texts, sheet.iter_rows(values_only=True)) if row)
            self.header = next(self._rows, [])
            if self.header:
                if len(book.sheetnames) > 1:
                    self.notes.append(f"it has {len(book.sheetnames)} sheets, of which {sheet.title!r} is read")
                return

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield the rows, and a failure for each that has further cells than the header, in which it is cut."""
        width, done = len(self.header), False
        while not done:
            rows: list[list[str]] = []
            failures: list[Failure] = []
            while len(rows) < size:
                with self._with_context():
                    row = next(self._rows, None)
                if row is None:
                    done = True
                    break
                if len(row) > width:
                    reason = f"the row has {len(row)} cells, the header {width}"
                    failures.append(Failure(len(rows), " ".join(filter(None, row)), reason))
                rows.append((row + [""] * width)[:width])
            self._row += len(rows)
            if rows:
                yield rows, failures


def _texts(cells: tuple[Any, ...]) -> list[str]:
    """Return the texts of the cells, without the empty ones at the end."""
    row = [_text(cell) for cell in cells]
    while row and not row[-1]:
        row.pop()
    return row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = str(value)
    return text.removesuffix(" 00:00:00") if hasattr(value, "isoformat") else text
