"""Understands a command line as it is typed, before argparse reads it. Pure.

What argparse reads as it stands is left as it stands. Understood besides are short options
(`-n 5`), underscores in options (`--num_classes`), options before the command or before its words,
values that begin with a hyphen, and several words after `--classes`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ONE: Final = "1"
SEVERAL: Final = "+"
NONE: Final = "0"

SHORT: Final[Mapping[str, tuple[str, ...]]] = {
    "-n": ("--n",),
    "-o": ("--output", "--dest"),
    "-q": ("--quiet",),
}
"""Short options, and those that they mean: the first that the command has."""

_ALIASES: Final = {"--splits": "--split", "--class": "--classes"}
_JOINED: Final = frozenset({"--classes"})
"""Options of which several words are one value, with commas between."""

_VERBATIM: Final = frozenset({"--yt-dlp-args"})
"""Options whose next word is their value, whatever it looks like."""

_MAY_STAND_ALONE: Final = {"--retry-failed": "all"}
"""Options without a value, unless it is this one."""

_NUMBER: Final = re.compile(r"-\d+|-\d*\.\d+")
_ATTACHED: Final = re.compile(r"-n[a-z=]*\d.*")


@dataclass(frozen=True, slots=True)
class Takes:
    """What a command takes.

    options: how many values each option takes: NONE, ONE or SEVERAL. words: how many words stand
    beside the options at most; None for any number. first: what the first word may be, if that is
    a choice.
    """

    options: Mapping[str, str]
    words: int | None = None
    first: Sequence[str] = ()

    @classmethod
    def of(cls, parser: argparse.ArgumentParser) -> Takes:
        options: dict[str, str] = {}
        words: int | None = 0
        first: Sequence[str] = ()
        for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
            if action.option_strings:
                arity = ONE if action.nargs is None else NONE if action.nargs == 0 else SEVERAL
                options |= dict.fromkeys(action.option_strings, arity)
                continue
            if action.choices and not words:
                first = tuple(action.choices)
            counted = action.nargs in (None, argparse.OPTIONAL)
            words = words + 1 if counted and words is not None else None
        return cls(options, words, first)

    def named(self, word: str) -> str | None:
        """The option that a word without its `=VALUE` means; None if it means none, or several."""
        if word in self.options:
            return word
        if word in SHORT:
            return next((name for name in SHORT[word] if name in self.options), None)
        if not word.startswith("--") and len(word) == 2:
            return None
        plain = f"--{word.lstrip('-').replace('_', '-')}"
        plain = _ALIASES.get(plain, plain)
        if plain in self.options:
            return plain
        begun = [name for name in self.options if word.startswith("--") and name.startswith(plain)]
        return begun[0] if len(begun) == 1 else None


@dataclass(frozen=True, slots=True)
class Option:
    """An option and its values. attached: whether the value stood in one word with it."""

    name: str
    values: Sequence[str] = ()
    attached: bool = False

    def argv(self) -> list[str]:
        """What argparse reads. A value that looks like an option stands in one word with it."""
        values = [",".join(self.values)] if self.name in _JOINED and self.values else self.values
        if len(values) == 1 and (self.attached or _is_option(values[0])):
            return [f"{self.name}={values[0]}"]
        return [self.name, *values]


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, read.

    given: as it was typed. command: None if there is none. words: those beside the options; without
    a command the word that stands in its place. unknown: words that look like options and are none.
    rest: all from `--` on.
    """

    given: Sequence[str]
    command: str | None = None
    words: Sequence[str] = ()
    options: Sequence[Option] = ()
    unknown: Sequence[str] = ()
    rest: Sequence[str] = ()

    def argv(self) -> list[str]:
        """What argparse reads: the words first, so that no option takes them for its values."""
        if self.command is None:
            return list(self.given)
        options = [word for option in self.options for word in option.argv()]
        return [self.command, *self.words, *self.unknown, *options, *self.rest]


def read(argv: Sequence[str], commands: Mapping[str, Takes], top: Takes) -> Line:
    """Read a command line. top: what may stand before a command, such as `--version`."""
    place, word = _command(argv, commands, top)
    if place is None:
        return Line(argv, words=[word] if word else [])
    takes = commands[argv[place]]
    words: list[str] = []
    options: list[Option] = []
    unknown: list[str] = []
    rest: list[str] = []
    for rest in (list(argv[:place]), list(argv[place + 1 :])):
        while rest and rest[0] != "--":
            word = rest.pop(0)
            name, value = _split(word, takes) if _is_option(word) else (None, None)
            if name is not None:
                values = [] if value is None else [value]
                if value is None or name in _JOINED:
                    values += _values(name, takes, rest)
                options.append(Option(name, values, value is not None))
            else:
                (unknown if _is_option(word) else words).append(word)
    if not words and not rest:
        words = _taken(options, takes.first)
    return Line(argv, argv[place], words, options, unknown, rest)


def _command(
    argv: Sequence[str], commands: Mapping[str, Takes], top: Takes
) -> tuple[int | None, str]:
    """The place of the command; if there is none, the word that stands where it should be."""
    every = Takes({name: n for takes in commands.values() for name, n in takes.options.items()})
    place = 0
    while place < len(argv):
        word = argv[place]
        if word in commands:
            return place, word
        if not _is_option(word):
            return None, word
        if word in top.options or word == "--":
            return None, ""
        name, value = _split(word, every)
        place += 1
        if name is None or value is not None:
            continue
        left = list(argv[place:])
        for each in _values(name, every, left):
            if each in commands and every.options[name] == SEVERAL:
                break
            place += 1
    return None, ""


def _is_option(word: str) -> bool:
    """Whether a word looks like an option. Blanks are in values only, as argparse has it."""
    if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
        return False
    return " " not in word.partition("=")[0]


def _split(word: str, takes: Takes) -> tuple[str | None, str | None]:
    """The option that a word means, if it means one, and the value in the same word."""
    head, equals, value = word.partition("=")
    name = takes.named(head)
    if name is None and _ATTACHED.fullmatch(word):  # -n5, -ntrain=5
        return takes.named("-n"), word[2:]
    return name, value if equals else None


def _values(name: str, takes: Takes, left: list[str]) -> list[str]:
    """The values of an option; they are taken from `left`, the words after it."""
    arity = takes.options[name]
    if not left or arity == NONE:
        return []
    if name in _MAY_STAND_ALONE and left[0] != _MAY_STAND_ALONE[name]:
        return []
    if arity == SEVERAL or name in _JOINED:
        values = []
        while left and not _is_option(left[0]):
            values.append(left.pop(0))
        return values
    return [left.pop(0)] if _is_value(name, takes, left[0]) else []


def _is_value(name: str, takes: Takes, word: str) -> bool:
    if name in _VERBATIM or not _is_option(word):
        return True
    return not word.startswith("--") and _split(word, takes)[0] is None


def _taken(options: list[Option], first: Sequence[str]) -> list[str]:
    """The first word of the command, where an option before it has taken it for its last value."""
    for place, option in enumerate(options):
        *values, last = ["", *option.values]
        if len(values) > 1 and last.casefold() in first:
            options[place] = Option(option.name, values[1:], option.attached)
            return [last]
    return []
