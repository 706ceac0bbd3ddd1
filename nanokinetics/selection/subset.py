"""A smaller dataset out of a built one, without network: the clips that a smaller build would have.

Of each class it takes the first n available clips in ranked order. Their files are hard links if
the file system allows it. The rows of the tables are those of the larger dataset.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.clip import ClipId, Group
from nanokinetics.common.names import normalised_split
from nanokinetics.dataset import indexes
from nanokinetics.dataset.built import AGAIN, Dataset
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.indexes.contents import contents
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.dataset.placing import take_in
from nanokinetics.dataset.record import MUST_AGREE, REQUEST, quotas_of, read_record
from nanokinetics.dataset.tables import Row
from nanokinetics.errors import EnvironmentFault, ExitCode, InputError, Reason
from nanokinetics.layout import OWN, STATS, Layout
from nanokinetics.selection import sampling
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.plan import Plan


@dataclass(frozen=True)
class Subset:
    """The result. Counts are clips.

    made: clips that are there, at most `wanted`. new: those that this call placed. copied: those of
    them that are no hard links. short: the classes with fewer clips than wanted, as (made, wanted).
    """

    made: int
    wanted: int
    new: int
    copied: int
    short: Mapping[Group, tuple[int, int]]

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.short else ExitCode.OK


_REPLACED: Final = frozenset(reason.value for reason in Reason if reason.replaced)


def subset(
    source: Path,
    dest: Path,
    *,
    n: int | Mapping[str, int] | None = None,
    splits: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Subset:
    """Make the dataset that a build with these options would have made, out of a larger one.

    source: the folder of a built dataset; nothing in it is changed. n: clips of each class; None is
    its n. splits, classes, num_classes: as of a build; None takes all that it has. tick: called
    after each clip.

    The same call goes on where it stopped, and a larger n lets the subset grow. Raises InputError
    for a choice that the dataset does not hold, and for files that are not as its tables say.
    """
    parent, home = Dataset.open(source), Home(dest)
    _refuse_nested(parent.root, dest)
    samples = {ClipId(s.split, s.label, s.row["key"]): s.row for s in parent.samples}
    if not samples:
        raise InputError(f"{source} holds no finished clip yet; {AGAIN}")
    plan = _plan(parent, n, splits, classes, num_classes)
    try:
        with closing(home):
            _check_earlier(home, plan)
            home.refuse_links(OWN)
            home.hold()
            plan.save(home, parent.record.get("versions", {}))
            return _fill(plan, parent, samples, home, tick)
    except OSError as error:
        raise EnvironmentFault(f"{error.filename or dest}: {error.strerror or error}") from None


def _refuse_nested(root: Path, dest: Path) -> None:
    larger, smaller = root.resolve(), dest.resolve()
    if larger == smaller or larger in smaller.parents or smaller in larger.parents:
        raise InputError(f"--dest {dest}: a subset lies beside {root}; name a folder of its own")


def _plan(
    parent: Dataset,
    n: int | Mapping[str, int] | None,
    splits: Sequence[str] | None,
    classes: Sequence[str] | None,
    num_classes: int | None,
) -> Plan:
    """The plan of the subset, chosen among the candidates of the larger dataset."""
    record, ranking = parent.record, parent.ranking
    words = None if splits is None else ",".join(splits).split(",")  # as of a build
    named = None if words is None else [_split(word, parent) for word in words]
    if isinstance(n, Mapping):
        n = {_split(split, parent): count for split, count in n.items()}
    elif n is None:
        n = {split: record["n"][split] for split in named or record["split"]}
    asked = sampling.select(
        Selection.from_csv(ranking.table, quotas=ranking.quotas, labels=ranking.labels).frame,
        splits=named,
        n=n,
        classes=classes,
        num_classes=num_classes,
        seed=record["seed"],
        names=record.get("names"),
    ).quotas
    for group, count in asked.items():
        if count > record["n"][group.split]:
            raise InputError(
                f"{parent.root} was built with n {record['n'][group.split]} of {group.split}, and "
                f"--n asks for {count}; build it with --n {count} first, which lets it grow"
            )
    quotas = {g: min(asked[g], has) for g, has in parent.wanted.items() if g in asked}
    chosen: dict[str, list[str]] = {}
    for group in quotas:
        chosen.setdefault(group.split, []).append(group.label)
    new = {
        **record,
        REQUEST: None,  # the annotations decide it too, and they are not there
        "split": list(chosen),
        "n": {group.split: asked[group] for group in quotas},
        "classes": chosen,
    }
    if record.get("listed"):
        new["listed"] = {
            split: {label: quotas[Group(split, label)] for label in labels}
            for split, labels in chosen.items()
        }
    table = ranking.only(quotas)
    return Plan(table, new, table.table)


def _split(text: str, parent: Dataset) -> str:
    split = normalised_split(text)
    if split is None or split not in parent.record["split"]:
        has = ", ".join(parent.record["split"])
        raise InputError(f"{parent.root} has no split '{text}'; it has {has}")
    return split


def _check_earlier(home: Home, plan: Plan) -> None:
    """Raises InputError if the folder holds what is no part of this subset."""
    earlier = read_record(home)
    if earlier is None:
        return
    for name in (*MUST_AGREE, "place", "from", "labels"):
        if earlier.get(name) != plan.record.get(name):
            raise InputError(
                f"{home.path} holds another dataset: its {name} is not that of this subset; "
                "name another --dest"
            )
    quotas = plan.selection.quotas
    for group, had in quotas_of(earlier).items():
        if had > quotas.get(group, 0):
            raise InputError(
                f"{home.path} was made with {had} clips of '{group.label}' ({group.split}), and "
                f"this asks for {quotas.get(group, 0)}; ask for what is there or more, or name "
                "another --dest"
            )


def _fill(
    plan: Plan,
    parent: Dataset,
    samples: Mapping[ClipId, Row],
    home: Home,
    tick: Callable[[], object],
) -> Subset:
    layout = Layout({each.label: each.class_dir for each in parent.classes.values()})
    with closing(Ledger(home, layout)) as ledger:
        state = ledger.state()
        ledger.drop(state.stale)
        done = dict(state.done)
        out = {id_ for id_, reason in state.failed.items() if reason.replaced}
        out |= {id_ for id_, row in parent.failed.items() if row["reason"] in _REPLACED}
        picks, passed = _choose(plan, {*samples, *done}, out)
        missing = [id_ for id_ in picks if id_ not in done]
        copied = 0
        try:
            ledger.copy_failed(
                _with_log(parent.failed[id_], home, parent)
                for id_ in passed
                if id_ in parent.failed and id_ not in state.failed
            )
            for id_ in missing:
                copied += not _take_in(parent, id_, samples[id_], layout, home)
                ledger.copy_made([samples[id_]])
                done[id_] = samples[id_]["path"]
                tick()
            _drop_surplus(plan, done, picks, ledger, home)
        finally:
            names = plan.record.get("names")
            indexes.write_all(contents(plan.selection, done, layout, names), home)
    quotas = plan.selection.quotas
    there = Counter(id_.group for id_ in done)
    short = {group: (there[group], n) for group, n in quotas.items() if there[group] < n}
    return Subset(len(done), sum(quotas.values()), len(missing), copied, short)


def _choose(
    plan: Plan, there: Collection[ClipId], out: Collection[ClipId]
) -> tuple[list[ClipId], list[ClipId]]:
    """Of each class the first n clips in ranked order that are not out.

    Returns those that are there, and those before the last place that are not. A clip that is
    neither there nor out keeps its place: a smaller build would wait for it too.
    """
    picks: list[ClipId] = []
    passed: list[ClipId] = []
    for group, n in plan.selection.quotas.items():
        places = n
        for _, id_ in plan.selection.ids(group):
            if not places:
                break
            (picks if id_ in there else passed).append(id_)
            places -= id_ in there or id_ not in out
    return picks, passed


def _drop_surplus(
    plan: Plan, done: dict[ClipId, str], picks: Collection[ClipId], ledger: Ledger, home: Home
) -> None:
    """Remove the clips of full classes for which better-ranked ones have come."""
    kept = Counter(id_.group for id_ in picks)
    full = {group for group, n in plan.selection.quotas.items() if kept[group] == n}
    surplus = {id_ for id_ in done.keys() - {*picks} if id_.group in full}
    for id_ in surplus:
        home.remove(done.pop(id_))
    ledger.drop(surplus)


def _take_in(parent: Dataset, id_: ClipId, row: Row, layout: Layout, home: Home) -> bool:
    path = PurePosixPath(row["path"])
    folder = f"{id_.split}/{layout.class_dir(id_.label)}"
    if str(path.parent) != folder:  # a table may have been edited
        raise InputError(f"{parent.home.place(STATS)}: '{path}' does not lie in {folder}")
    return take_in(home, parent.root / path, str(path), row["sha256"])


def _with_log(row: Row, home: Home, parent: Dataset) -> Row:
    """A row of `failed.csv`. A log relative to the larger dataset becomes relative to this one."""
    log = parent.root / row["log"]
    if Path(row["log"]).is_absolute() or not row["log"] or not log.is_file():
        return row
    return {**row, "log": os.path.relpath(log.resolve(), home.path.resolve())}
