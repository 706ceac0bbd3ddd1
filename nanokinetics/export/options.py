"""The options of an export."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nanokinetics.errors import InputError
from nanokinetics.export.output import FILES, SYMLINK

LOCAL: Final = "local"
SOURCE: Final = "source"
LABEL_IDS: Final = (LOCAL, SOURCE)

CSV: Final = "csv"
PARQUET: Final = "parquet"
METADATA: Final = (CSV, PARQUET)

_POWERS: Final = " KMGT"


@dataclass(frozen=True, slots=True)
class Options:
    """The options, with the names of the command line. Each format takes some of them.

    label_ids: `local` numbers the chosen classes, `source` all classes of the annotations. prefix:
    the text before each path of a list. files: how to put files into a tree. metadata: the kind of
    table. shard_samples, shard_bytes: the most samples and bytes of a shard. Raises InputError for
    a bad value.
    """

    label_ids: str = LOCAL
    prefix: str | None = None
    files: str = SYMLINK
    metadata: str = CSV
    shard_samples: int = 1000
    shard_bytes: int = 1000**3

    def __post_init__(self) -> None:
        for name, value, known in (
            ("label-ids", self.label_ids, LABEL_IDS),
            ("files", self.files, FILES),
            ("metadata", self.metadata, METADATA),
        ):
            if value not in known:
                raise InputError(f"--{name} {value}: there are {', '.join(known)}")
        if self.shard_samples < 1:
            raise InputError(f"--shard-samples {self.shard_samples}: a shard holds 1 or more")
        if self.prefix is not None and any(c.isspace() for c in self.prefix):
            raise InputError(f"--prefix '{self.prefix}' holds a blank, which lists cannot quote")


def parse_bytes(text: str) -> int:
    """Parse `500000`, `256M`, `1.5 GB` (powers of 1000) or `1GiB` (of 1024) to bytes.

    Raises InputError for any other text.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(iB)?B?", text.strip(), re.IGNORECASE)
    if not match:
        raise InputError(f"'{text}' is no size; write 500000, 256M or 1G")
    step = 1024 if match[3] else 1000
    return int(float(match[1]) * step ** _POWERS.index(match[2].upper() or " "))
