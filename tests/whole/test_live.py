"""Live videos, and servers that never come to an end: no clip waits for ever."""

from __future__ import annotations

import time

import pytest
from helpers import FAST, SMALL, Row, kept, youtube_id

from nanokinetics.demo.scenario import Fault, Form, Live, Scenario, Video

pytestmark = pytest.mark.slow

ROWS = [Row("yoga", youtube_id(i), 3, 4) for i in range(3)]
IMPATIENT = "first_wait=0.01,longest_wait=0.02,start_up=1,slowest=20,opening=2,repacking=2"


@pytest.mark.parametrize("live", ["now", "processing", "unsaid"])
@pytest.mark.parametrize("forms", [("hls",), ("hls", "fragmented")])
def test_a_live_video_is_replaced_at_once(bench, live: Live, forms: tuple[Form, ...]):
    first = next(iter(kept(ROWS, 1)))
    if live == "unsaid" and len(forms) > 1:
        pytest.skip("a whole file beside a moving list is no live video")
    scenario = Scenario({first.youtube_id: Video(SMALL, forms, live=live)}, Video(SMALL))
    made = bench(scenario, ROWS, 1, *FAST)
    began = time.monotonic()
    assert made.run().code == 0
    assert time.monotonic() - began < 20
    made.holds(kept(ROWS, 1, {first.youtube_id}))
    assert made.reasons() == {first.youtube_id: "not_yet_available"}
    assert made.site.media_bytes(first.youtube_id) == 0
    made.site.replace(Scenario(default=Video(SMALL)))
    assert made.run("--retry-failed").code == 0
    made.holds(kept(ROWS, 1))


@pytest.mark.parametrize("form", ["hls", "progressive", "webm"])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(bench, form: Form):
    """Each byte comes before the connection counts as silent, and the last one never comes."""
    made = bench(
        Scenario({ROWS[0].youtube_id: Video(SMALL, (form,), rate=400)}, Video(SMALL)),
        ROWS[:1],
        1,
        *FAST,
    )
    began = time.monotonic()
    made.run(NANOKINETICS_PATIENCE=IMPATIENT)
    assert time.monotonic() - began < 40
    assert made.reasons() == {ROWS[0].youtube_id: "timeout"}
    made.site.replace(Scenario(default=Video(SMALL, (form,))))
    assert made.run().code == 0
    made.holds(ROWS[:1])


@pytest.mark.parametrize("where", ["watch", "player"])
def test_a_page_that_never_ends_is_given_up(bench, where):
    fault = Fault(where, "stall", after_bytes=10)
    trickle = Scenario({ROWS[0].youtube_id: Video(SMALL, faults=(fault,))}, Video(SMALL))
    made = bench(trickle, ROWS[:1], 1, *FAST)
    began = time.monotonic()
    made.run(NANOKINETICS_PATIENCE=IMPATIENT)
    assert time.monotonic() - began < 30
    assert made.reasons() == {ROWS[0].youtube_id: "timeout"}
    made.site.replace(Scenario(default=Video(SMALL)))
    assert made.run().code == 0
    made.holds(ROWS[:1])
