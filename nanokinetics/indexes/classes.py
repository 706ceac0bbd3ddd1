"""`classes.csv`: the chosen classes, their ids and how many clips each has."""

from __future__ import annotations

from dataclasses import astuple, fields

from nanokinetics.indexes.contents import Contents, Label, write_csv
from nanokinetics.layout import Layout


def write(contents: Contents, layout: Layout) -> None:
    header = [field.name for field in fields(Label)]
    write_csv(
        layout, layout.classes, [header, *(astuple(label) for label in contents.labels.values())]
    )
