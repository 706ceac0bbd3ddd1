"""Take out of a dataset what is not as recorded, so that the next build makes it again."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from nanokinetics.common.folder import Folder
from nanokinetics.common.names import is_inside
from nanokinetics.dataset import indexes
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.dataset.record import record_of
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import LOCK, OWN, STATS, STRAYS
from nanokinetics.verify.checks import judged
from nanokinetics.verify.tables import Tables, read
from nanokinetics.verify.verdict import Look, Verdict


def repair(dest: Path, how: Look) -> Verdict:
    """Take out what `verify` finds wrong, so that the next build makes it again.

    Rows of bad clips go, and their files; strays go to a folder beside the splits; the lists are
    written anew. What failed stays failed. Raises InputError while a build is at work.
    """
    home = Folder(dest)
    record_of(home)  # refuses somebody else's folder before a lock is put into it
    try:
        home.refuse_links(OWN)
        with FileLock(home.place(LOCK), timeout=0):
            tables = read(dest)
            if not tables.rows:
                raise InputError(
                    f"{home.place(STATS)} holds no clip; restore it, or run the build, which takes "
                    "up what is there"
                )
            verdict = judged(tables, False, how)
            _take_out(tables, verdict)
            return replace(verdict, repaired=True)
    except Timeout:
        raise InputError(f"a build is at work in {dest}; repair it when that has ended") from None
    except OSError as error:
        raise EnvironmentFault(f"{error.filename or dest}: {error.strerror or error}") from None


def _take_out(tables: Tables, verdict: Verdict) -> None:
    home = tables.home
    for id_, path in verdict.bad.items():
        if is_inside(path) and path.startswith(f"{id_.split}/"):
            home.remove(path)
    for path in verdict.strays:
        target = f"{STRAYS}/{path}"
        for number in count(2):  # what was put aside before stays
            if not os.path.lexists(home.place(target)):
                break
            target = f"{STRAYS}/{path}.{number}"
        home.commit(path, target)
    for path in (*verdict.bad.values(), *verdict.strays):
        home.prune(path)  # a folder without files is a class to some loaders
    with closing(Ledger(home, tables.layout)) as ledger:
        ledger.drop(verdict.bad)
    indexes.write_all(tables.contents(without=verdict.bad), home)
