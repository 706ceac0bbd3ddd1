"""Every text that YouTube is known to say of a video, and what it means.

The texts are in `playability.toml`. Each goes through the real extractor, from the player's answer.
"""

from __future__ import annotations

import functools
import json
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import ONE_CLIENT, SMALL, youtube_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.demo.failures import Screen, ScriptedFailure
from nanokinetics.demo.scenario import Fault, Scenario, Video
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import LONGEST_MESSAGE, Failure, Kind, Reason
from nanokinetics.sources import Fetcher, playability
from nanokinetics.sources.diagnosis import HttpProblem, of_yt_dlp
from nanokinetics.sources.playability import TEXTS, Playability, read
from nanokinetics.sources.youtube import YouTube


class Row(NamedTuple):
    """A text, and what it means: a reason, `outdated` or `unknown`."""

    means: str
    about: str
    status: str
    reason: str
    subreason: str

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.reason, self.subreason)))

    def is_right(self, failure: object) -> bool:
        if not isinstance(failure, Failure):
            return False
        outdated, unknown = self.means == "outdated", self.means in ("outdated", "unknown")
        reason = Reason.UNEXPLAINED if unknown else Reason(self.means)
        return (failure.reason, failure.outdated) == (reason, outdated)


def _rows() -> list[Row]:
    known = tomllib.loads(Path(__file__).with_name("playability.toml").read_text("utf-8"))
    return [
        Row(means, table["about"], *text[:3])
        for means, table in known.items()
        for text in table["texts"]
    ]


ROWS = _rows()
PLAYED = {youtube_id(i, "t"): row for i, row in enumerate(ROWS) if row.status != "yt-dlp"}
VIDEO = Video(SMALL, ("progressive",))
ID, OTHER = youtube_id(0, "a"), youtube_id(0, "b")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSite]:
    with DemoSite(Scenario(), cache=tmp_path_factory.mktemp("films")) as site:
        yield site


@functools.cache
def fetcher(site: DemoSite, more: str = "") -> Fetcher:
    network = NetworkConfig(proxy=site.proxy_url, yt_dlp_args=f"{ONE_CLIENT} {more}")
    return YouTube(network, VideoConfig()).fetcher()


def told(site: DemoSite, failure: ScriptedFailure | None, *faults: Fault) -> Failure:
    """What comes of one answer of the player."""
    video = replace(VIDEO, failure=failure, faults=faults)
    site.replace(Scenario({ID: video, OTHER: VIDEO}))
    found = fetcher(site).open(ID)
    assert isinstance(found, Failure)
    return found


# -- the whole list


def test_the_list_is_long_and_says_each_thing_once() -> None:
    assert len(ROWS) > 150
    assert len({row[2:] for row in ROWS}) == len(ROWS)


def test_every_answer_of_the_player_gets_its_meaning(site: DemoSite) -> None:
    videos = {
        name: replace(VIDEO, failure=ScriptedFailure(*row[2:])) for name, row in PLAYED.items()
    }
    site.replace(Scenario(videos))
    ask = fetcher(site)
    found = {name: ask.open(name) for name in PLAYED}
    wrong = [(row, found[name]) for name, row in PLAYED.items() if not row.is_right(found[name])]
    assert wrong == []


def _message_alone(row: Row) -> Failure:
    """Of a fault of its own, yt-dlp says that it did not expect it."""
    expected = row.about != "site"
    return of_yt_dlp(f"ERROR: [youtube] {ID}: {'. '.join(row.texts)}", expected=expected)


def _answer_alone(row: Row) -> Failure:
    said = [Playability(row.status, row.texts)]
    return of_yt_dlp("No video formats found!", expected=False, said=said)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[2:])[:60])
def test_every_message_of_yt_dlp_gets_its_meaning(row: Row) -> None:
    """So it is also where the player's answer cannot be read."""
    if row.texts and row.status not in ("AGE_CHECK_REQUIRED", "LIVE_STREAM_OFFLINE"):
        assert row.is_right(_message_alone(row))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[2:])[:60])
def test_what_a_text_is_about_decides_what_is_done(row: Row) -> None:
    failure = _message_alone(row) if row.status == "yt-dlp" else _answer_alone(row)
    assert row.is_right(failure)
    kinds = {
        "block": {Kind.BLOCKED},
        "address": {Kind.CONDITIONAL},
        "account": {Kind.CONDITIONAL},
        "video": {Kind.PERMANENT, Kind.CONDITIONAL},
        "client": {Kind.ENVIRONMENT},
        "site": {Kind.TRANSIENT},
        "unknown": set[Kind](),
    }
    assert failure.reason is Reason.UNEXPLAINED or failure.kind in kinds[row.about]


