"""`classes.csv`: the chosen classes, their ids and their numbers of clips."""

from __future__ import annotations

from dataclasses import astuple, fields

from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Contents, Label
from nanokinetics.dataset.tables import write_csv
from nanokinetics.layout import CLASSES


def write(contents: Contents, home: Folder) -> None:
    header = [field.name for field in fields(Label)]
    write_csv(home, CLASSES, [header, *(astuple(label) for label in contents.labels.values())])
