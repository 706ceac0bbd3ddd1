"""The HTTP client: it follows what is safe, tries again what may pass, and says what is wrong."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from file_server import FileServer, Page, serving

from nanokinetics.common.fetch_errors import BrokenOffError, FetchError
from nanokinetics.common.http import Client, Retries
from nanokinetics.common.route import Route
from nanokinetics.demo.site import DemoSite


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


def read(url: str, route: Route | None = None, attempts: int = 3) -> bytes:
    waits: list[float] = []
    retries = Retries(attempts, sleep=waits.append)
    with Client(route or Route(), retries) as client, client.get(url) as answer:
        return b"".join(answer.pieces())


def refusal(url: str, route: Route | None = None, attempts: int = 3) -> str:
    with pytest.raises(FetchError) as refused:
        read(url, route, attempts)
    return str(refused.value)


def test_a_file_is_read_as_it_was_sent(server: FileServer) -> None:
    data = bytes(range(256)) * 1000
    server.pages["/a.csv"] = Page(data)
    assert read(server.url("/a.csv")) == data
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(server: FileServer, status: int) -> None:
    server.pages["/a.csv"] = Page(b"rows", statuses=[status, status])
    assert read(server.url("/a.csv")) == b"rows"
    assert len(server.asked) == 3


def test_the_waits_between_two_tries_grow_and_have_an_end(server: FileServer) -> None:
    server.pages["/a.csv"] = Page(status=503)
    waits: list[float] = []
    retries = Retries(8, first_wait=1, longest_wait=4, sleep=waits.append)
    with (
        Client(Route(), retries) as client,
        pytest.raises(FetchError),
        client.get(server.url("/a.csv")),
    ):
        pass
    assert len(waits) == 7
    assert max(waits) <= 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_asked_again(server: FileServer, status: int) -> None:
    server.pages["/a.csv"] = Page(status=status)
    assert refusal(server.url("/a.csv")).startswith(f"answered {status}")
    assert len(server.asked) == 1


def test_redirects_are_followed_and_counted(server: FileServer) -> None:
    server.pages["/old"] = Page(status=302, headers={"Location": "/new.csv"})
    server.pages["/new.csv"] = Page(b"rows")
    assert read(server.url("/old")) == b"rows"
    server.pages["/round"] = Page(status=301, headers={"Location": "/round"})
    assert refusal(server.url("/round")) == "is redirected more than 5 times"
    server.pages["/file"] = Page(status=302, headers={"Location": "file:///etc/passwd"})
    assert refusal(server.url("/file")) == "leads to file://, which is not followed"


def test_no_redirect_leads_from_https_to_http(server: FileServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server.pages["/a.csv"] = Page(b"rows")
    with serving(tls) as safe:
        safe.pages["/a.csv"] = Page(status=302, headers={"Location": server.url("/a.csv")})
        said = refusal(safe.url("/a.csv"), Route(ca_file=str(tmp_path / "ca.pem")))
    assert said == "leads from https to http, which is not followed"
    assert server.asked == []


def test_a_body_that_ends_early_is_noticed(server: FileServer) -> None:
    server.pages["/a.csv"] = Page(b"x" * 1000, breaks=[10])
    with pytest.raises(BrokenOffError, match="broke off"):
        read(server.url("/a.csv"))


def test_a_proxy_is_asked_for_the_whole_address(server: FileServer) -> None:
    server.pages["/a.csv"] = Page(b"rows")
    route = Route({"http": server.url("").replace("http://", "http://me:pa%20ss@")})
    assert read("http://nowhere.test/a.csv", route) == b"rows"
    assert server.asked[0].path == "http://nowhere.test/a.csv"
    assert server.asked[0].headers["proxy-authorization"] == "Basic bWU6cGEgc3M="


def test_a_host_of_no_proxy_is_asked_directly(server: FileServer) -> None:
    server.pages["/a.csv"] = Page(b"rows")
    away = {"http": "http://127.0.0.1:9", "no": "127.0.0.1"}
    assert read(server.url("/a.csv"), Route(away)) == b"rows"
    assert server.asked[0].path == "/a.csv"


def test_proxies_that_cannot_be_used_are_named() -> None:
    url = "http://nowhere.test/a.csv"
    assert "pip install 'urllib3[socks]'" in refusal(url, Route({"all": "socks5://127.0.0.1:9"}))
    assert "the proxy: cannot be reached" in refusal(url, Route({"all": "127.0.0.1:9"}), 1)
    assert "HTTP and SOCKS are known" in refusal(url, Route({"all": "ftp://127.0.0.1:9"}))


def test_certificates_are_checked_by_the_given_authorities(films: Path) -> None:
    with DemoSite(cache=films, files={"/a.csv": b"rows"}) as site:
        proxies = {"all": site.proxy_url}
        url = "https://annotations.demo.test/a.csv"
        assert read(url, Route(proxies, ca_file=str(site.ca_file))) == b"rows"
        assert "its certificate is not trusted here" in refusal(url, Route(proxies))
        assert read(url, Route(proxies, verify=False)) == b"rows"
        missing = Route(proxies, ca_file="/nowhere/ca.pem")
        assert "certificates of /nowhere/ca.pem cannot be read" in refusal(url, missing)


@pytest.mark.parametrize("url", ["http://", "http://exa mple/x", "http://a.test:99999999/x"])
def test_what_is_no_address_is_said_so(url: str) -> None:
    assert "is not an address" in refusal(url)


def test_without_network_it_says_so() -> None:
    assert refusal("http://nothing.invalid/x", attempts=1) == "no network, or no host of that name"
    assert refusal("http://127.0.0.1:9/x", attempts=1) == "cannot be reached"
