"""The sentences of a paper's methods section: as plain text, as LaTeX, and for the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nanokinetics.clip import ADOPTED
from nanokinetics.config import VideoConfig
from nanokinetics.dataset.record import CATALOGUE, naming_of
from nanokinetics.dataset.references import TOOL, cited_as, tool_bibtex
from nanokinetics.report.figures import Summary
from nanokinetics.report.provenance import ALL, DRAWN, GIVEN, Provenance
from nanokinetics.report.words import listed, reason, several

DIGITS: Final = 12
"""The first hex digits of an annotation file's digest are enough to tell it."""


@dataclass(frozen=True, slots=True)
class Cite:
    """A place where works are cited, by their BibTeX keys."""

    keys: tuple[str, ...]


Sentence = tuple[str | Cite, ...]


def text_of(sentences: Sequence[Sentence]) -> str:
    """Plain text: works are named by author and year."""
    return _joined(sentences, lambda text: text, _named)


def latex_of(sentences: Sequence[Sentence]) -> str:
    r"""LaTeX: works are named by `\cite`, and foreign text cannot act as a command."""
    return _joined(sentences, escaped, lambda cite: rf"~\cite{{{','.join(cite.keys)}}}")


def bibtex_of(found: Provenance) -> str:
    """The entries that the sentences cite."""
    of_dataset = [found.reference.bibtex] if found.reference else []
    return "\n".join([*of_dataset, tool_bibtex(found.versions.get(TOOL, ""))])


def _joined(
    sentences: Sequence[Sentence], as_text: Callable[[str], str], as_cite: Callable[[Cite], str]
) -> str:
    return " ".join(
        "".join(as_cite(part) if isinstance(part, Cite) else as_text(part) for part in sentence)
        for sentence in sentences
    )


def _named(cite: Cite) -> str:
    works = [cited_as(key) for key in cite.keys if key != TOOL]  # the program is named already
    return f" ({'; '.join(works)})" if works else ""


_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """Text for LaTeX. Line ends and other control characters become blanks."""
    shown = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _SPECIAL[found[0]], shown)


def sentences(found: Provenance, summary: Summary) -> list[Sentence]:
    """What a reader must know to judge the subset and to make it again."""
    return [
        tuple(_what(found, summary)),
        *((line,) for line in _how_chosen(found)),
        tuple(_how_made(found)),
        *((line,) for line in (*_encoded(found), *_gone(found, summary), *_short(found, summary))),
        *((line,) for line in _name(found)),
    ]


def _what(found: Provenance, summary: Summary) -> Iterator[str | Cite]:
    record, made, noun = found.record, summary.total.made, found.noun
    yield f"We use {several(made, noun)} of "
    if found.reference:
        yield found.reference.title
        yield Cite(found.reference.cite)
    else:
        yield "a dataset of our own"
    parts = []
    for split, labels in record["classes"].items():
        counts = summary.splits.get(split)
        has = f"{counts.made:,} for {split}" if counts else f"none for {split}"
        classes = several(len(labels), "class", "classes")
        n = "" if found.parent else f", n = {record['n'][split]:,} of each"
        parts.append(f"{has} ({classes}{n})")
    yield f": {listed(parts)}."


def _how_chosen(found: Provenance) -> Iterator[str]:
    record, noun = found.record, found.noun
    total = several(len(record["labels"]), "class", "classes")
    seed = f"seed {record['seed']}" if record["seed"] else "an empty seed"
    ranked = (
        f"Within a class, the {noun}s were ranked by the SHA-256 of the seed and their keys, and "
        f"the first that could be had were taken ({seed})."
    )
    if found.parent:
        yield (
            f"The {noun}s are those of the subset {found.parent}"
            + (f", which was chosen with {seed}" if record["seed"] else "")  # a table may name none
            + (", and further candidates of it." if record.get("replacements") else ".")
        )
    else:
        how = {
            ALL: f"All {total} of the annotations were taken."
            if len(record["labels"]) > 1
            else "The only class of the annotations was taken.",
            DRAWN: f"The classes were drawn by the seed from the annotations' {total}.",
            GIVEN: f"The classes were named, out of the annotations' {total}.",
        }
        yield f"{how[found.chosen]} {ranked}"
    yield from _named_otherwise(found)
    called = naming_of(record, CATALOGUE)
    files = [
        f"{name}{f' of {called[name]}' if name in called else ''} (SHA-256 {str(digest)[:DIGITS]})"
        for name, digest in record["annotations"].items()
    ]
    if files:
        yield f"The candidates are those of {listed(files)}."


