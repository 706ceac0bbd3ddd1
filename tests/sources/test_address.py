"""Runs share a budget if a site sees them at one address: the same host, by the same proxy."""

from __future__ import annotations

import os

import pytest

from nanokinetics.config import NetworkConfig
from nanokinetics.sources.address import address_of

HOST = "www.youtube.com"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def address(**network: str) -> str:
    return address_of(HOST, NetworkConfig(**network))  # type: ignore[arg-type]


def test_without_a_proxy_it_is_the_host() -> None:
    assert address() == HOST
    assert address(yt_dlp_args="--force-ipv4 --retries 3") == HOST


@pytest.mark.parametrize("args", ["--proxy http://p:80", "--proxy=http://p:80", "-4 --proxy p:80"])
def test_a_proxy_is_the_same_wherever_it_is_named(
    args: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address(yt_dlp_args=args) == address(proxy="http://p:80") == f"{HOST} by @p:80"
    monkeypatch.setenv("https_proxy", "http://p:80")
    assert address() == f"{HOST} by @p:80"
    assert address(proxy="") == HOST


def test_the_password_is_no_part_of_it_and_the_user_is() -> None:
    one, two = (address(proxy=f"http://user:{secret}@p:80") for secret in ("S3cr3t", "other"))
    assert one == two == f"{HOST} by user@p:80"
    assert address(proxy="http://another@p:80") != one


def test_another_address_of_this_machine_is_another_one() -> None:
    assert address(yt_dlp_args="--source-address 10.0.0.7") == f"{HOST} by 10.0.0.7"


@pytest.mark.parametrize("args", ["--proxy", "'", "--proxy http://[p"])
def test_what_yt_dlp_refuses_is_no_error_here(args: str) -> None:
    assert address(yt_dlp_args=args) == HOST
