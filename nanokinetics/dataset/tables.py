"""The CSV tables of a dataset: append, read and rewrite."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final

from nanokinetics.common.files import replace_file
from nanokinetics.common.folder import Folder
from nanokinetics.errors import InputError
from nanokinetics.layout import Layout


def write_csv(layout: Layout, path: Path, rows: Iterable[Iterable[object]]) -> None:
    """An RFC 4180 table of a dataset, with LF line ends, written whole. Raises OSError."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_file(path, text.getvalue().encode(), layout.root)


Row = Mapping[str, str]


_APPEND: Final = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Table:
    """One append-only CSV file: RFC 4180 but for LF line ends, UTF-8, with a header."""

    def __init__(self, home: Folder, path: Path, columns: Sequence[str]) -> None:
        self._home = home
        self._path = path
        self._columns = tuple(columns)
        self._mend()
        self._file = home.open(path.name, _APPEND)

    def _mend(self) -> None:
        """Make the table if there is none, and cut off a last line that a crash has torn."""
        header = _line(self._columns)
        data = self._path.read_bytes() if self._path.exists() else b""
        if header.startswith(data):  # nothing yet, or a header that was torn
            replace_file(self._path, header)
            return
        whole = data[: data.rfind(b"\n") + 1]
        if not whole.startswith(header):
            raise InputError(
                f"{self._path}: its header is not that of a nanokinetics table; "
                "name another --dest, or move the file away"
            )
        try:
            whole.decode()
        except UnicodeDecodeError as error:
            raise self.damage(whole.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
        if whole != data:
            file = self._home.open(self._path.name, os.O_RDWR)
            try:
                os.ftruncate(file, len(whole))
            finally:
                os.close(file)

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows in one piece, all of them or none. Raises OSError."""
        data = _lines([row[name] for name in self._columns] for row in rows)
        before = os.fstat(self._file).st_size
        try:
            while data:  # a disk that is all but full takes a part; the next write says why
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def columns(self, *names: str) -> list[Sequence[str]]:
        """The named columns, two or more in the table's order, of all rows.

        Raises InputError for damage.
        Where nothing is quoted, as in most tables, one pattern takes them out of the text, in half
        the time of `rows`.
        """
        text = self._path.read_bytes().decode()
        pattern = ",".join("([^,\n]*+)" if c in names else "[^,\n]*+" for c in self._columns)
        rows = [] if '"' in text or "\r" in text else re.findall(rf"\n{pattern}(?=\n)", text)
        if len(rows) != text.count("\n") - 1:
            rows = [row for _, row in self.rows(*names)]
        return [[row[place] for row in rows] for place in range(len(names))]

    def rows(self, *names: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The line number and the named columns of every row. Raises InputError for damage."""
        width = len(self._columns)
        named = itemgetter(*map(self._columns.index, names))
        with self._path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            try:
                next(reader)  # the header, which was looked at before
                for row in reader:
                    if len(row) != width:
                        raise self.damage(reader.line_num, "not a row of this table")
                    yield reader.line_num, named(row)
            except csv.Error as error:
                raise self.damage(reader.line_num, str(error)) from None

    def damage(self, line: int, why: str) -> InputError:
        return InputError(f"{self._path}, line {line}: {why}; mend or remove the line")

    def rewrite(self, rows: Iterable[Sequence[str]]) -> None:
        replace_file(self._path, _lines([self._columns, *rows]))
        os.close(self._file)
        self._file = self._home.open(self._path.name, _APPEND)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)


def _line(values: Sequence[str]) -> bytes:
    return _lines([values])


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="replace")  # a server may send half a surrogate pair
