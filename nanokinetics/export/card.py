"""The card of a Hugging Face dataset: `README.md`, for `datasets`, for the Hub and for people.

Its front matter is YAML, in which every text stands as JSON writes it: labels are not ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nanokinetics.common.text import plain, size
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.references import reference_of, tool_bibtex
from nanokinetics.dataset.sample import Sample

LABEL: Final = "label"
"""The column whose type is `ClassLabel`."""

_SIZES: Final = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_LARGER: Final = "100K<n<1M"

_OWN: Final = (
    "The {medium}s belong to those who made them. Before you pass them on, ask whether you may."
)


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says beside what the dataset itself tells.

    medium: `video` or `image`. columns: the type of each column after it. digest: changes with the
    rows and with the files, because `datasets` knows its cached rows by the card alone.
    """

    dataset: Dataset
    medium: str
    columns: Mapping[str, str]
    digest: str

    def text(self) -> str:
        lines = ["---", *self._front(), "---", "", *self._body()]
        return "".join(f"{line}\n" for line in lines)

    # -- for programs

    def _front(self) -> Iterator[str]:
        samples = self.dataset.samples
        category = next((name for most, name in _SIZES if len(samples) < most), _LARGER)
        yield f"pretty_name: {_quoted(self._title)}"
        yield from ("license: other", "license_name: see-licence-below")
        yield from ("task_categories:", f"- {self.medium}-classification")
        yield from ("size_categories:", f"- {category}")
        dataset = plain(self.dataset.record["dataset"])
        yield from ("tags:", "- nanokinetics", f"- {_quoted(dataset)}")
        # By these numbers `datasets` sees whether it has read everything.
        yield from ("dataset_info:", "  config_name: default", "  features:")
        yield from self._features()
        yield "  splits:"
        for split, some in self._splits.items():
            yield from (f"  - name: {split}", f"    num_bytes: {sum(s.bytes for s in some)}")
            yield f"    num_examples: {len(some)}"
        yield from ("configs:", "- config_name: default")
        yield f'  description: "sha256 {self.digest}"'
        yield "  data_files:"
        for split in self._splits:
            yield from (f"  - split: {split}", f"    path: {split}/**")
        yield "  features:"  # again, because a reader of csv must know them beforehand
        yield from self._features()

    def _features(self) -> Iterator[str]:
        for name, kind in {self.medium: self.medium, **self.columns}.items():
            if name == "file_name":  # `datasets` puts the medium in its place
                continue
            yield f"  - name: {name}"
            if name != LABEL:
                yield f"    dtype: {kind}"
                continue
            yield from ("    dtype:", "      class_label:", "        names:")
            for number, label in enumerate(names_of(self.dataset)):
                yield f"          '{number}': {_quoted(label)}"

    # -- for people

    def _body(self) -> Iterator[str]:
        record = self.dataset.record
        reference = reference_of(record)
        whole = reference.title if reference else "a folder"
        version = str((record.get("versions") or {}).get("nanokinetics", ""))
        samples = self.dataset.samples
        seed = f" with seed `{plain(record['seed'])}`" if record["seed"] else ""
        yield f"# {self._title}"
        yield ""
        yield (
            f"{len(samples)} {self.medium}s of {len({s.label for s in samples})} classes of "
            f"{plain(whole)}, {size(sum(s.bytes for s in samples))}, chosen by nanokinetics "
            f"{plain(version)}{seed}."
        )
        yield ""
        yield from (f"| split | {self.medium}s | classes |", "|---|---|---|")
        for split, some in self._splits.items():
            yield f"| {split} | {len(some)} | {len({sample.label for sample in some})} |"
        yield ""
        yield (
            f"`label` is a `ClassLabel` of {len(names_of(self.dataset))} names; `label_id` is the "
            "same number. `key` names the window of the annotations, `youtube_id` its video, and "
            "`time_start` and `time_end` are seconds in it."
        )
        yield from ("", "## Licence", "")
        yield plain(reference.licence) if reference else _OWN.format(medium=self.medium)
        yield from ("", "## Citation", "")
        if reference and reference.note:
            yield from (plain(reference.note), "")
        cited = [reference.bibtex] if reference else []
        yield "```bibtex"
        yield "\n".join(entry.strip() for entry in [*cited, tool_bibtex(version)])
        yield "```"

    @property
    def _title(self) -> str:
        return plain(self.dataset.root.name or self.dataset.record["dataset"])

    @property
    def _splits(self) -> dict[str, Sequence[Sample]]:
        return {split: some for split, some in self.dataset.splits.items() if some}


def names_of(dataset: Dataset) -> list[str]:
    """The labels in the order of their ids: the chosen ones, or all of the annotations."""
    if dataset.source_ids:
        return list(dataset.record["labels"])
    return sorted(dataset.label_ids, key=dataset.label_ids.__getitem__)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
