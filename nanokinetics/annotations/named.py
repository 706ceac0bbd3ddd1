"""Files for what stands after `--annotations`: paths, names of the catalogue, and addresses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from nanokinetics.annotations import catalog
from nanokinetics.annotations.catalog import Catalog, Entry, Listed, is_url
from nanokinetics.annotations.fetching import fetched
from nanokinetics.common.http import Client
from nanokinetics.errors import InputError
from nanokinetics.progress import Reporter


def located(
    texts: Sequence[str | Path],
    dataset: str | None,
    splits: Collection[str] | None,
    known: Catalog,
    client: Client,
    reporter: Reporter,
) -> tuple[Path, ...]:
    """The annotation files. Those that are not on this machine are fetched into the user's cache.

    dataset: that of the names; None for any. splits: those that are wanted; None for all. A path
    that is no file stays: the reader reports it.

    Raises InputError for an unknown name, one of another dataset, and a missing split.
    Raises EnvironmentFault if a file cannot be fetched.
    """
    found: list[Path] = []
    for text in map(str, texts):
        entry = known.find(text)
        if is_url(text):
            found.append(fetched(catalog.of_url(text), client, reporter))
        elif Path(text).is_file():
            if entry:
                reporter.say(f"warning: '{text}' is a file here, so it is not taken as a name")
            found.append(Path(text))
        elif entry:
            wanted = _files(entry, dataset, splits, known)
            found += [fetched(listed, client, reporter) for listed in wanted]
        elif _may_be_name(text):
            raise InputError(
                f"--annotations {text}: there is no such file, and no annotations are called so"
                f"{known.hint(text)}"
            )
        else:
            found.append(Path(text))
    return tuple(dict.fromkeys(found))


def _may_be_name(text: str) -> bool:
    """Whether a text that is no file was meant as a name: it has no folder and no suffix."""
    path = Path(text)
    return path.name == text and not path.suffix and not path.exists()


def _files(
    entry: Entry, dataset: str | None, splits: Collection[str] | None, known: Catalog
) -> tuple[Listed, ...]:
    """The files of an entry that hold the splits. Raises InputError if it has none of one."""
    if dataset not in (None, entry.dataset):
        raise InputError(f"--annotations {entry.name}: is of {entry.dataset}, not of {dataset}")
    for split in splits or ():
        if split not in entry.splits:
            first = entry.name.partition("@")[0]
            others = [
                each.name
                for each in known.listed()
                if each.name.partition("@")[0] == first and split in each.splits
            ]
            verb = "has" if len(others) == 1 else "have"
            hint = f"; {', '.join(others)} {verb} it" if others else ""
            raise InputError(
                f"--annotations {entry.name}: has no {split}, only {', '.join(entry.splits)}{hint}"
            )
    return entry.of(splits)
