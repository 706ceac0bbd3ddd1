"""Decides whether a written file is the requested clip, before the file gets its final name.

Pure: `measure` has measured the file; here the result is compared with the window and with the
length of the video.
"""

from __future__ import annotations

from typing import Final

from nanokinetics.clip import Media
from nanokinetics.errors import Failure, Reason

SHORTEST: Final = 1.0
"""The shortest clip in seconds, if the video ends inside the window."""

HEADER_SLACK: Final = 0.1
"""Seconds by which a header may exceed the picture's length: sound is often a little longer."""

LONGEST_GAP: Final = 1.0
"""Longest frame in seconds that counts as part of the video. A longer one may be a gap."""


def judge(
    window: tuple[float, float],
    media: Media | None,
    *,
    passed: bool,
    ends_at: float | None,
    whole: bool,
) -> Failure | None:
    """None if the file holds the window; otherwise the failure.

    window: start and end, in seconds of the video.
    media: the measured file; None if it has no picture.
    passed: whether a frame after the window was met. Then all of the window was read, however far
        apart its frames are.
    ends_at: the end of the video in seconds, from its header; None if unknown.
    whole: whether the video was read from a complete local copy. If not, the connection may have
        been cut, and a short result is `truncated`.
    """
    start, end = window
    wanted = end - start
    got = media.ends if media else 0.0
    # One frame of this file: some videos have one frame per second.
    tolerance = min(media.longest_frame, LONGEST_GAP) + 0.002 if media else 0.05
    if media and media.last > wanted + tolerance:
        return Failure(
            Reason.UNDECODABLE,
            f"a frame at {media.last:.2f} s came out of a window of {wanted:g} s",
        )
    if media and (passed or got >= wanted - tolerance):
        return None
    if passed:
        return Failure(
            Reason.TOO_SHORT, f"one picture stands still in the window {start:g}-{end:g}"
        )
    left = max(0.0, ends_at - start) if ends_at is not None else wanted
    if not whole and not (left < wanted and got >= left - tolerance - HEADER_SLACK):
        return Failure(Reason.TRUNCATED, f"{got:.2f} s of {min(left, wanted):.2f} s arrived")
    if media is None and left > tolerance + HEADER_SLACK and ends_at is not None:
        return Failure(Reason.UNDECODABLE, "no picture came out of a window within the video")
    if media is None:
        last = f" ends at {ends_at:.2f} s" if ends_at is not None else " ends"
        return Failure(
            Reason.OUTSIDE_VIDEO, f"the video{last}, before the window {start:g}-{end:g}"
        )
    return too_short(window, got)


def too_short(window: tuple[float, float], got: float) -> Failure | None:
    """The failure of a clip of which too little exists. got: seconds from the window's start."""
    start, end = window
    if got < min(SHORTEST, (end - start) / 2):
        return Failure(Reason.TOO_SHORT, f"only {got:.2f} s of the window {start:g}-{end:g} exist")
    return None