@pytest.mark.parametrize("line", TEXTS, ids=lambda line: line[0][:40])
def test_every_line_of_the_table_is_needed(
    line: tuple[str, Reason], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a line that is needed, some text gets another meaning, or none."""
    if line[1] is Reason.DISK_FULL:
        return  # no text of YouTube's
    monkeypatch.setattr(playability, "TEXTS", [other for other in TEXTS if other != line])
    assert not all(row.is_right(_message_alone(row)) for row in ROWS if row.reason)


# -- where the texts lie


@pytest.mark.parametrize("screen", ["message", "interstitial", "slate", "captcha", "none"])
def test_a_text_counts_wherever_the_answer_holds_it(site: DemoSite, screen: Screen) -> None:
    said = ScriptedFailure("UNPLAYABLE", "Video unavailable", screen=screen)
    wanted = {"captcha": Reason.BOT_CHECK}.get(screen, Reason.UNAVAILABLE)
    assert told(site, said).reason is wanted
    if screen in ("message", "interstitial", "slate"):
        private = told(site, replace(said, subreason="This video is private"))
        assert private.reason is Reason.PRIVATE
        assert "This video is private" in private.message


def test_a_live_event_that_ended_has_no_formats_yet(site: DemoSite) -> None:
    """YouTube calls some of them OK."""
    for screen in ("none", "slate"):
        failure = told(site, ScriptedFailure("OK", "This live event has ended.", screen=screen))
        assert failure.reason is Reason.NOT_YET_AVAILABLE


def test_texts_for_apps_count_too(site: DemoSite) -> None:
    only = ScriptedFailure("ERROR", screen="none", messages=("This video is private",))
    failure = told(site, only)
    assert (failure.reason, failure.message) == (Reason.PRIVATE, "This video is private")
    more = ScriptedFailure("ERROR", "Video unavailable", messages=("Content isn't in English",))
    assert told(site, more).reason is Reason.UNAVAILABLE
    more = ScriptedFailure(
        "UNPLAYABLE", "Video unavailable", messages=("Sign in to confirm you're not a bot",)
    )
    assert told(site, more).reason is Reason.BOT_CHECK


def test_a_trailer_is_not_taken_for_the_video(site: DemoSite) -> None:
    failure = told(site, ScriptedFailure("UNPLAYABLE", trailer=OTHER))
    assert failure.reason is Reason.MEMBERS_ONLY
    assert "trailer" in failure.message
    failure = told(site, ScriptedFailure("LIVE_STREAM_OFFLINE", trailer=OTHER))
    assert failure.kind is Kind.CONDITIONAL


def test_a_video_that_plays_in_a_browser_is_not_gone(site: DemoSite) -> None:
    """So it is with videos made for kids, if yt-dlp has no JavaScript runtime."""
    failure = told(
        site, ScriptedFailure("UNPLAYABLE", "This video is not available", plays_in_browser=True)
    )
    assert failure.reason is Reason.NO_FORMATS
    assert "JavaScript" in failure.remedy
    gone = ScriptedFailure("LOGIN_REQUIRED", "This video is private", plays_in_browser=True)
    assert told(site, gone).reason is Reason.PRIVATE, "a reason is a reason"


def test_the_most_specific_word_of_several_clients_counts() -> None:
    unavailable = Playability("UNPLAYABLE", ("Video unavailable", "This content isn't available."))
    private = Playability("LOGIN_REQUIRED", ("Private video",))
    bot = Playability("LOGIN_REQUIRED", ("Sign in to confirm you're not a bot",))
    old = Playability("UNPLAYABLE", ("The following content is not available on this app.",))
    message = "Video unavailable. This content isn't available."
    for said, reason in [
        ([unavailable], Reason.UNAVAILABLE),
        ([unavailable, private], Reason.PRIVATE),
        ([unavailable, private, bot], Reason.BOT_CHECK),
        ([unavailable, old], Reason.UNEXPLAINED),
        ([old, private], Reason.PRIVATE),
    ]:
        failure = of_yt_dlp(message, expected=True, said=said)
        assert failure.reason is reason, said
        assert failure.message.startswith("Video unavailable. This content isn't available")
    assert failure.message.endswith("Private video")


def test_an_unknown_text_is_told_once_and_completely(site: DemoSite) -> None:
    unknown = ScriptedFailure(
        "UNPLAYABLE", "The hamster is tired", messages=("It wants a carrot.",)
    )
    assert told(site, unknown).message == "The hamster is tired. It wants a carrot"
    assert of_yt_dlp("The hamster is tired", expected=True).message == "The hamster is tired"
    assert of_yt_dlp("The hamster is tired", expected=False).message == "The hamster is tired"


def test_the_log_has_every_answer_of_the_player(site: DemoSite) -> None:
    told(site, ScriptedFailure("UNPLAYABLE", "The hamster is tired", "It wants a carrot."))
    lines = fetcher(site).log().splitlines()
    assert lines.count("YouTube: | UNPLAYABLE | The hamster is tired | It wants a carrot.") == 2


def test_sentences_end_with_one_full_stop() -> None:
    said = "The following content is not available on this app.. Watch on the latest version."
    assert of_yt_dlp(said, expected=True).message == said.replace("..", ".")


def test_an_unknown_text_is_no_verdict_whatever_request_failed() -> None:
    said = [Playability("UNPLAYABLE", ("Video nicht verfügbar",))]
    missing = [HttpProblem("watch", 404, None, "HTTP Error 404: Not Found")]
    failure = of_yt_dlp("Video nicht verfügbar", expected=True, problems=missing, said=said)
    assert (failure.reason, failure.message) == (Reason.UNEXPLAINED, "Video nicht verfügbar")


def test_a_client_that_the_player_does_not_know_is_too_old(site: DemoSite) -> None:
    failure = told(site, None, Fault("player", "status", 400))
    assert (failure.reason, failure.http_status) == (Reason.SERVER_ERROR, 400)
    assert failure.outdated


def test_words_that_yt_dlp_did_not_have_from_youtube_write_nothing_off() -> None:
    """A page of a hotel's network may hold any word."""
    page = "Failed to parse JSON (caused by \"Expecting value in 'Copyright 2026. Please log in'\")"
    assert of_yt_dlp(page, expected=False).kind is Kind.TRANSIENT
    assert of_yt_dlp("Too Many Requests", expected=False).kind is Kind.BLOCKED


# -- the language


@pytest.mark.parametrize("more", ["", "--extractor-args youtube:lang=de"])
def test_youtube_is_asked_in_english(site: DemoSite, more: str) -> None:
    site.replace(Scenario(default=VIDEO))
    before = len(site.log)
    assert not isinstance(fetcher(site, more).open(ID), Failure)
    asked = [request.language for request in site.log[before:] if request.kind == "player"]
    assert set(asked) == {"en"}


# -- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>ytInitialPlayerResponse = {",
        b"<html>ytInitialPlayerResponse = {}</html>",
        b"[]",
        b"{",
        b'{"playabilityStatus": null}',
        b'{"playabilityStatus": "OK"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_status_says_nothing(body: bytes) -> None:
    assert read(body) is None


def test_an_answer_that_nests_too_deep_keeps_its_status() -> None:
    screen = '{"again": [' * 300 + '{"reason": "deep"}' + "]}" * 300
    status = f'{{"status": "ERROR", "reason": "Video unavailable", "errorScreen": {screen}}}'
    answer = read(f'{{"playabilityStatus": {status}}}'.encode())
    assert answer == Playability("ERROR", ("Video unavailable",))


def test_a_text_without_end_costs_no_time() -> None:
    flood = "content from claim by on level: " * 100_000
    status = {"status": "ERROR", "reason": flood, "messages": [f"{i} {flood}" for i in range(30)]}
    answer = read(json.dumps({"playabilityStatus": status}).encode())
    assert answer is not None
    began = time.process_time()
    failure = of_yt_dlp(flood, expected=True, said=[answer])
    assert time.process_time() - began < 1
    assert len(failure.message) <= LONGEST_MESSAGE


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*"ab", "reason"]), inner),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    status=st.fixed_dictionaries(
        {},
        optional={
            "status": anything,
            "reason": anything,
            "messages": anything,
            "errorScreen": anything,
            "liveStreamability": anything,
        },
    )
)
def test_any_status_can_be_read(status: dict[str, object]) -> None:
    answer = read(json.dumps({"playabilityStatus": status}).encode())
    assert answer is not None
    assert all(isinstance(text, str) and text for text in answer.texts)
    of_yt_dlp("No video formats found!", expected=False, said=[answer])
