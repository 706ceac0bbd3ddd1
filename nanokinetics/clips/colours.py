"""HDR pictures, in BT.2020 with the curve of PQ or HLG, as SDR in BT.709.

Loaders ignore what a file says of its colours. To them, HDR that was only made 8 bits wide is grey.
The curves are those of ITU-R BT.2100. Light is measured in units of 100 cd/m2; the brightest is
1000 cd/m2. Hable's curve maps it to what SDR can show.
"""

from __future__ import annotations

import re
from typing import Any, Final

HDR: Final = ("smpte2084", "arib-std-b67")
"""The names of PQ and HLG in ffmpeg."""

_BT709: Final = "bt709"
_BRIGHTEST: Final = 10

_STREAM: Final = re.compile(rf"^ *Stream #0:\d+.*: Video: .*\b({'|'.join(HDR)})\b", re.MULTILINE)


def curve_in(log: str) -> str:
    """The transfer curve of an HDR picture in ffmpeg's log; empty if it is not HDR."""
    inputs = log.partition("\nOutput #0")[0]
    found = _STREAM.search(inputs)
    return found[1] if found else ""


def tone_mapped(picture: Any, curve: str) -> Any:
    """Map light, then colours, by ffmpeg's own filters."""
    return (
        picture.filter(
            "zscale", tin=curve, pin="bt2020", min="bt2020nc", transfer="linear", npl=100
        )
        .filter("format", "gbrpf32le")
        .filter("zscale", primaries=_BT709)
        .filter("tonemap", tonemap="hable", desat=0, peak=_BRIGHTEST)
        .filter("zscale", transfer=_BT709, matrix=_BT709, range="tv")
        .filter("format", "yuv420p")
    )


def roughly_tone_mapped(picture: Any, curve: str) -> Any:
    """Map colours, then the light of red, green and blue each by itself, in whole numbers.

    It is for an ffmpeg without zscale. Values differ by a few steps from those of `tone_mapped`.
    """
    light = f"{_PQ if curve == HDR[0] else _HLG}/{_BRIGHTEST}"
    shown = f"{_hable(f'({_BRIGHTEST}*{_V})')}/{_hable(str(_BRIGHTEST))}"
    return (
        picture.filter("scale", in_color_matrix="bt2020", flags="accurate_rnd+full_chroma_int")
        .filter("format", "gbrp16le")
        .filter("lutrgb", **dict.fromkeys("rgb", f"clip(maxval*{light},0,maxval)"))
        .filter("colorchannelmixer", **_TO_BT709)
        .filter("lutrgb", **dict.fromkeys("rgb", f"maxval*pow(clip({shown},0,1),1/2.4)"))
        .filter("scale", out_color_matrix=_BT709, out_range="tv")
        .filter("format", "yuv420p")
        .filter("setparams", colorspace=_BT709, color_primaries=_BT709, color_trc=_BT709)
    )


_TO_BT709: Final = dict(
    zip(
        ("rr", "rg", "rb", "gr", "gg", "gb", "br", "bg", "bb"),
        (1.6605, -0.5876, -0.0728, -0.1246, 1.1329, -0.0083, -0.0182, -0.1006, 1.1187),
        strict=True,
    )
)
"""Light of BT.2020 in the primaries of BT.709 (ITU-R BT.2087)."""


def _hable(x: str) -> str:
    """Hable's curve as ffmpeg's `tonemap` has it. After it comes the inverse of BT.1886, 1/2.4."""
    return f"(({x}*({x}*0.15+0.05)+0.004)/({x}*({x}*0.15+0.5)+0.06)-0.0666667)"


_V: Final = "(val/maxval)"
_PQ: Final = (
    f"100*pow(max(pow({_V},1/78.84375)-0.8359375,0)"
    f"/(18.8515625-18.6875*pow({_V},1/78.84375)),1/0.1593017578125)"
)
_HLG: Final = (
    f"10*pow(if(lte({_V},0.5),{_V}*{_V}/3,(exp(({_V}-0.55991073)/0.17883277)+0.28466892)/12),1.2)"
)