def _named_otherwise(found: Provenance) -> Iterator[str]:
    """Classes that were asked for and left out, or that the annotations name otherwise."""
    for split, labels in found.left_out.items():
        were = "was" if len(labels) == 1 else "were"
        yield (
            f"For {split}, {several(len(labels), 'class', 'classes')} asked for had no "
            f"{found.noun} and {were} left out ({listed(labels)})."
        )
    if pairs := [f"{old} as {new}" for old, new in found.renamed.items()]:
        yield f"The annotations name {listed(pairs)}."


def _how_made(found: Provenance) -> Iterator[str | Cite]:
    noun, days = found.noun, found.days
    when = ""
    if days:
        when = f" on {days[0]} (UTC)" if len(days) == 1 else f" from {days[0]} to {days[1]} (UTC)"
    if found.is_remote:
        where = "YouTube" if found.record["source"] == "youtube" else found.record["source"]
        yield f"The {noun}s were downloaded from {where}{when} by nanokinetics"
    else:
        yield f"The {noun}s were taken from local files{when} by nanokinetics"
    yield f" {found.versions[TOOL]}" if TOOL in found.versions else ""
    yield Cite((TOOL,))
    names = (["yt-dlp"] if found.is_remote else []) + (["ffmpeg"] if found.video else [])
    used = [f"{name} {found.versions[name]}" for name in names if name in found.versions]
    yield f", with {listed(used)}." if used else "."
    if adopted := found.sources.get(ADOPTED):
        yield (
            f" Of these, {adopted:,} lay in the folder already and "
            f"{'was' if adopted == 1 else 'were'} adopted."
        )


def _encoded(found: Provenance) -> Iterator[str]:
    if found.video:
        yield f"They were encoded as {encoding(found.video)}."
    else:
        yield "The files are unchanged."


def encoding(video: VideoConfig) -> str:
    """The settings of an encoding in words."""
    rate = "at their own frame rate" if video.fps is None else f"at {video.fps:g} frames a second"
    keys = "" if video.gop is None else f", a keyframe at least every {video.gop:g} s"
    return (
        f"H.264 (crf {video.crf}, preset {video.x264_preset}), the shorter side at most "
        f"{video.resolution} pixels, {rate}{keys}, {'with' if video.audio else 'without'} sound"
    )


def _gone(found: Provenance, summary: Summary) -> Iterator[str]:
    gone, later = summary.total.gone, summary.total.later
    if not gone:
        yield "No candidate was gone."
    else:
        why = listed([f"{count:,} {reason(name)}" for name, count in found.gone.items()])
        if found.parent and not found.record.get("replacements"):
            then = f"{'was' if gone == 1 else 'were'} not replaced"
        elif gone == 1:
            then = "the next of its class was taken if there was one"
        else:
            then = "the next of their classes were taken where there were any"
        yield f"Of the candidates, {gone:,} could not be had ({why}), and {then}."
    if later:
        keep = "keeps its" if later == 1 else "keep their"
        yield f"Another {later:,} failed for now and {keep} place."


def _short(found: Provenance, summary: Summary) -> Iterator[str]:
    missing, noun = summary.total.missing or 0, found.noun
    if found.waiting:
        yield (
            f"The subset is not finished: {missing:,} of "
            f"{several(summary.total.wanted or 0, noun)} {'is' if missing == 1 else 'are'} still "
            "missing."
        )
    elif missing:
        short = sum(1 for each in summary.classes if each.counts.missing)
        lack = "it lacks" if short == 1 else "they lack"
        yield (
            f"In {several(short, 'class', 'classes')} the candidates ran out: {lack} "
            f"{several(missing, noun)}."
        )


def _name(found: Provenance) -> Iterator[str]:
    if found.name:
        yield f"The subset is named {found.name} (SHA-256 of its sorted lines split/label/key)."
