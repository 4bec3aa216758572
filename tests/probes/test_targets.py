"""Texts of targets, and their addresses through a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes.making import path_view
from wgfo.probes.targets import (
    parse_endpoint,
    parse_host,
    parse_host_port,
    parse_url,
    resolve_host,
    resolve_host_port,
    resolve_url,
    split_resolved_url,
)

PATH = path_view("wg0", targets={"db": "10.100.10.5", "web.example": "fd00::5", "odd": "elsewhere"})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.20.1.10", "10.20.1.10"),
        ("FD00:0::10", "fd00::10"),
        ("db", "db"),
        ("db-1.example_x", "db-1.example_x"),
    ],
)
def test_a_host_is_an_address_or_a_name(text: str, canonical: str) -> None:
    assert parse_host(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "10.20.1.300", "10.20.1", "a b", "-x", "x-", "a..b", "db:80", "fd00::g", "[::1]"]
)
def test_what_is_no_host_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither an IP address such as 10\.20\.1\.10 nor the name"):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("10.20.1.10:443", "10.20.1.10:443"), ("[FD00::1]:80", "[fd00::1]:80"), ("db:65535", "db:65535")],
)
def test_a_port_follows_the_host(text: str, canonical: str) -> None:
    assert parse_host_port(text) == canonical


@pytest.mark.parametrize(
    "text", ["db", "db:", "db:x", "db:0", "db:65536", "fd00::1:80", "10.20.1.300:80", ":80", "db:٣"]
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"target|port"):
        parse_host_port(text)


@pytest.mark.parametrize(
    "text",
    ["https://db/", "http://10.20.1.10:8080/health?x=1", "http://[fd00::1]/", "https://db.example:443"],
)
def test_a_url_stays_as_it_is_written(text: str) -> None:
    assert parse_url(text) == text


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("db/health", "not a URL"),
        ("ftp://db/", "not a URL"),
        ("http://", "not a URL"),
        ("http://db:99999/", "not a URL"),
        ("http://[fd00::1/", "not a URL"),
        ("http://db/ at 10.0.0.1", "percent-encode"),
        ("http://db/ü", "percent-encode"),
        ("http://me:secret@db/", "secrets never stand in targets"),
        ("http://db/#part", "remove #part"),
        ("http://10.20.1.300/", "neither an IP address"),
    ],
)
def test_what_is_no_url_is_refused(text: str, because: str) -> None:
    with pytest.raises(ValueError, match=because):
        parse_url(text)


def test_a_secret_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="secrets") as caught:
        parse_url("http://me:hunter2@db/")
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_as_a_value_error(text: str) -> None:
    for parse in (parse_host, parse_host_port, parse_url, parse_endpoint):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - any text may also be accepted


# --- addresses through a path -----------------------------------------------------------------------------


def test_a_name_becomes_its_address_and_an_address_stays() -> None:
    assert resolve_host("db", PATH) == "10.100.10.5"
    assert resolve_host("10.20.1.10", PATH) == "10.20.1.10"
    assert resolve_host_port("db:5432", PATH) == "10.100.10.5:5432"
    assert resolve_host_port("web.example:443", PATH) == "[fd00::5]:443"
    assert resolve_host_port("[fd00::9]:443", PATH) == "[fd00::9]:443"


def test_a_name_without_an_address_says_where_to_give_it() -> None:
    with pytest.raises(ValueError, match=r"'app' has no address through path 'p'.*db.*targets = \{ app ="):
        resolve_host("app", PATH)


def test_a_name_whose_address_is_none_says_so() -> None:
    with pytest.raises(ValueError, match="'odd' is 'elsewhere', which is no address"):
        resolve_host("odd", PATH)


def test_a_url_keeps_its_name_and_goes_to_the_address() -> None:
    resolved = resolve_url("https://db:8443/x", PATH)
    assert split_resolved_url(resolved) == ("https://db:8443/x", "10.100.10.5")


def test_a_url_s_host_is_found_whatever_its_case() -> None:
    assert split_resolved_url(resolve_url("http://DB/", PATH)) == ("http://DB/", "10.100.10.5")


def test_a_url_with_an_address_or_a_name_for_dns_stays() -> None:
    for url in ("http://10.20.1.10/", "https://example.org/"):
        assert split_resolved_url(resolve_url(url, PATH)) == (url, None)


def test_an_endpoint_of_ipv6_is_written_as_the_kernel_writes_it() -> None:
    assert parse_endpoint("FD00:0:0::1").host == "fd00::1"
    assert parse_endpoint("fe80::1%lo").zone == "lo"
