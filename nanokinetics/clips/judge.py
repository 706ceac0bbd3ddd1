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
    ends_at: float | None,
    whole: bool,
) -> Failure | None:
    """None if the file holds the window; otherwise the failure.

    window: start and end, in seconds of the video.
    media: the measured file; None if it has no picture.
    ends_at: the end of the video in seconds, from its header; None if unknown.
    whole: whether the video was read from a complete local copy. If not, the connection may have
        been cut, and a short result is `truncated`.
    """
    start, end = window
    wanted = end - start
    got = media.duration if media else 0.0
    # One frame of this file: some videos have one frame per second.
    tolerance = min(media.longest_frame, LONGEST_GAP) + 0.002 if media else 0.05
    if media and abs(got - wanted) <= tolerance:
        return None
    if got > wanted:
        return Failure(Reason.UNDECODABLE, f"{got:.2f} s came out of a window of {wanted:g} s")
    left = max(0.0, ends_at - start) if ends_at is not None else wanted
    if not whole and not (left < wanted and got >= left - tolerance - HEADER_SLACK):
        return Failure(Reason.TRUNCATED, f"{got:.2f} s of {min(left, wanted):.2f} s arrived")
    if got == 0 and left > tolerance + HEADER_SLACK and ends_at is not None:
        return Failure(Reason.UNDECODABLE, "no picture came out of a window within the video")
    if got == 0:
        last = f" ends at {ends_at:.2f} s" if ends_at is not None else " ends"
        return Failure(
            Reason.OUTSIDE_VIDEO, f"the video{last}, before the window {start:g}-{end:g}"
        )
    if got < min(SHORTEST, wanted / 2):
        return Failure(Reason.TOO_SHORT, f"only {got:.2f} s of the window {start:g}-{end:g} exist")
    return None
