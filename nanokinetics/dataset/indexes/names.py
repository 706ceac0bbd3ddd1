"""`class_names.csv`: what the classes are called, where their labels are codes, as ImageNet's."""

from __future__ import annotations

from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.dataset.tables import write_csv
from nanokinetics.layout import Layout

HEADER = ("label", "name")


def write(contents: Contents, layout: Layout) -> None:
    if contents.names:
        rows = ((label, contents.names.get(label, "")) for label in contents.labels)
        write_csv(layout, layout.class_names, [HEADER, *rows])
