"""One check decides whether an address may be sent to, and connects only to what was checked."""

import ipaddress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.egress.guard import AddressProblem, DeliveryForbidden, EgressGuard, EgressOrigin, seconds_until

OPEN = EgressGuard(frozenset({"https"}), frozenset(), is_private_allowed=False, timeout_s=1)
OPERATORS = EgressGuard(frozenset({"https"}), frozenset(), is_private_allowed=False, timeout_s=1, is_operators=True)
ONE_HOST = EgressGuard(frozenset({"https"}), frozenset({"intake.example"}), is_private_allowed=False, timeout_s=1)


def _problem(guard: EgressGuard, url: str) -> AddressProblem | None:
    try:
        guard.check_address(url)
    except DeliveryForbidden as error:
        return error.problem
    return None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://intake.example/hook?a=b", None),
        ("https://INTAKE.example:8443/", None),
        ("https://93.184.216.34/", None),
        ("https://[2606:4700::1111]/", None),
        ("http://intake.example/", AddressProblem.SCHEME),
        ("file:///etc/passwd", AddressProblem.SCHEME),
        ("intake.example", AddressProblem.SCHEME),
        ("https:///hook", AddressProblem.MALFORMED),
        ("https://[::1", AddressProblem.MALFORMED),
        ("https://intake.example:port/", AddressProblem.MALFORMED),
        ("https://intake.example:0/", AddressProblem.MALFORMED),
        ("https://intake.example:99999/", AddressProblem.MALFORMED),
        ("https://intake.example\\@127.0.0.1/", AddressProblem.MALFORMED),
        ("https://intake.example/ho\nok", AddressProblem.MALFORMED),
        ("https://intake.example/höok", AddressProblem.MALFORMED),
        (" https://intake.example/", AddressProblem.MALFORMED),
        ("https://user:word@intake.example/", AddressProblem.HAS_CREDENTIALS),
        ("https://intake.example/#part", AddressProblem.HAS_CREDENTIALS),
        ("https://127.0.0.1/", AddressProblem.PRIVATE),
        ("https://169.254.169.254/latest/", AddressProblem.PRIVATE),
        ("https://[::ffff:10.0.0.1]/", AddressProblem.PRIVATE),
        ("https://[fe80::1%25eth0]/", AddressProblem.PRIVATE),
        ("https://[2002:0a00:0001::1]/", AddressProblem.PRIVATE),
        ("https://[64:ff9b::a9fe:a9fe]/", AddressProblem.PRIVATE),
        ("https://[64:ff9b::808:808]/", None),
        ("https://[64:ff9b:1::7f00:1]/", AddressProblem.PRIVATE),
        ("https://[::127.0.0.1]/", AddressProblem.PRIVATE),
        ("https://[::ffff:0:127.0.0.1]/", AddressProblem.PRIVATE),
        ("https://[fec0::1]/", AddressProblem.PRIVATE),
        ("https://224.0.0.1/", AddressProblem.PRIVATE),
    ],
)
def test_a_caller_can_name_public_https_addresses_only(url: str, problem: AddressProblem | None) -> None:
    """Every other address is refused before a name is resolved, with the reason."""
    assert problem is _problem(OPEN, url)


def test_a_list_of_hosts_narrows() -> None:
    """A host that merely begins or ends like an allowed one is another."""
    hosts = ("intake.example", "intake.example.evil.example", "evil-intake.example", "evil.example")
    problems = [_problem(ONE_HOST, f"https://{host}/") for host in hosts]
    assert [None, *[AddressProblem.HOST] * 3] == problems


def test_an_operator_may_name_credentials() -> None:
    """Alertmanager behind basic authentication stays reachable; its scheme and host are checked all the same."""
    assert EgressOrigin("https", "intake.example", 443) == OPERATORS.check_address(
        "https://user:word@intake.example/#part"
    )
    assert AddressProblem.SCHEME is _problem(OPERATORS, "http://user:word@intake.example/")


def test_an_origin_is_allowed_at_its_port_only() -> None:
    """A private receiver that is named can be reached, and nothing else on its host."""
    guard = EgressGuard.for_origins(["http://127.0.0.1:9000", "https://hooks.internal"], 1)
    assert None is _problem(guard, "http://127.0.0.1:9000/hook")
    assert None is _problem(guard, "https://hooks.internal:443/")
    assert "127.0.0.1" == guard.connect_address(guard.check_address("http://127.0.0.1:9000/hook"))
    for url in ("http://127.0.0.1:9093/", "https://127.0.0.1:9000/", "http://hooks.internal/", "https://example.org/"):
        assert _problem(guard, url) is not None, url


def test_a_wildcard_is_every_public_host() -> None:
    """It never includes private addresses."""
    guard = EgressGuard.for_origins(["https://*"], 1)
    problems = [_problem(guard, url) for url in ("https://example.org/", "http://example.org/", "https://10.0.0.1/")]
    assert [None, AddressProblem.SCHEME, AddressProblem.PRIVATE] == problems
    with pytest.raises(DeliveryForbidden, match="not public"):
        guard.connect_address(guard.check_address("https://localhost/"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://a/path",
        "https://u@a",
        "https://*.a",
        "http://a:0",
    ],
)
def test_what_is_no_origin_is_an_error(text: str) -> None:
    """A list with a mistake in it is refused at start, not read as something else."""
    with pytest.raises(ValueError, match="must be origins"):
        EgressGuard.for_origins([text], 1)


@given(st.ip_addresses())
def test_no_private_address_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Whatever the address is, an allowed one is global by the registries of IANA."""
    host = f"[{address}]" if address.version == 6 else str(address)
    if _problem(OPEN, f"https://{host}/") is None:
        assert address.is_global


@given(st.text(max_size=40))
def test_an_allowed_address_connects_to_its_host(rest: str) -> None:
    """Any text either is refused with a reason, or has the host that the parser of the standard library reads."""
    url = f"https://{rest}"
    if _problem(OPEN, url) is None:
        assert urlsplit(url).hostname == OPEN.check_address(url).host
        assert "@" not in urlsplit(url).netloc


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        ("x", 0, 0),
        ("0", 0, 0),
        ("7", 7, 7),
        (" 7 ", 7, 7),
        ("86400", 3600, 3600),
        ("9" * 400, 3600, 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2999 07:28:00 GMT", 3600, 3600),
        ("-5", 0, 0),
        ("1.5", 0, 0),
        ("soon", 0, 0),
        ("Wed, 99 Oct 2999 07:28:00 GMT", 0, 0),
        ("", 0, 0),
    ],
)
def test_when_a_receiver_wants_it_is_seconds_or_a_date(header: str, least_s: float, most_s: float) -> None:
    """As RFC 9110 has it; an hour at most, and nothing where it cannot be read."""
    assert least_s <= seconds_until(header) <= most_s
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    assert 300 < seconds_until(soon) <= 600
