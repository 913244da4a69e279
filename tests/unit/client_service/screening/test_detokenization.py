"""Tokenized values are opened for a reason, and never unseen."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vestibule.alerts import Alert, AlertArchive, AlertEngine, AlertSettings, AlertType, build_alert_engine
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.entries import ChangeKind, Entry, History, Revision
from vestibule.contracts.errors import KeyNotFound, PersonalDataFound, TokenRetired, Unavailable, UnknownToken
from vestibule.database_client.entries import EntryClient
from vestibule.encryption import KeyRingFile, Purpose, Tokenizer
from vestibule.encryption.key_file import add_key, create_key_ring, retire_key
from vestibule.policy import Situation
from vestibule.policy.policy import PolicyFile
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary

NORTH, SOUTH, OTHER = Situation("/reveal", "t-1", "north"), Situation("/reveal", "t-2", "south"), Situation("/reveal")


class _Reading:
    """A screener that rejects reasons with an e-mail address."""

    async def refuse_findings(self, field: str, text: str) -> None:
        if "@" in text:
            raise PersonalDataFound(f"Request rejected: `{field}` contains EMAIL_ADDRESS.")

    async def scan(self, text: str) -> list[str]:
        return ["EMAIL_ADDRESS"] if "@" in text else []


class _Stored:
    """The entries of a tenant: each key has the versions 1 to 3, and the first is not kept."""

    async def read(self, key: str) -> Entry:
        if key == "gone":
            raise KeyNotFound("No entry has that key.")
        return Entry(key=key, value="the third", version=3)

    async def history(self, key: str) -> History:
        now = datetime.now(UTC)
        kept = [(3, "the third"), (2, "the second")]
        return History(
            key=key,
            revisions=[Revision(version=n, kind=ChangeKind.WRITTEN, at=now, value=value) for n, value in kept],
        )


ENTRIES: EntryClient = _Stored()  # type: ignore[assignment]


class _Kept:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)


@pytest.fixture
def kept() -> _Kept:
    """A channel that keeps what it gets."""
    return _Kept()


@pytest.fixture
def ring(tmp_path: Path) -> KeyRingFile:
    """A ring of its own."""
    create_key_ring(tmp_path / "keyring.json")
    return KeyRingFile(tmp_path / "keyring.json")


@pytest.fixture
def revealing(tmp_path: Path, ring: KeyRingFile, kept: _Kept) -> Detokenizer:
    """Revealing, with two tenants."""
    path = tmp_path / "policy.toml"
    path.write_text('[tenants]\nnorth = "N"\nsouth = "S"')
    policies = PolicyFile(path, read_vocabulary())
    engine = AlertEngine("client", {"kept": kept}, lambda *_: None)
    screener: Screener = _Reading()  # type: ignore[assignment]
    return Detokenizer(screener, Tokenizer(ring), policies, engine)


async def test_a_value_is_opened_for_its_tenant(revealing: Detokenizer, ring: KeyRingFile, kept: _Kept) -> None:
    """The alert is raised before, with the reason and without the value; another tenant's token is unknown."""
    token = Tokenizer(ring).tokenize("jane@example.org", "EMAIL_ADDRESS", "N")
    value, alert, _ = await revealing.reveal(token, "ticket 42", NORTH)
    assert ("jane@example.org", AlertType.REVEAL) == (value, alert.type)
    assert "Reveal of a value of the kind EMAIL_ADDRESS; reason given: ticket 42" in alert.description
    for unknown_caller in (SOUTH, OTHER):
        with pytest.raises(UnknownToken):
            await revealing.reveal(token, "ticket 43", unknown_caller)
    assert [AlertType.REVEAL] * 3 == [alert.type for alert in kept.alerts]
    assert not any("jane" in alert.description for alert in kept.alerts)


@pytest.mark.parametrize("token", ["", "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS.v1.00000000.AAAA>", "ключ", "<X" * 1000])
async def test_what_is_no_token_is_unknown(revealing: Detokenizer, kept: _Kept, token: str) -> None:
    """And the try is alerted, without repeating what was sent."""
    with pytest.raises(UnknownToken):
        await revealing.reveal(token, "ticket 42", NORTH)
    (alert,) = kept.alerts
    assert (
        "A reveal was refused (value token not found), and nothing was revealed; reason given: ticket 42"
        == alert.description
    )


async def test_a_retired_key_is_reported(tmp_path: Path, revealing: Detokenizer, ring: KeyRingFile) -> None:
    """What a retired key had made cannot be opened any more, and that is said."""
    token = Tokenizer(ring).tokenize("jane@example.org", "EMAIL_ADDRESS", "N")
    old = ring.current().active(Purpose.TOKEN)
    add_key(tmp_path / "keyring.json", Purpose.TOKEN)
    retire_key(tmp_path / "keyring.json", old.id)
    ring.reload()
    with pytest.raises(TokenRetired):
        await revealing.reveal(token, "ticket 42", NORTH)


