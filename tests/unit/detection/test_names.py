"""Tests of what is found in names, whose separators part words."""

import pytest

from vestibule.detection import DetectionSettings, Scanner
from vestibule.detection.names import readings

SCANNER = Scanner.from_settings(DetectionSettings())
CARD, IBAN, KEY = "4539148803436467", "DE89370400440532013000", "ghp_Wq3kT9xLmB7vRz2YcN5sHd8JfP4gA61Eu0Xo"


@pytest.mark.parametrize("form", ["{}", "job-{}", "job_{}", "job.{}", "job-{}-x", "job_{}_x", "a-b.c_{}..x"])
@pytest.mark.parametrize("value", [CARD, IBAN, KEY])
def test_separators_hide_nothing(form: str, value: str) -> None:
    """In a text, `-` and `_` glue a value to its neighbours; in a name they part them."""
    assert SCANNER.scan(readings(form.format(value)))


@pytest.mark.parametrize("name", [f"job{IBAN}", f"a{CARD}", f"user{CARD}x", f"nightly-job{IBAN}-2", f"payTo{IBAN}now"])
def test_letters_hide_nothing(name: str) -> None:
    """In a name, a number may stand right behind a word."""
    assert SCANNER.scan(readings(name))


@pytest.mark.parametrize(
    "name",
    [
        "nightly-backup",
        "db_backup.prod",
        "node-10-0-0-12",
        "backup.10.20.30.40",
        "cert-renewal-2026-11-30",
        "nightly-2026-11-30T10-00-00Z",
        "build-1733000000123",
        "build1733000000123",
        "v20261130101500",
        "k8s-job-28734560",
        "vm-5eb471c3-bd19-4da3-8e96-fbd3776f9db0",
        "sha-22aa171102caaf7d05521210a58a0aca38980254",
        "password-rotation",
        "0af7651916cd43dd8448eb211c80319c",
    ],
)
def test_usual_names_are_clean(name: str) -> None:
    """Dates, versions, hosts and ids of jobs are no findings."""
    assert not SCANNER.scan(readings(name))
