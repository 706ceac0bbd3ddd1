"""The control: a clip that could be made, asked for again to see whether anything can be made."""

from __future__ import annotations

from nanokinetics.clip import Clip
from nanokinetics.engine.control import KEPT, Control


def clip(number: int) -> Clip:
    return Clip(f"key{number}", "train", "yoga", f"v{number:010d}", 1, 2)


def test_where_nothing_was_ever_made_there_is_none() -> None:
    assert not Control(iter(()), iter(())).is_there


def test_the_latest_of_this_run_comes_before_those_of_earlier_runs() -> None:
    control = Control(iter([clip(0)]), iter(()))
    control.made(clip(1))
    control.made(clip(2))
    assert control.is_there
    job = control.job("youtube")
    assert (job.clips, job.anew) == ((clip(2),), True)


def test_one_of_an_earlier_run_will_do() -> None:
    control = Control(iter([clip(0), clip(1)]), iter(()))
    assert control.is_there
    assert control.job("youtube").clips == (clip(0),)


def test_it_is_asked_for_once_at_a_time() -> None:
    control = Control(iter([clip(0)]), iter(()))
    assert control.is_there
    control.want()
    assert control.is_wanted
    control.job("youtube")
    control.want()
    assert not control.is_wanted, "it is on its way"
    control.back()
    control.want()
    assert control.is_wanted


def test_one_that_has_gone_makes_room_for_another_until_there_is_none() -> None:
    control = Control(iter([clip(0)]), iter(()))
    for number in range(1, KEPT + 3):
        control.made(clip(number))
    seen = []
    while control.is_there:
        seen.extend(control.job("youtube").clips)
        control.back()
        control.has_gone()
    assert seen == [clip(5), clip(4), clip(3), clip(0)]


def test_where_nothing_was_ever_made_a_reserve_is_tried_that_proves_nothing_by_failing() -> None:
    control = Control(iter(()), iter([clip(7), clip(8)]))
    assert (control.is_there, control.is_proven) == (True, False)
    assert control.job("youtube").clips == (clip(7),)
    control.back()
    control.has_gone()
    assert control.is_there
    assert control.job("youtube").clips == (clip(8),)
    control.back()
    control.made(clip(1))
    assert control.is_proven
    assert control.job("youtube").clips == (clip(1),)