async def test_a_reason_with_personal_data_opens_nothing(
    revealing: Detokenizer, ring: KeyRingFile, kept: _Kept
) -> None:
    """It is refused before anything is opened or kept."""
    token = Tokenizer(ring).tokenize("jane@example.org", "EMAIL_ADDRESS", "N")
    with pytest.raises(PersonalDataFound):
        await revealing.reveal(token, "john@example.org asked", NORTH)
    assert [] == kept.alerts


async def test_what_cannot_be_recorded_is_not_opened(tmp_path: Path, revealing: Detokenizer, ring: KeyRingFile) -> None:
    """While the alert store cannot be written nobody gets a value; then it is revealed again."""
    home = tmp_path / "alerts"
    detokenizer = replace(revealing, alerts=build_alert_engine("client", AlertSettings(data_dir=home)))
    (home / "alerts.db").mkdir(parents=True)
    token = Tokenizer(ring).tokenize("jane@example.org", "EMAIL_ADDRESS", "N")
    with pytest.raises(Unavailable, match="cannot be recorded"):
        await detokenizer.reveal(token, "ticket 42", NORTH)
    reports = "".join(path.read_text() for path in (home / "error_reports").glob("*.txt"))
    assert "A reveal was refused (service unavailable), and nothing was revealed; reason given: ticket 42" in reports
    (home / "alerts.db").rmdir()
    value, _, _ = await detokenizer.reveal(token, "ticket 43", NORTH)
    assert "jane@example.org" == value


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_what_is_recorded_in_a_file_that_is_gone_is_not_opened(
    tmp_path: Path, revealing: Detokenizer, ring: KeyRingFile, is_replaced: bool
) -> None:
    """A renamed file takes no more records: nobody gets a value, the next one is in a file that can be found."""
    path, aside = tmp_path / "alerts.db", tmp_path / "aside.db"
    detokenizer = replace(revealing, alerts=build_alert_engine("client", AlertSettings(data_dir=tmp_path)))
    token = Tokenizer(ring).tokenize("jane@example.org", "EMAIL_ADDRESS", "N")
    archive = AlertArchive(path)
    await detokenizer.reveal(token, "ticket 42", NORTH)
    assert 1 == len(archive.page(limit=9).alerts)
    other = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
    path.rename(aside)
    if is_replaced:  # another process makes the file anew
        await other.raise_alert(AlertType.SECRET, "Another.")
    with pytest.raises(Unavailable, match="cannot be recorded"):
        await detokenizer.reveal(token, "ticket 43", NORTH)
    value, alert, _ = await detokenizer.reveal(token, "ticket 44", NORTH)
    assert "jane@example.org" == value
    assert alert.id in [one.id for one in archive.page(limit=9).alerts]
    # What was recorded before is in the renamed file, what could not be is in the new one.
    assert ["ticket 42"] == [one.description[-9:] for one in AlertArchive(aside).page(limit=9).alerts]
    assert 2 == sum("ticket 43" in one.description for one in archive.page(limit=9).alerts)


async def test_a_stored_value_is_revealed_as_a_token_is(revealing: Detokenizer, kept: _Kept) -> None:
    """The current version or one that is kept; the alert has key, version and reason, and not the value."""
    entry, alert = await revealing.reveal_entry(ENTRIES, "orders/7", None, "ticket 42")
    assert ("the third", 3, AlertType.REVEAL) == (entry.value, entry.version, alert.type)
    assert "Reveal of the entry orders/7 in version 3; reason given: ticket 42" == alert.description
    entry, _ = await revealing.reveal_entry(ENTRIES, "orders/7", 2, "ticket 43")
    assert ("the second", 2) == (entry.value, entry.version)
    assert not any("the third" in one.description or "the second" in one.description for one in kept.alerts)


@pytest.mark.parametrize(("key", "version"), [("gone", None), ("orders/7", 1)])
async def test_a_value_that_is_not_there_is_alerted_too(
    revealing: Detokenizer, kept: _Kept, key: str, version: int | None
) -> None:
    """Without the key, which nobody has scanned."""
    with pytest.raises(KeyNotFound):
        await revealing.reveal_entry(ENTRIES, key, version, "ticket 42")
    (alert,) = kept.alerts
    assert (
        "A reveal was refused (key not found), and nothing was revealed; reason given: ticket 42" == alert.description
    )


async def test_a_key_with_personal_data_is_in_no_alert(revealing: Detokenizer, kept: _Kept) -> None:
    """A policy may let it in; alerts go to people and to other systems."""
    await revealing.reveal_entry(ENTRIES, "jane@example.org", None, "ticket 42")
    assert (
        "Reveal of an entry, whose key is not shown, in version 3; reason given: ticket 42"
        == kept.alerts[0].description
    )
    with pytest.raises(PersonalDataFound):
        await revealing.reveal_entry(ENTRIES, "orders/7", None, "john@example.org asked")
    assert 1 == len(kept.alerts)
