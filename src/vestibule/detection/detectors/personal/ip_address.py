"""IPv4 and IPv6 addresses."""

import re
import socket

from vestibule.detection.rules import Detector, Rule

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DOT = r"(?:\[\.\]|\(\.\)|\[dot\])"
# The loopback (127) and the unspecified address (0) identify no one.
_FIRST_OCTET = r"(?:25[0-5]|2[0-4]\d|1[013-9]\d|12[0-689]|[1-9]\d?)"
# Object identifiers and telephone numbers have more parts than an address.
_MORE_PARTS = r"\d{1,9}+(?:\.\d{1,9}+){4,12}+"
_PRIVATE = re.compile(
    r"10\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\."
)
_FIRST_MULTICAST = 224
# The groups in use: local control, internetwork control and those of an organization. Source: RFC 5771 and RFC 2365.
_MULTICAST_V4 = re.compile(r"224\.0\.[01]\.|239\.(?:19[2-5]|255)\.")
# The parts of a version or of a section's number add up to less, those of one in 6,000 addresses do.
_LEAST_SUM = 64


def is_host(value: str) -> bool:
    """Tell the address of a host from networks, groups, netmasks, versions and the numbers of sections."""
    if value.endswith(".0.0") or _MULTICAST_V4.match(value) or (value.startswith("255") and _NETMASK.fullmatch(value)):
        return False
    if _PRIVATE.match(value):
        return True
    parts = value.split(".")
    return sum(map(int, parts)) >= _LEAST_SUM or len(set(parts)) == 1


def is_routable(value: str) -> bool:
    """Tell whether a host of the public network may have the address. Source: RFC 6890."""
    address = ".".join(_PART.findall(value))
    return not _PRIVATE.match(address) and 0 < int(address.partition(".")[0]) < _FIRST_MULTICAST and is_host(address)


def is_ipv6(value: str) -> bool:
    """Let the system's own parser decide. Source: RFC 4291, section 2.2."""
    try:
        address = socket.inet_pton(socket.AF_INET6, value)
    except OSError:
        return False
    # "::" and a few characters are a scope operator in many languages before they are an address.
    is_long = sum(char != ":" for char in value) >= 3
    is_mapped = address.startswith(_MAPPED) and address[12] in {0, 127}
    return is_long and not is_mapped and address[0] != _MULTICAST and address.removesuffix(b"\x01") not in _UNSPECIFIED


_NETMASK = re.compile(r"255\.255\.\d+\.(?:0|128|192|2[24]\d|25[0-4])")
_PART = re.compile(r"\d+")
_MULTICAST = 0xFF
# The loopback and the unspecified address of IPv4 in IPv6. Source: RFC 4291, section 2.5.5.2.
_MAPPED = bytes(10) + b"\xff\xff"
_UNSPECIFIED = (bytes(15), bytes(16))

DETECTOR = Detector(
    entity="IP_ADDRESS",
    rules=(
        Rule(
            name="v4",
            pattern=rf"{_MORE_PARTS}|(?P<value>{_FIRST_OCTET}(?:\.{_OCTET}){{3}})",
            prefilter=r"\d\.\d{1,3}\.\d{1,3}\.\d",
            score=0.6,
            check=is_host,
            broken_score=0.3,
            proof=is_routable,
            not_after=r"\w.-",
            not_before=r"\w-",
        ),
        Rule(
            name="v4-defanged",
            pattern=rf"{_OCTET}(?:{_DOT}{_OCTET}){{3}}|{_OCTET}(?:\.{_OCTET}){{2}}{_DOT}{_OCTET}",
            prefilter=rf"\d{_DOT}\d",
            score=0.6,
            proof=is_routable,
        ),
        Rule(
            name="v6",
            pattern=r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?",
            prefilter=r"(?:::[0-9A-Fa-f]|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:|[0-9A-Fa-f]::)",
            score=0.85,
            check=is_ipv6,
            not_after=r"\w:.-",
            not_before=r"\w:",
        ),
    ),
    labels=(
        "ip",
        "ips",
        "ip address",
        "ipv4",
        "ipv6",
        "host",
        "server",
        "gateway",
        "dns",
        "address",
        "addr",
        "client",
        "remote",
        "from",
        "peer",
    ),
    against=(
        *(
            "version",
            "release",
            "firmware",
            "build",
            "ver",
            "rv",
            "rev",
            "revision",
            "upgrade",
            "upgraded",
            "downgrade",
        ),
        *(
            "section",
            "sections",
            "chapter",
            "clause",
            "subsection",
            "oid",
            "abschnitt",
            "kapitel",
            "sección",
            "chapitre",
        ),
    ),
    examples=(
        "from [[192.168.10.4]]:443",
        "seen at [[198[.]51[.]100[.]23]] and [[198.51.100(.)23]]",
        "[[2001:db8::8a2e:370:7334]]",
        "[[::ffff:192.0.2.1]]",
        "ping [[8.8.8.8]].",
        "node [[198.51.100.23]]",
        "request from [[1.2.3.4]]",
    ),
    counter_examples=(
        "version 1.2.3.4",
        "256.1.1.1",
        "1.2.3",
        "std::vector",
        "12:30:45",
        "v10.0.0.1",
        "127.0.0.1",
        "mdns 224.0.0.251 query",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::1",
        "0:0:0:0:0:0:0:1",
        "255.255.255.0",
        "Chrome/131.0.0.0",
        "section 1.2.3.4",
        "1.3.6.1.4.1",
        "rv:1.9.2.20",
        "node 10.0.0.4",
    ),
    sources=("RFC 791", "RFC 4291", "RFC 5952"),
)
