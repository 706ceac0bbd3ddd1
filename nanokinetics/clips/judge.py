"""Is what was written the clip that was asked for? Decided before a file gets its name.

Pure: what a file holds was read back by `media`, and is judged here against what the window and
the video's length allow.
"""

from __future__ import annotations

from typing import Final

from nanokinetics.clip import Media
from nanokinetics.errors import Failure, Reason

SHORTEST: Final = 1.0
"""Seconds below which the rest of a video that ends inside its window is no clip."""

HEADER_SLACK: Final = 0.1
"""Seconds by which a video's header may overstate its picture: sound is often a little longer."""

LONGEST_GAP: Final = 1.0
"""Seconds up to which a frame that stands still is taken for the video's own doing."""


def judge(
    window: tuple[float, float],
    media: Media | None,
    *,
    ends_at: float | None,
    whole: bool,
) -> Failure | None:
    """None if the file holds its window; otherwise why it does not.

    window: start and end, in seconds of the video.
    media: what the written file holds; None if it holds no picture.
    ends_at: where the video ends by its own header, in seconds; None if unknown.
    whole: the video was read from a complete local copy. Then what came out is all there is; a
        window read over a connection may instead have been cut short (`truncated`).
    """
    start, end = window
    wanted = end - start
    got = media.duration if media else 0.0
    # One frame, as it stands in this very file: films of one frame a second exist.
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
