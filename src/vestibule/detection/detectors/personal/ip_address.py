"""IPv4 and IPv6 addresses."""

import socket

from vestibule.detection.rules import Detector, Rule

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"


def is_ipv6(value: str) -> bool:
    """Let the system's own parser decide. Source: RFC 4291, section 2.2."""
    try:
        socket.inet_pton(socket.AF_INET6, value)
    except OSError:
        return False
    # "::" and a few characters are a scope operator in many languages before they are an address.
    return sum(char != ":" for char in value) >= 3 or value == "::1"


DETECTOR = Detector(
    entity="IP_ADDRESS",
    rules=(
        Rule(
            name="v4",
            pattern=rf"{_OCTET}(?:\.{_OCTET}){{3}}",
            prefilter=r"\d\.\d{1,3}\.\d{1,3}\.\d",
            score=0.6,
            not_after=r"\w.-",
            not_before=r"\w-",
        ),
        Rule(
            name="v4-defanged",
            pattern=rf"{_OCTET}(?:(?:\[\.\]|\(\.\)|\[dot\]){_OCTET}){{3}}|{_OCTET}(?:\.{_OCTET}){{2}}(?:\[\.\]|\(\.\)|\[dot\]){_OCTET}",
            prefilter=r"\d(?:\[\.\]|\(\.\)|\[dot\])\d",
            score=0.6,
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
    against=("version", "release", "firmware", "build"),
    examples=(
        "from [[192.168.10.4]]:443",
        "seen at [[198[.]51[.]100[.]23]] and [[198.51.100(.)23]]",
        "[[2001:db8::8a2e:370:7334]]",
        "[[::ffff:192.0.2.1]]",
        "ping [[8.8.8.8]].",
    ),
    counter_examples=("version 1.2.3.4", "256.1.1.1", "1.2.3", "std::vector", "12:30:45", "v10.0.0.1"),
    sources=("RFC 791", "RFC 4291", "RFC 5952"),
)
