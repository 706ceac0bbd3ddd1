"""The result of a check: a level, one line, and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UPDATE: Final = "pip install -U 'yt-dlp[default,deno]'"


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """A build works, except for a feature that not everybody needs; or it may soon fail."""
    FAULT = "fault"
    """A build would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check in one line, and what to do about it."""

    check: str
    level: Level
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.level:<8} {self.check:<12} {' '.join(text.split())}"


CheckResult = tuple[Level, str, str]
"""The level, the fact, and the remedy or an empty text."""
