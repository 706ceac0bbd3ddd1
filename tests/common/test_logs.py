"""The log of a build: dated lines, with neither secrets nor what acts upon a terminal."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nanokinetics.common.logs import logger, logging_to
from nanokinetics.errors import InputError


def test_each_line_is_dated_and_says_who_speaks(
    tmp_path: Path, zone: Callable[[str], None]
) -> None:
    zone("Asia/Kolkata")
    path = tmp_path / "new" / "build.log"
    for word in ("first", "second"):
        with logging_to(path):
            logger("nanokinetics.engine").debug("the %s run", word)
    logger("nanokinetics.engine").warning("nobody hears this")
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    for line, word in zip(lines, ("first", "second"), strict=True):
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:30 DEBUG   nanokinetics\.engine: the "
            rf"{word} run",
            line,
        )


def test_secrets_and_escapes_are_taken_out_whoever_listens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "nanokinetics"):
        logger("nanokinetics.sources").info("via %s", "http://me:hunter2@proxy \x1b]0;PWNED\x07")
    (text,) = caplog.messages
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert "proxy" in text


def test_a_log_that_cannot_be_written_is_refused_by_its_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"--log .*file/build\.log: "),
        logging_to(tmp_path / "file" / "build.log"),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(Path("/dev/full")):
        for number in range(3):
            logger("nanokinetics.engine").info("line %d", number)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--log /dev/full ends here: No space left on device" in said
