"""Fetches annotation files into the user's cache: once, whole, and by one run at a time.

A fetch that was interrupted goes on where it ended, if the server's file is still the same.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from nanokinetics.annotations.catalog import Listed, is_url
from nanokinetics.annotations.streams import LARGEST
from nanokinetics.annotations.unfinished import Unfinished
from nanokinetics.common.fetch_errors import BrokenOffError, FetchError
from nanokinetics.common.files import digest_of
from nanokinetics.common.http import Answer, Client
from nanokinetics.common.logs import logger
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import size
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.progress import Fetching, Reporter, ShowsFetching

_HTML: Final = re.compile(rb"(?is)\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b")


_log = logger(__name__)


def fetched(listed: Listed, client: Client, reporter: Reporter) -> Path:
    """The file on this machine; it is fetched if it is not there yet.

    Raises InputError if the file that lies there is not the one that the catalogue means.
    Raises EnvironmentFault, with the place to put the file, if no address gives it.
    """
    try:
        found = listed.here or _fetch(listed, client, reporter)
        _check_known(found, listed)
    except OSError as error:
        raise EnvironmentFault(
            f"{error.filename or listed.place}: {error.strerror or error}; see to the cache, or "
            "let XDG_CACHE_HOME name another folder for it"
        ) from None
    return found


def _check_known(path: Path, listed: Listed) -> None:
    if listed.sha256 is None:
        return
    with path.open("rb") as file:
        digest = digest_of(file)
    if digest != listed.sha256:
        raise InputError(
            f"{path}: is not the file that the catalogue names (its sha256 is {digest}, not "
            f"{listed.sha256}); remove it, and it is fetched again"
        )


def _fetch(listed: Listed, client: Client, reporter: Reporter) -> Path:
    place = listed.place
    place.parent.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with _alone(place, reporter):
        if place.is_file():  # another run has fetched it
            return place
        for url in listed.urls:
            if faults:
                reporter.say(f"warning: {faults[-1]}; trying the next address")
            if not is_url(url):
                faults.append(f"{url}: there is no such file")
                continue
            try:
                _Fetch(url, listed, client, reporter).run()
            except FetchError as error:
                faults.append(mask(f"{url}: {error}"))
            else:
                return place
    raise EnvironmentFault(
        f"{place.name} cannot be had: {'; '.join(faults)}. See to the network or --proxy, or put "
        f"the file at {place} yourself; then run the same command again"
    )


@contextlib.contextmanager
def _alone(place: Path, reporter: Reporter) -> Iterator[None]:
    """Keep other runs from fetching the same file, and wait while one of them does."""
    lock = FileLock(place.with_name(f".{place.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        reporter.say(f"another run fetches {place.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class _Fetch:
    """One file from one address. `run` raises FetchError if that gives no usable file."""

    def __init__(self, url: str, listed: Listed, client: Client, reporter: Reporter) -> None:
        self._url = url
        self._listed = listed
        self._client = client
        self._reporter = reporter
        place = listed.place
        self._part = Unfinished(place.with_name(f".{place.name}.part"))
        self._total: int | None = None

    def run(self) -> None:
        try:
            self._make()
        except BaseException:
            self._show(self._part.size, is_over=True, failed=True)
            raise
        self._show(self._listed.place.stat().st_size, is_over=True)
        _log.info("fetched %s from %s", self._listed.place, self._url)

    def _make(self) -> None:
        while True:
            before = self._part.size
            try:
                self._client.retries.retrying(_is_broken)(self._read)
                break
            except BrokenOffError:
                if self._part.size <= before:  # it breaks off again and again, without progress
                    raise
        try:
            self._check()
        except FetchError:
            self._part.remove()
            raise
        self._part.commit(self._listed.place)

    def _read(self) -> None:
        have, known = self._part.size, self._part.validator(self._url)
        wanted = {"Range": f"bytes={have}-", "If-Range": known} if known else {}
        try:
            with self._client.get(self._url, wanted) as answer:
                self._keep(answer, have if answer.status == 206 else 0)
        except FetchError as error:
            if error.status != 416 or not wanted:  # 416: the part is as long as the file, or longer
                raise
            self._part.remove()
            self._read()

    def _keep(self, answer: Answer, have: int) -> None:
        """Write the body of an answer. have: bytes of the part that it continues."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise FetchError("sends the file packed, which was not asked for")
        if answer.status == 206:
            if not _begins_at(answer, have):
                self._part.remove()
                raise BrokenOffError("answered with another part of the file", passes=True)
            file = self._part.go_on()
        else:
            file = self._part.begin(self._url, _validator(answer))
        self._total = None if answer.length is None else have + answer.length
        with file:
            self._show(have)
            for piece in answer.pieces():
                have += len(piece)
                if max(have, self._total or 0) > LARGEST:
                    self._part.remove()
                    raise FetchError(f"has more than {size(LARGEST)}, too much for annotations")
                file.write(piece)
                self._show(have)

    def _show(self, have: int, *, is_over: bool = False, failed: bool = False) -> None:
        if isinstance(self._reporter, ShowsFetching):
            name, url = self._listed.place.name, mask(self._url)
            self._reporter.fetching(
                Fetching(name, url, have, self._total, is_over=is_over, failed=failed)
            )

    def _check(self) -> None:
        """Raises FetchError for what is not the file."""
        with self._part.path.open("rb") as file:
            head = file.read(4096)
            if not head:
                raise FetchError("sent an empty file")
            if _HTML.match(head):
                raise FetchError("sent a web page, and not annotations")
            file.seek(0)
            digest = digest_of(file) if self._listed.sha256 else None
        if digest != self._listed.sha256:
            raise FetchError(
                f"sent another file than the catalogue names (its sha256 is {digest}, not "
                f"{self._listed.sha256})"
            )


def _is_broken(error: BaseException) -> bool:
    return isinstance(error, BrokenOffError)


def _validator(answer: Any) -> str:
    """What identifies a version of a file in `If-Range` (RFC 9110, 13.1.5): no weak tag does."""
    tag = answer.headers.get("ETag") or ""
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified") or ""


def _begins_at(answer: Answer, first: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
    return found is not None and int(found[1]) == first
