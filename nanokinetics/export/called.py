"""Other names of formats: the loaders that read them, and what people call those."""

from __future__ import annotations

from typing import Final

CALLED: Final = {
    **dict.fromkeys(
        ("videomae", "videomaev2", "vjepa2", "vjepa21", "jepa", "nanojepa", "jepa2"), "vjepa"
    ),
    **dict.fromkeys(("pyslowfast", "pytorchvideo", "ptv", "mvit"), "slowfast"),
    **dict.fromkeys(("mmaction", "openmmlab", "mmlab", "mmcv"), "mmaction2"),
    **dict.fromkeys(
        ("torch", "pytorch", "videofolder", "imagefolder", "datasetfolder", "folder"), "torchvision"
    ),
    **dict.fromkeys(("huggingface", "datasets", "hfdatasets", "hub"), "hf"),
    "parquet": "hf --metadata parquet",
    **dict.fromkeys(("voxel51", "51", "fo"), "fiftyone"),
    **dict.fromkeys(("wds", "tar", "tars", "shards", "webdatasets"), "webdataset"),
    **dict.fromkeys(("v2d", "video2data", "img2dataset"), "video2dataset"),
}
"""A name without case, blanks, underscores and hyphens, and the format that it means."""
