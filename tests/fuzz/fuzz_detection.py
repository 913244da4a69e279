#!/usr/bin/env python3
"""Fuzz the scanner with atheris: no crash, no offset outside the text, no scan beyond its budget.

usage: python tests/fuzz/fuzz_detection.py -max_total_time=60

Not part of the test suite: atheris has no wheel for every platform.
"""

import sys
import time

import atheris

with atheris.instrument_imports(include=["vestibule.detection"]):
    from vestibule.detection import ScanBudgetExceeded, Scanner, redact

SCANNER = Scanner.from_settings()
MOST_SECONDS = 5.0


def check_one(data: bytes) -> None:
    """Scan one text, under one key, and hold the result to its laws."""
    provider = atheris.FuzzedDataProvider(data)
    key = provider.ConsumeUnicode(16) or None
    text = provider.ConsumeUnicode(4_096)
    began = time.perf_counter()
    try:
        found = SCANNER.scan(text, key=key)
    except ScanBudgetExceeded:
        found = []
    if time.perf_counter() - began > MOST_SECONDS:
        raise RuntimeError("a scan went on after its budget")
    edges = [edge for finding in found for edge in (finding.start, finding.end)]
    if edges != sorted(edges) or any(not 0 <= f.start < f.end <= len(text) for f in found):
        raise RuntimeError(f"wrong offsets: {found}")
    redact(text, found)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check_one)
    atheris.Fuzz()
