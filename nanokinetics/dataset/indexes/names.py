"""`class_names.csv`: the names of classes whose labels are codes, such as those of ImageNet."""

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
