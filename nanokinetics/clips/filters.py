"""What happens to picture and sound between decoder and encoder.

A window is cut by time: it holds the frames whose time lies in it, once each. So every ffmpeg gives
the same frames, also of videos whose frames come at uneven times.
"""

from __future__ import annotations

import re
from typing import Any, Final

from nanokinetics.clips.colours import roughly_tone_mapped, tone_mapped
from nanokinetics.config import VideoConfig

SOUND_BEHIND: Final = 1.5
"""Seconds by which sound may come after its picture in one file. YouTube's files stay below one."""

_TOLD_EVERY: Final = 0.25
"""Seconds of sound after which ffmpeg tells how far the sound is."""


def shape(
    picture: Any, video: VideoConfig, seconds: float | None, curve: str = "", *, zscale: bool = True
) -> Any:
    """Cut the picture at the end of the window, and give it the wanted size, rate and colours.

    seconds: length of the window; None for a whole video. Times count from the window's start.
    curve: the transfer curve of an HDR picture, one of HDR; empty for others. zscale: whether
    ffmpeg has this filter.
    """
    if seconds is not None:
        # `print` tells of the first frame after the window, which `trim` then drops.
        after = f"gte(t,{seconds - _ROUNDING:.6f})"
        picture = picture.filter("select", f"if({after},print(t,{_INFO}),1)")
        picture = picture.filter("trim", end=f"{seconds:.6f}")
    # Both sides shrink by one factor until the shorter one fits. 4:2:0 needs even sides.
    factor = f"min(1,{video.resolution}/min(iw,ih))"
    picture = picture.filter(
        "scale", f"max(2,2*round(iw*{factor}/2))", f"max(2,2*round(ih*{factor}/2))"
    )
    if curve:
        picture = (tone_mapped if zscale else roughly_tone_mapped)(picture, curve)
    return picture.filter("fps", video.fps) if video.fps else picture


def sound(seconds: float, *, told: bool) -> str:
    """The filters that cut the sound at the end of the window, as an option of ffmpeg.

    told: whether ffmpeg tells how far the sound is, for `SoundIsOver`.
    """
    # Negative numbers tell of sound. Zero would drop it.
    tell = f"aselect='if(gte(t,ld(0)),st(0,t+{_TOLD_EVERY});print(-1-t,{_INFO}),1)',"
    return f"{tell if told else ''}atrim=end={seconds:.6f}"


def paced(graph: str, seconds: float) -> str:
    """The same graph of filters, but frames after the window pass no faster than PACE.

    An ffmpeg that reads, decodes and filters in threads of their own would otherwise have read
    megabytes before it notices that it may finish.
    """
    source, rest = graph.split("]", 1)
    past = f"select='gte(t,{seconds:.6f})',realtime=speed={PACE},nullsink"
    return f"{source}]split[shown][past];[past]{past};[shown]{rest}"


PACE: Final = 10
"""Seconds of video a second."""

_ROUNDING: Final = 0.0005
"""Seconds. Expressions know times as floating-point numbers, `trim` as whole ticks."""

_INFO: Final = 32
"""The level at which ffmpeg logs what an expression prints."""

_TOLD: Final = re.compile(r"^(?:\[Eval @ \w+\] )?(-?\d+\.\d{6})\s*$", re.MULTILINE)


def passed(log: str) -> bool:
    """Whether ffmpeg met a frame after the window, so that the whole window was read."""
    return any(float(number) > 0 for number in _TOLD.findall(log))


class SoundIsOver:
    """Listens to ffmpeg's log: has the picture passed the window while no sound is left to come?

    ffmpeg would read a file that holds both to its end, in search of sound. Call it with each line.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sound = 0.0

    def __call__(self, line: str) -> bool:
        told = _TOLD.match(line)
        if not told:
            return False
        number = float(told[1])
        if number < 0:
            self._sound = -1 - number
        return number > 0 and self._sound < self._seconds - SOUND_BEHIND
