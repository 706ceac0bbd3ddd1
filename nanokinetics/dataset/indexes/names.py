"""`class_names.csv`: what the classes are called, where their labels are codes, as ImageNet's."""

from __future__ import annotations

from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.dataset.tables import write_csv
from nanokinetics.layout import CLASS_NAMES

HEADER = ("label", "name")


def write(contents: Contents, home: Folder) -> None:
    if contents.names:
        rows = ((label, contents.names.get(label, "")) for label in contents.labels)
        write_csv(home, CLASS_NAMES, [HEADER, *rows])
