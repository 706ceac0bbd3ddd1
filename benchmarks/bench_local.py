"""Measure the cost of a nano version of local files, compared with `find` and `cp`.

    python benchmarks/bench_local.py

Makes 200,000 small JPEGs in 1,000 class folders and an ImageNet-like train archive (a tar of tars)
of a few GB in a temporary folder. Measures in fresh processes and alternating rounds:

- choosing (scan, candidates, ranking; without the import of pandas), compared with `find -type f`;
- a whole `build folder` of 20 files a class, compared with `cp` of the same files;
- 5 images of each class from the archive: bytes read and peak memory of the process and its
  workers by the kernel's counters, compared with the bytes of the headers and the picks.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import random
import resource
import shutil
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from measuring import in_fresh_process, timed
from PIL import Image

CLASSES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200, help="in each of the 1,000 folders")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        what, place = args.measure
        print(json.dumps(choose(Path(place)) if what == "choose" else take(Path(place))))
        return
    with tempfile.TemporaryDirectory() as folder:
        small(Path(folder), args.files, args.n, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        archived(Path(folder), args.gigabytes)


def small(folder: Path, files: int, n: int, rounds: int) -> None:
    source = folder / "source"
    data = picture(1)
    for place in range(CLASSES):
        own = source / f"class_{place:04d}"
        own.mkdir(parents=True)
        for number in range(files):
            (own / f"{number:05d}.jpg").write_bytes(data)
    found: list[tuple[float, ...]] = []
    for _ in range(rounds):
        listing = timed(["find", str(source), "-type", "f"])
        chosen = in_fresh_process(__file__, "choose", source)["seconds"]
        dest, copies = folder / "dest", folder / "copies"
        built = timed(
            [
                *(sys.executable, "-m", "nanokinetics", "build", "folder", "--quiet"),
                *("--src", str(source), "--n", str(n), "--dest", str(dest)),
                *("--failed-logs", str(folder / "logs")),
            ]
        )
        copied = copy(dest, source, copies)
        shutil.rmtree(dest)
        found.append((listing, chosen, copied, built))
    listing, chosen, copied, built = (
        statistics.median(column) for column in zip(*found, strict=True)
    )
    print(f"{CLASSES * files:,} files of {len(data):,} bytes, medians of {rounds} rounds")
    print(f"  find                     {listing:7.2f} s")
    print(f"  choosing                 {chosen:7.2f} s   {chosen / listing:5.2f} x find")
    print(f"  cp of {CLASSES * n:,} files       {copied:7.2f} s")
    print(f"  build of the same        {built:7.2f} s   {built / copied:5.2f} x cp")


def copy(dest: Path, source: Path, copies: Path) -> float:
    """Seconds that `cp` takes for the files of a build."""
    lists = (dest / "train.csv").read_text(encoding="utf-8").splitlines()
    paths = [line.split(" ")[0].removeprefix("train/") for line in lists]
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    command = ["xargs", "-0", "cp", "--parents", "-t", str(copies)]
    return timed(command, input="\0".join(paths).encode(), cwd=source)


def archived(folder: Path, gigabytes: float) -> None:
    archive = folder / "ILSVRC2012_img_train.tar"
    members = pack(archive, gigabytes)
    report = in_fresh_process(__file__, "take", folder)
    picked = sum(path.stat().st_size for path in (folder / "dest").rglob("*.JPEG"))
    least = 512 * (members + CLASSES) + picked
    print(
        f"{archive.stat().st_size / 1e9:.1f} GB of {members:,} images in {CLASSES} archives of one"
    )
    print(f"  5 of each class, bytes   {picked / 1e6:7.1f} MB")
    print(f"  headers and picks        {least / 1e6:7.1f} MB")
    print(f"  read                     {report['read'] / 1e6:7.1f} MB")
    print(f"  seconds                  {report['seconds']:7.2f}")
    print(f"  peak of the process      {report['peak'] / 1e6:7.1f} MB")


def pack(archive: Path, gigabytes: float) -> int:
    """Write an archive of archives, as ImageNet's, and return the number of its images."""
    pictures = [picture(6, seed) for seed in range(50)]
    each = int(gigabytes * 1e9 / CLASSES / statistics.mean(map(len, pictures)))
    with tarfile.open(archive, "w") as outer:
        for place in range(CLASSES):
            wnid = f"n{place:08d}"
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as inner:
                for number in range(each):
                    add(inner, f"{wnid}_{number}.JPEG", pictures[(place + number) % 50])
            add(outer, f"{wnid}.tar", packed.getvalue())
    return each * CLASSES


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def picture(scale: int, seed: int = 0) -> bytes:
    """A JPEG of noise: about 2 kB at scale 1, about 100 kB at scale 6."""
    draw = random.Random(seed)
    size = (64 * scale, 48 * scale)
    noise = Image.frombytes("RGB", size, draw.randbytes(size[0] * size[1] * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=70 if scale > 1 else 30)
    return out.getvalue()


def choose(source: Path) -> dict[str, float]:
    from nanokinetics import sample

    importlib.import_module("nanokinetics.selection.choose")  # and pandas
    began = time.perf_counter()
    sample("folder", src=source, n=5)
    return {"seconds": time.perf_counter() - began}


def take(folder: Path) -> dict[str, float]:
    from nanokinetics import build

    before = bytes_read()
    began = time.perf_counter()
    build(
        "imagenet",
        src=folder / "ILSVRC2012_img_train.tar",
        n=5,
        dest=folder / "dest",
        failed_logs=folder / "logs",
    )
    return {
        "seconds": time.perf_counter() - began,
        # Ended workers are included in the process's own count.
        "read": bytes_read() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def bytes_read() -> int:
    """Bytes that this process and its ended children have read.

    Raises OSError if the kernel does not count them.
    """
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    raise OSError("this kernel does not count what a process reads")


if __name__ == "__main__":
    main()
