"""Remove bad clips from a dataset, so that the next build makes them again."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

from nanokinetics.common.names import is_inside
from nanokinetics.dataset import indexes
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.dataset.record import record_of
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import OWN, STATS, STRAYS
from nanokinetics.verify.checks import judge
from nanokinetics.verify.tables import Tables, read
from nanokinetics.verify.verdict import Verdict, VerifyOptions


def repair(dest: Path, options: VerifyOptions) -> Verdict:
    """Remove the problems that `verify` finds, so that the next build makes the clips again.

    This deletes bad clips with their rows, moves files without a row to `strays/`, and writes the
    lists again. Failed clips stay failed.

    Raises Busy while a build runs, and EnvironmentFault if a file cannot be changed.
    """
    home = Home(dest)
    record_of(home)  # refuses a folder that is not a dataset, before a lock is put into it
    try:
        home.refuse_links(OWN)
        with closing(home):
            home.hold()
            tables = read(dest)
            if not tables.rows:
                raise InputError(
                    f"{home.place(STATS)} holds no clip; restore it, or run the build, which takes "
                    "up what is there"
                )
            verdict = judge(tables, False, options)
            _remove(tables, verdict)
            return replace(verdict, repaired=True)
    except OSError as error:
        raise EnvironmentFault(f"{error.filename or dest}: {error.strerror or error}") from None


def _remove(tables: Tables, verdict: Verdict) -> None:
    home = tables.home
    for id_, path in verdict.bad.items():
        if is_inside(path) and path.startswith(f"{id_.split}/"):
            home.remove(path)
    for path in verdict.strays:
        target = f"{STRAYS}/{path}"
        for number in count(2):  # an earlier repair may have moved a file of this name
            if not os.path.lexists(home.place(target)):
                break
            target = f"{STRAYS}/{path}.{number}"
        home.commit(path, target)
    for path in (*verdict.bad.values(), *verdict.strays):
        home.prune(path)  # some loaders count an empty folder as a class
    with closing(Ledger(home, tables.layout)) as ledger:
        ledger.drop(verdict.bad)
    indexes.write_all(tables.contents(without=verdict.bad), home)
