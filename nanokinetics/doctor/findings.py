"""What a check finds: a level, a line, and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UPDATE: Final = "pip install -U 'yt-dlp[default,deno]'"


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """A build works, but for something that not everybody needs, or may soon not."""
    FAULT = "fault"
    """A build would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found, in one line, and what to do about it."""

    check: str
    level: Level
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.level:<8} {self.check:<12} {' '.join(told.split())}"


Told = tuple[Level, str, str]
"""Level, what was found, and a remedy or nothing."""
