"""Write trees of class folders, for loaders that number the classes themselves."""

from __future__ import annotations

from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError
from nanokinetics.export import pitfalls
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output


def torchvision(dataset: Dataset, out: Output, options: Options) -> None:
    """Write `<split>/<class folder>/<file>` for `ImageFolder`, `DatasetFolder` and `Kinetics`.

    These loaders number the folders of each split, so all splits must have the same folders. A
    split without clips gets no folder, such as Something-Something's test. Raises InputError if a
    split has clips of only some classes.
    """
    lacking = [
        f"{split} has no clip of {', '.join(map(repr, classes))}"
        for split, samples in dataset.splits.items()
        if samples and (classes := sorted(dataset.label_ids.keys() - {s.label for s in samples}))
    ]
    if lacking:
        raise InputError(
            f"{'; '.join(lacking)}: the class numbers of this loader would differ from split to "
            "split; build the same classes for every split, or export lists (--format vjepa)"
        )
    for sample in dataset.samples:
        out.place(sample.path, dataset.file(sample), options.files)
        out.tick()
    out.warn(*pitfalls.of_torchvision(dataset))


def fiftyone(dataset: Dataset, out: Output, options: Options) -> None:
    """Write `<split>/<label>/<file>`. The folder's name is the label, with its spaces."""
    for sample in dataset.samples:
        name = f"{sample.split}/{sample.label}/{sample.file_name}"
        out.place(name, dataset.file(sample), options.files)
        out.tick()
