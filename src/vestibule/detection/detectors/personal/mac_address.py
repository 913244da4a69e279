"""Hardware addresses of network cards."""

from vestibule.detection.rules import Detector, Rule


def is_station(value: str) -> bool:
    """Exclude the null address and the broadcast address. Source: IEEE 802."""
    return len({char for char in value.lower() if char not in ":-."}) > 1


DETECTOR = Detector(
    entity="MAC_ADDRESS",
    rules=(
        Rule(
            name="pairs",
            pattern=r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}",
            prefilter=r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]",
            score=0.8,
            check=is_station,
            not_after=r"\w:-",
            not_before=r"\w:-",
        ),
        Rule(
            name="dotted",
            pattern=r"(?:[0-9A-Fa-f]{4}\.){3,12}[0-9A-Fa-f]{4}|(?P<value>[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})",
            prefilter=r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
            score=0.6,
            check=is_station,
            not_after=r"\w.-",
            not_before=r"\w-",
        ),
    ),
    labels=("mac", "mac address", "hwaddr", "ether", "bssid", "ethernet", "hardware address", "physical address"),
    examples=("ether [[00:1b:44:11:3a:b7]]", "[[00-1B-44-11-3A-B7]]", "Vlan1 [[001b.4411.3ab7]]"),
    counter_examples=(
        "ff:ff:ff:ff:ff:ff",
        "00:1b:44:11:3a",
        "12:30:45",
        "0000.0000.0000",
        "4539.6415.2677.6642",
        "00:1b:44:11:3a:b7:9c:01",
    ),
    sources=("IEEE 802-2014, clause 8",),
)
