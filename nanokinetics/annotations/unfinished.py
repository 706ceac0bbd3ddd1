"""A file that is not whole yet: its bytes so far, and what they are a part of."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nanokinetics.common.files import replace_file


@dataclass
class Unfinished:
    """path: of the bytes. A note beside it has their address, and the version of the file there."""

    path: Path

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self, url: str) -> str:
        """What tells whether the server's file is still the one of this part; empty if unknown."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return str(note["validator"]) if note["url"] == url and self.size else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def begin(self, url: str, validator: str) -> IO[bytes]:
        self.remove()
        note = json.dumps({"url": url, "validator": validator})
        replace_file(self._note, note.encode())
        return self.path.open("xb")

    def go_on(self) -> IO[bytes]:
        return self.path.open("ab")

    def commit(self, place: Path) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(place)
        self.remove()

    def remove(self) -> None:
        for path in (self.path, self._note):
            path.unlink(missing_ok=True)
