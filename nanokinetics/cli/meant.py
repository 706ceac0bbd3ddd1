"""Answers a command line that cannot be understood: what was meant, and the page of help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nanokinetics.annotations import DATASETS
from nanokinetics.cli.typed import Line, Takes
from nanokinetics.common.near import bare, hint
from nanokinetics.errors import InputError

COMMANDS: Final = {
    **dict.fromkeys(
        (
            *("download", "fetch", "get", "make", "create", "run", "start", "pull"),
            *("resume", "continue", "retry"),
        ),
        "build",
    ),
    **dict.fromkeys(("select", "choose", "pick", "plan", "estimate", "list", "dryrun"), "sample"),
    **dict.fromkeys(
        ("stat", "stats", "status", "info", "show", "summary", "summarize", "html", "gallery"),
        "report",
    ),
    **dict.fromkeys(("check", "validate", "repair", "test"), "verify"),
    **dict.fromkeys(("convert", "write", "save"), "export"),
    **dict.fromkeys(("compare", "difference"), "diff"),
    **dict.fromkeys(("diagnose", "diagnostics", "env", "health"), "doctor"),
    **dict.fromkeys(("citation", "bibtex", "bib", "paper"), "cite"),
    **dict.fromkeys(("subsample", "shrink", "reduce"), "subset"),
    **dict.fromkeys(("catalog", "catalogue"), "annotations"),
    **dict.fromkeys(("example", "try", "tutorial"), "demo"),
}
"""Other names of commands, and the commands that they mean."""

OPTIONS: Final = {
    **dict.fromkeys(
        ("out", "outdir", "outputdir", "output", "outputpath", "dir", "directory", "root"),
        "--dest",
    ),
    **dict.fromkeys(
        (
            *("num", "count", "clips", "numclips", "nclips", "perclass", "clipsperclass"),
            *("samples", "numsamples", "number", "k"),
        ),
        "--n",
    ),
    **dict.fromkeys(
        ("jobs", "j", "threads", "processes", "numworkers", "numthreads", "numjobs", "w"),
        "--workers",
    ),
    **dict.fromkeys(("size", "height", "shortside", "shortedge", "res", "quality"), "--resolution"),
    **dict.fromkeys(("csv", "a", "annotationfile", "annotationfiles", "input"), "--annotations"),
    **dict.fromkeys(("labels", "label", "categories", "classlist", "c"), "--classes"),
    **dict.fromkeys(("randomseed", "s"), "--seed"),
    **dict.fromkeys(("subset", "splitname"), "--split"),
    **dict.fromkeys(("cookie", "cookiefile", "cookiesfile"), "--cookies"),
    **dict.fromkeys(("ytdlpoptions", "ytdlp", "ytdlpopts"), "--yt-dlp-args"),
    **dict.fromkeys(("silent",), "--quiet"),
    **dict.fromkeys(("verbose", "v", "debug", "logfile"), "--log"),
    **dict.fromkeys(("ratelimit", "rate", "perhour"), "--max-per-hour"),
    **dict.fromkeys(("f", "for", "to"), "--format"),
    **dict.fromkeys(("noaudio", "mute", "nosound"), "--no-audio"),
}
"""Other names of options, without hyphens, and those that they mean where a command has them."""


def refuse(line: Line, commands: Mapping[str, Takes]) -> None:
    """Raises InputError for a command, an option or a word that the command line cannot have."""
    if line.command is None:
        if line.words:
            raise InputError(f"{_no_command(line.words[0], commands)} (see nanokinetics --help)")
        return
    page = f"(see nanokinetics {line.command} --help)"
    most = commands[line.command].words
    if line.unknown:
        raise InputError(f"{_no_option(line.unknown[0], line.command, commands)} {page}")
    if most is not None and len(line.words) > most:
        raise InputError(f"{_surplus(line, most)} {page}")


def _no_command(word: str, commands: Mapping[str, Takes]) -> str:
    if bare(word) in ("help", "version"):
        meant = f"; did you mean nanokinetics --{bare(word)}?"
    elif word.casefold() in DATASETS:
        meant = f"; did you mean nanokinetics build {word.casefold()}?"
    else:
        meant = hint(word, commands, COMMANDS)
    return f"no command '{word}'; there are {', '.join(commands)}{meant}"


def _no_option(word: str, command: str, commands: Mapping[str, Takes]) -> str:
    """What to say of an option that a command lacks. Its value is left out: it may be a secret."""
    name = word.partition("=")[0]
    own = [option for option in commands[command].options if option.startswith("--")]
    begun = [option for option in own if name.startswith("--") and option.startswith(name)]
    if len(begun) > 1:
        return f"{name} may mean {' or '.join(begun)}"
    known = {called: option for called, option in OPTIONS.items() if option in own}
    others = [
        each
        for each, takes in commands.items()
        if bare(name) not in known and takes.named(name) is not None
    ]
    if others:
        return f"{command} has no {name}; it is an option of {' and '.join(others)}"
    return f"{command} has no {name}{hint(name, own, known)}"


def _surplus(line: Line, most: int) -> str:
    takes = ("no word", "one word", "two words")[most] if most < 3 else f"{most} words"
    return (
        f"{line.command} takes {takes} beside its options, and '{line.words[most]}' is one too "
        "many; quote what holds a blank"
    )
