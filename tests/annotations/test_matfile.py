"""MATLAB files: the table of classes in them, and an error from what is damaged."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from nanokinetics.annotations.matfile import MatFileError, structures

FIELDS = ("ILSVRC2012_ID", "WNID")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["H", "d"])
def test_numbers_and_texts_are_read_however_they_are_stored(order, compressed, kind):
    found = list(structures(trees.meta_mat(order, compressed, kind), (*FIELDS, "words")))
    assert found[: len(trees.CLASSES)] == [
        (number, wnid, name) for wnid, (number, name) in trees.CLASSES.items()
    ]
    assert [number for number, _, _ in found[len(trees.CLASSES) :]] == [1001, 1002, 1003]


@pytest.mark.parametrize("compressed", [True, False])
def test_what_scipy_writes_is_read(compressed):
    numpy, scipy_io = pytest.importorskip("numpy"), pytest.importorskip("scipy.io")
    rows: Any = numpy.zeros(
        (1860, 1), dtype=[("WNID", "O"), ("gloss", "O"), ("ILSVRC2012_ID", "O")]
    )
    for i in range(len(rows)):
        rows[i, 0] = (f"n{i:08d}", "an \u00e9 " * (i % 9), numpy.uint16(i + 1))
    out = io.BytesIO()
    scipy_io.savemat(out, {"x": numpy.arange(4), "synsets": rows}, do_compression=compressed)
    expected = [(i + 1, f"n{i:08d}") for i in range(len(rows))]
    assert list(structures(out.getvalue(), FIELDS)) == expected


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no MATLAB file"),
        (b"1 n01440764\n" * 20, "is no MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(600), r"7\.3.*save it with -v7"),
        (trees.meta_mat()[:-9], "is damaged"),
        (trees.meta_mat()[:128], "has no structures with ILSVRC2012_ID and WNID"),
        (trees.meta_mat().replace(b"MATLAB 5.0", b"other"), "is no MATLAB file"),
    ],
)
def test_what_is_no_such_table_is_said(data, says):
    with pytest.raises(MatFileError, match=says):
        list(structures(data, FIELDS))


def test_a_table_without_the_fields_is_not_taken():
    with pytest.raises(MatFileError, match="has no structures with x"):
        list(structures(trees.meta_mat(), ("x",)))


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(128, 3000), st.integers(0, 255)), min_size=1),
    compressed=st.booleans(),
)
def test_damage_gives_an_error_or_a_table_and_nothing_else(changes, compressed):
    data = bytearray(trees.meta_mat(compressed=compressed))
    for at, value in changes:
        data[at % len(data)] = value
    with contextlib.suppress(MatFileError):
        list(structures(bytes(data), FIELDS))
