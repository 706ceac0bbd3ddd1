"""The contents of a built dataset, for the index writers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nanokinetics.clip import Clip, ClipId, Group
from nanokinetics.dataset.ranking import Ranking
from nanokinetics.layout import Layout


@dataclass(frozen=True, slots=True)
class Label:
    """A chosen class. From 0, `label_id` counts the chosen classes, `source_id` all classes."""

    label_id: int
    source_id: int
    label: str
    class_dir: str
    wanted: int
    got: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished clip, and its path relative to the dataset's folder."""

    clip: Clip
    path: str


@dataclass(frozen=True)
class Contents:
    """The clips of every chosen split, by class folder and rank, and the labels.

    names: the readable name of each label that is a code, such as `n01440764`.
    """

    splits: dict[str, list[Kept]]
    labels: dict[str, Label]
    names: Mapping[str, str] = field(default_factory=dict)


def contents(
    selection: Ranking,
    done: Mapping[ClipId, str],
    layout: Layout,
    names: Mapping[str, str] | None = None,
) -> Contents:
    """The first n finished clips of each class. done: the path of each finished clip.

    Label ids follow the sorted class folders. So loaders of folders and loaders of lists give a
    class the same number.
    """
    kept = {group: _first(selection, group, done) for group in selection.groups()}
    wanted: dict[str, int] = {}
    for group, n in selection.quotas.items():
        wanted[group.label] = wanted.get(group.label, 0) + n
    folders = {label: layout.class_dir(label) for label in wanted}
    source_ids = {label: place for place, label in enumerate(selection.labels)}
    labels = {
        label: Label(
            label_id=place,
            source_id=source_ids[label],
            label=label,
            class_dir=folders[label],
            wanted=wanted[label],
            got=sum(len(clips) for group, clips in kept.items() if group.label == label),
        )
        for place, label in enumerate(sorted(wanted, key=folders.__getitem__))
    }
    splits: dict[str, list[Kept]] = {group.split: [] for group in kept}
    for group in sorted(kept, key=lambda group: folders[group.label]):
        splits[group.split] += kept[group]
    return Contents(splits, labels, names or {})


def _first(selection: Ranking, group: Group, done: Mapping[ClipId, str]) -> list[Kept]:
    clips: list[Kept] = []
    for row, id_ in selection.ids(group):
        if len(clips) == selection.quotas[group]:
            break
        if id_ in done:
            clips.append(Kept(selection.clip(row), done[id_]))
    return clips
