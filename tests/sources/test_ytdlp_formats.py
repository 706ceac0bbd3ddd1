"""Which formats are left after some were refused."""

from __future__ import annotations

from nanokinetics.sources.ytdlp_formats import MOST, Choice, Format, is_plain


def _format(name: str, vcodec: str = "none", acodec: str = "none", protocol="https") -> Format:
    return {"format_id": name, "vcodec": vcodec, "acodec": acodec, "protocol": protocol}


PICTURES = [_format(f"picture {i}", "avc1") for i in range(4)]
SOUNDS = [_format(f"sound {i}", acodec="mp4a") for i in range(4)]
BOTH = _format("both", "avc1", "mp4a")
LIST = _format("list", "avc1", "mp4a", "m3u8_native")
ALL = [*PICTURES, *SOUNDS, BOTH, LIST]


def _left(choice: Choice) -> list[list[str]]:
    return [[each["format_id"] for each in left] for left in choice.left()]


def test_one_refused_format_leaves_the_others():
    choice = Choice(ALL, audio=True)
    choice.refuse([SOUNDS[0]])
    first, second = _left(choice)
    assert first == second == [each["format_id"] for each in ALL if each is not SOUNDS[0]]


def test_after_two_of_a_kind_other_kinds_come_first():
    choice = Choice(ALL, audio=True)
    choice.refuse(SOUNDS[:1])
    choice.refuse(SOUNDS[1:2])
    first, second = _left(choice)
    assert not any("sound" in name for name in first)
    assert [name for name in second if "sound" in name] == ["sound 2", "sound 3"]
    assert {"both", "list", "picture 0"} <= set(first)


def test_there_is_an_end():
    choice = Choice([_format(str(i), "avc1") for i in range(99)], audio=True)
    for i in range(MOST):
        choice.refuse([_format(str(i), "avc1")])
        assert _left(choice)
    choice.refuse([_format("98", "avc1")])
    assert _left(choice) == []


def test_a_choice_has_picture_and_the_sound_that_the_video_has():
    for audio in (True, False):
        choice = Choice(ALL, audio=audio)
        assert choice.accepts([PICTURES[0], SOUNDS[0]])
        assert choice.accepts([BOTH])
        assert choice.accepts([PICTURES[0]]) is not audio
        assert not choice.accepts([SOUNDS[0]])
    assert Choice(PICTURES, audio=True).accepts([PICTURES[1]])


def test_a_list_of_segments_is_no_plain_file():
    assert is_plain(BOTH)
    assert not is_plain(LIST)
