"""YouTube as a source: how it wants to be asked."""

from __future__ import annotations

import pytest

from nanokinetics.config import NetworkConfig, PaceOptions, VideoConfig
from nanokinetics.errors import InputError
from nanokinetics.sources.youtube import ABREAST, YouTube

YOUTUBE = YouTube(NetworkConfig(), VideoConfig())


@pytest.mark.parametrize("first", [60, 7200])
def test_starts_are_spaced_by_a_tenth_of_the_first_wait(first: float) -> None:
    policy = YOUTUBE.policy(PaceOptions(first_wait=first))
    assert (policy.first_wait, policy.spacing, policy.abreast) == (first, first / 10, ABREAST)


@pytest.mark.parametrize(
    ("asked", "cookies", "budget"),
    [(None, False, 300), (None, True, 2000), (7, False, 7), (7, True, 7), (0, False, 0)],
)
def test_the_hourly_budget_follows_the_account(
    asked: int | None, cookies: bool, budget: int
) -> None:
    assert YOUTUBE.policy(PaceOptions(asked, has_account=cookies)).per_hour == budget


def test_options_that_yt_dlp_cannot_use_are_refused() -> None:
    with pytest.raises(InputError, match="no such option"):
        YouTube(NetworkConfig(yt_dlp_args="--no-such-option"), VideoConfig()).check()
