"""Texts made to be slow take time in proportion to their length, and the budget ends a scan within a rule."""

import pytest

from vestibule.detection import DetectionSettings, ScanBudgetExceeded, Scanner

SCANNER = Scanner.from_settings(DetectionSettings(scan_budget_ms=10_000))
PARTS = ("a.", "key=", "1 ", "1234 ", "a@", ":", "1.", "%40", "password is ", "passport 123456789 ", "-", "0x", "(1) ")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("label", ["", "phone ", "card iban passport "])
def test_slow_texts_are_within_the_budget(part: str, label: str) -> None:
    """Twenty thousand characters of one kind are scanned to the end, where the address is found."""
    found = SCANNER.scan(f"{label}{part * (20_000 // len(part))}\n\nwrite to ada@example.com")
    assert "EMAIL_ADDRESS" in {one.entity for one in found}


def test_budget_ends_a_scan_within_a_rule() -> None:
    """A long text full of findings is refused when the time is over."""
    scanner = Scanner.from_settings(DetectionSettings(scan_budget_ms=5, entities=frozenset({"EMAIL_ADDRESS"})))
    with pytest.raises(ScanBudgetExceeded):
        scanner.scan("ada@example.com " * 50_000)
