"""The plan of a folder and its record, `run.json`: one run writes them, the next run reads them.

If the options of this run equal those of the last run, its plan is used again; otherwise see
`growth`. Nothing here needs pandas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nanokinetics.common.folder import Folder
from nanokinetics.config import BuildConfig
from nanokinetics.dataset.ranking import Ranking, SelectionTable
from nanokinetics.dataset.record import (
    MUST_AGREE,
    REQUEST,
    SELECTION_DIGEST,
    quotas_of,
    read_record,
)
from nanokinetics.layout import RUN, SELECTION

_DECIDES: Final = ("splits", "n", "classes", "num_classes", "preset", "skip_missing_classes")


@dataclass(frozen=True, eq=False)
class Plan:
    """The clips that the folder shall have after this run, and the record for `run.json`."""

    selection: Ranking
    record: Mapping[str, Any]
    table: bytes
    """The bytes of `selection.csv`."""

    def compact(self) -> Plan:
        """The plan with a ranking that takes a third of the memory of the present one.

        Not for local files: their locations are not in the table.
        """
        ranked = self.selection
        if isinstance(ranked, SelectionTable):
            return self
        written = SelectionTable(self.table, quotas=ranked.quotas, labels=ranked.labels)
        return replace(self, selection=written)

    def save(self, home: Folder, versions: Mapping[str, str]) -> None:
        """Write `run.json` and `selection.csv`, both before anything is fetched."""
        written = {
            SELECTION_DIGEST: hashlib.sha256(self.table).hexdigest(),
            "versions": dict(versions),
        }
        record = json.dumps({**self.record, **written}, indent=2, ensure_ascii=False)
        home.write(RUN, f"{record}\n".encode())
        home.write(SELECTION, self.table)


def request_of(config: BuildConfig, version: str) -> str | None:
    """A digest of everything that decides which clips are made, and how.

    version: the version of this program. None if another subset decides, or if each run must report
    the rows that it leaves out. Do not ask for a source that was scanned: its files decide too.
    """
    if config.skip_bad_rows or config.from_:
        return None
    try:
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in config.files]
    except (OSError, ValueError):  # the reader of annotations reports the error
        return None
    asked = [getattr(config, name) for name in (*MUST_AGREE, *_DECIDES)]
    names = [path.name for path in config.files]
    whole = json.dumps([version, asked, names, files], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def same_again(request: str | None, home: Folder) -> Plan | None:
    """The plan that the last run has written, if that was asked for the very same.

    It saves reading and ranking the annotations, the longest part of a run without work.
    """
    record = read_record(home)
    if request is None or record is None or record.get(REQUEST) != request:
        return None
    try:
        table = home.place(SELECTION).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(table).hexdigest() != record.get(SELECTION_DIGEST):
        return None
    ranking = SelectionTable(table, quotas=quotas_of(record), labels=record["labels"])
    return Plan(ranking, record, table)
