"""The CSV tables of a dataset: RFC 4180 but for LF line ends, UTF-8, with a header.

Here they are rendered, read, appended to and rewritten, and nowhere else.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final

from nanokinetics.common.folder import Folder
from nanokinetics.errors import InputError

ABOUT: Final = ("key", "split", "label", "youtube_id", "time_start", "time_end")
"""What each of our tables says of a clip first."""

ANNOTATION: Final = ("label", "youtube_id", "time_start", "time_end", "split")
"""What a row of annotations says, in the order of DeepMind's files."""

Row = Mapping[str, str]

_APPEND: Final = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


def rendered(rows: Iterable[Iterable[object]], delimiter: str = ",") -> str:
    """Rows as text, a line each; only what needs quotes has them."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_csv(home: Folder, name: str, rows: Iterable[Iterable[object]]) -> None:
    """Write a table of a dataset whole. Raises OSError."""
    home.write(name, rendered(rows).encode())


class Damaged(InputError):
    """A table that cannot be relied on from some line on, and why."""

    def __init__(self, where: object, line: int, why: str) -> None:
        super().__init__(f"{where}, line {line}: {why}; fix or remove the line")
        self.line = line
        self.why = why


class Reader:
    """The header of a table, and each row with the number of the line that it ends in.

    Rows come as they stand, of any width; `named` and `rows` ask for whole ones.
    """

    def __init__(
        self,
        lines: Iterable[str],
        where: object,
        *,
        columns: Sequence[str] | None = None,
        before: int = 0,
    ) -> None:
        """where: what messages call the table. columns: those that it must have, unless it is
        empty; None for any. before: lines of `where` that come before these.

        Raises InputError for other columns, and Damaged for what is no CSV.
        """
        self._rows = csv.reader(lines)
        self._where = where
        self._before = before
        _, first = next(iter(self), (0, columns or ()))
        self.header = tuple(first)
        if columns is not None and self.header != tuple(columns):
            raise InputError(f"{where}: its header is not {','.join(columns)}")

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        reader, before = self._rows, self._before
        try:
            for row in reader:
                yield before + reader.line_num, row
        except csv.Error as error:
            raise Damaged(self._where, before + reader.line_num, str(error)) from None

    def named(self, *names: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The line and the named columns, two or more, of every row. Raises Damaged."""
        named, width = itemgetter(*map(self.header.index, names)), len(self.header)
        for line, row in self:
            if len(row) != width:
                raise self._torn(line)
            yield line, named(row)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """The line and the whole of every row. Raises Damaged."""
        header, width = self.header, len(self.header)
        for line, row in self:
            if len(row) != width:
                raise self._torn(line)
            yield line, dict(zip(header, row, strict=True))

    def _torn(self, line: int) -> Damaged:
        return Damaged(self._where, line, "not a row of this table")


def opened(path: Path, columns: Sequence[str]) -> Reader:
    """A table of ours, read without changing it: a build may be at work on it.

    No such file is an empty table. What follows the last line end is still being written, or was
    torn by a crash, and is left out. Raises InputError for a file that is no such table.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    text = _decoded(data[: data.rfind(b"\n") + 1], path)
    return Reader(io.StringIO(text, newline=""), path, columns=columns)


class Table:
    """One append-only table, held by one process."""

    def __init__(self, home: Folder, name: str, columns: Sequence[str]) -> None:
        self._home = home
        self._name = name
        self._path = home.place(name)
        self._columns = tuple(columns)
        self._mend()
        self._file = home.open(name, _APPEND)

    def _mend(self) -> None:
        """Make the table if there is none, and cut off a last line that a crash has torn."""
        header = _encoded([self._columns])
        data = self._path.read_bytes() if self._path.exists() else b""
        if header.startswith(data):  # nothing yet, or a header that was torn
            self._home.write(self._name, header)
            return
        whole = data[: data.rfind(b"\n") + 1]
        if not whole.startswith(header):
            raise InputError(
                f"{self._path}: its header is not that of a nanokinetics table; "
                "name another --dest, or move the file away"
            )
        _decoded(whole, self._path)
        if whole != data:
            file = self._home.open(self._name, os.O_RDWR)
            try:
                os.ftruncate(file, len(whole))
            finally:
                os.close(file)

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows in one piece, all of them or none. Raises OSError."""
        data = _encoded([row[name] for name in self._columns] for row in rows)
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
        with self._path.open(encoding="utf-8", newline="") as file:
            yield from Reader(file, self._path, columns=self._columns).named(*names)

    def damage(self, line: int, why: str) -> InputError:
        return Damaged(self._path, line, why)

    def rewrite(self, rows: Iterable[Sequence[str]]) -> None:
        self._home.write(self._name, _encoded([self._columns, *rows]))
        before, self._file = self._file, self._home.open(self._name, _APPEND)
        os.close(before)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)


def _encoded(rows: Iterable[Sequence[str]]) -> bytes:
    return rendered(rows).encode(errors="replace")  # a server may send half a surrogate pair


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Damaged(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
