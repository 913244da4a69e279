"""The screener: findings raise alerts and are treated as the policy says; what cannot be scanned is rejected."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from vestibule.alerts import Alert, AlertEngine, AlertType, Severity
from vestibule.client.receipts import verify_receipt
from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.screening import screener as screener_module
from vestibule.client_service.screening.builder import DecisionSigner
from vestibule.client_service.screening.preview import preview
from vestibule.client_service.screening.screener import LOOP_BUDGET_MS, SCAN_THREADS, Screened, Screener
from vestibule.contracts.decisions import DecisionRecord
from vestibule.contracts.errors import PersonalDataFound, ScanImpossible, TooLarge, TooManyWaiting
from vestibule.detection import DetectionSettings, Finding, ScanBudgetExceeded, Scanner
from vestibule.policy import Action, Situation
from vestibule.policy.decision_log import DecisionLog, read_decisions
from vestibule.policy.policy import FallbackPolicy, PolicyFile
from vestibule.policy.receipts import ReceiptSigner, generate_key, load_keys
from vestibule.processor_adapters import Pseudonymizer, hashed
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary
from vestibule.runtime.log_context import bound_log_fields

MAIL, CARD, PASSWORD = "anna.schmidt@firma.de", "4111 1111 1111 1111", "password=Tr0ub4dor&3"
ScreenerWith = Callable[..., Screener]
FAILING_DETECTOR = """
import sys
from vestibule.detection.rules import Detector, Rule
from vestibule.runtime.log_context import bound_log_fields
RULE = Rule(name="n", pattern=r"ST-[0-9]{5}", score=0.9, check=lambda value: sys.exit(0))
DETECTOR = Detector(entity="STAFF_NUMBER", rules=(RULE,), examples=("[[ST-12345]]",), counter_examples=("ST-1",),
                    sources=("the handbook",))
"""


class _Kept:
    """A channel that keeps what it gets."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """A scanner with every detector, and a limit that texts can pass."""
    return Scanner.from_settings(DetectionSettings(max_text_chars=100_000))


@pytest.fixture
def kept() -> _Kept:
    """The channel of the test."""
    return _Kept()


@pytest.fixture
def ledger(tmp_path: Path) -> DecisionAudit:
    """A ledger with a log and a key of its own; its fingerprints say how long a value is."""
    log = DecisionLog(tmp_path / "decisions", 7, lambda *_: None)
    signer = DecisionSigner(ReceiptSigner(load_keys(generate_key())))
    return DecisionAudit(log, DecisionPublisher(RateCounter(log)), _length_of, "d1", signer)


@pytest.fixture
def screener_with(kept: _Kept, scanner: Scanner, ledger: DecisionAudit, tmp_path: Path) -> ScreenerWith:
    """Return a factory of screeners with a policy: a default and others for entities, or the text of a file."""
    vocabulary = read_vocabulary()

    def build(default: Action | str, judge: Scanner = scanner, **by_entity: Action) -> Screener:
        engine = AlertEngine("client", {"kept": kept}, lambda *_: None)
        file = tmp_path / "policy.toml"
        file.unlink(missing_ok=True)
        if not isinstance(default, Action):
            file.write_text(default)
        fallback = FallbackPolicy(default, by_entity) if isinstance(default, Action) else None
        policies = PolicyFile(file, vocabulary, fallback)
        pseudonymizer = Pseudonymizer(_length_of, _Tokens())
        return Screener(judge, policies, engine, ledger, pseudonymizer, secrets=vocabulary.groups[SECRETS])

    return build


class _Tokens:
    """Tokens that say how long a value is."""

    def tokenize(self, value: str, entity: str, tenant: str) -> str:
        return f"<{entity}:{tenant}:{len(value)}>"

    def reveal(self, token: str, tenant: str) -> str:
        raise NotImplementedError

    def is_rotated(self, token: str) -> bool:
        raise NotImplementedError


def _length_of(text: str, _tenant: str = "default") -> str:
    return f"{len(text):016x}"


async def _check(screener: Screener, text: str, key: str | None = None) -> Screened:
    return await screener.screen(Situation("/add", "t-1", "support", key), "value", text)


async def test_a_clean_text_passes_in_silence(screener_with: ScreenerWith, kept: _Kept) -> None:
    """Nothing is changed, found or alerted."""
    checked = await _check(screener_with(Action.BLOCK), "hello world", "test1")
    assert ("hello world", [], []) == (checked.text, checked.decision["findings"], kept.alerts)


async def test_a_blocked_text_is_refused_with_findings_and_alert(screener_with: ScreenerWith, kept: _Kept) -> None:
    """The refusal says what stands where and which alert, and repeats not a character of it."""
    with pytest.raises(PersonalDataFound) as caught:
        await _check(screener_with(Action.BLOCK), f"write to {MAIL}", "test1")
    (alert,) = kept.alerts
    (finding,) = caught.value.extra["findings"]  # type: ignore[attr-defined,misc]
    assert ("EMAIL_ADDRESS", 9, 9 + len(MAIL), "value") == tuple(
        finding[n] for n in ("entity", "start", "end", "field")
    )
    assert alert.id == caught.value.extra["alert_id"]
    assert MAIL not in str(caught.value) + str(caught.value.extra) + str(alert)
    assert "firma" not in str(caught.value) + str(caught.value.extra) + str(alert)


async def test_a_redacted_text_has_names_in_place_of_findings(screener_with: ScreenerWith, kept: _Kept) -> None:
    """The text has `<ENTITY>` in place of the finding; the finding is reported, and alerted once."""
    checked = await _check(screener_with(Action.REDACT), f"ö {MAIL} und {MAIL}!")
    assert "ö <EMAIL_ADDRESS> und <EMAIL_ADDRESS>!" == checked.text
    assert 2 == len(checked.decision["findings"])
    assert [("EMAIL_ADDRESS",)] == [alert.entities for alert in kept.alerts]


async def test_an_alerted_text_passes_as_it_came(screener_with: ScreenerWith, kept: _Kept) -> None:
    """Under `alert` nothing is changed and nothing is silent."""
    checked = await _check(screener_with(Action.ALERT), MAIL)
    assert (MAIL, 1, 1) == (checked.text, len(checked.decision["findings"]), len(kept.alerts))


async def test_entities_have_actions_of_their_own(screener_with: ScreenerWith, kept: _Kept) -> None:
    """Cards are blocked while addresses are redacted; in one text the block wins."""
    screener = screener_with(Action.ALERT, CREDIT_CARD=Action.BLOCK, EMAIL_ADDRESS=Action.REDACT)
    assert "<EMAIL_ADDRESS>" == (await _check(screener, MAIL)).text
    with pytest.raises(PersonalDataFound):
        await _check(screener, f"{MAIL} pays with card {CARD}")
    assert ["redact", "block"] == ["block" if "rejected" in alert.description else "redact" for alert in kept.alerts]


@pytest.mark.parametrize("default", [Action.BLOCK, Action.REDACT])
async def test_a_key_with_a_finding_is_refused(screener_with: ScreenerWith, kept: _Kept, default: Action) -> None:
    """Where a value would be redacted, a key is refused: two redacted keys could become one."""
    with pytest.raises(PersonalDataFound) as caught:
        await _check(screener_with(default), "hello", MAIL)
    assert "`key` contains EMAIL_ADDRESS" in caught.value.detail
    assert ["rejected" in alert.description for alert in kept.alerts] == [True]


async def test_the_key_says_what_a_value_is(screener_with: ScreenerWith) -> None:
    """A bare secret under the name `password` is found, and under another name it is a word."""
    screener = screener_with(Action.BLOCK)
    with pytest.raises(PersonalDataFound):
        await _check(screener, "Tr0ub4dor&3x", "db_password")
    assert "Tr0ub4dor&3x" == (await _check(screener, "Tr0ub4dor&3x", "title")).text


async def test_a_secret_is_an_alert_of_its_own_kind(screener_with: ScreenerWith, kept: _Kept) -> None:
    """People look at leaked secrets sooner than at an address."""
    for text in (PASSWORD, MAIL):
        with pytest.raises(PersonalDataFound):
            await _check(screener_with(Action.BLOCK), text)
    assert [AlertType.SECRET, AlertType.PERSONAL_DATA] == [alert.type for alert in kept.alerts]
    assert [Severity.CRITICAL, Severity.WARNING] == [alert.severity for alert in kept.alerts]


async def test_an_alert_says_whose_request_it_was(screener_with: ScreenerWith, kept: _Kept) -> None:
    """The ids of the request and of the token lead to the log and to the caller."""
    with bound_log_fields(request_id="the-id", token_id="t-1"):
        await _check(screener_with(Action.ALERT), MAIL)
    (alert,) = kept.alerts
    assert ("the-id", "t-1", f"{len(MAIL):016x}") == (alert.request_id, alert.token_id, alert.fingerprint)


async def test_a_text_that_is_too_long_does_not_pass(screener_with: ScreenerWith, kept: _Kept) -> None:
    """What the scanner does not take is refused, under any policy."""
    for action in Action:
        with pytest.raises(TooLarge, match="100,000"):
            await _check(screener_with(action), "x" * 100_001)


async def test_a_text_that_cannot_be_judged_does_not_pass(screener_with: ScreenerWith) -> None:
    """A scan that runs out of time is a refusal, not a pass."""
    hurried = Scanner.from_settings(DetectionSettings(scan_budget_ms=0.000_001))
    with pytest.raises(ScanImpossible):
        await _check(screener_with(Action.ALERT, hurried), f"{MAIL} " * 4_000)


async def test_a_detector_that_fails_refuses_the_text(screener_with: ScreenerWith, tmp_path: Path) -> None:
    """An own check may raise anything, also what would end the service: the text is refused, and the log says why."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "staff.py").write_text(FAILING_DETECTOR)
    scanner = Scanner.from_settings(DetectionSettings(detectors_dir=tmp_path / "own", entities={"STAFF_NUMBER"}))
    with structlog.testing.capture_logs() as logged, pytest.raises(ScanImpossible, match="A detector failed"):
        await _check(screener_with(Action.ALERT, scanner), "ST-12345")
    assert [("detector_failed", "STAFF_NUMBER", "SystemExit")] == [
        (line["event"], line["entity"], line["error"]) for line in logged
    ]


async def test_a_large_text_is_checked_like_a_small_one(screener_with: ScreenerWith) -> None:
    """Beyond the size at which another thread scans, offsets and results are the same."""
    text = "word " * 10_000 + MAIL
    checked = await _check(screener_with(Action.REDACT), text)
    assert "word " * 10_000 + "<EMAIL_ADDRESS>" == checked.text


async def test_one_token_does_not_keep_another_from_being_scanned(screener_with: ScreenerWith) -> None:
    """Large texts of one token that take their time leave a thread for those of another."""
    may_end = threading.Event()

    class Slow(Scanner):
        def scan(self, text: str, *, key: str | None = None) -> list[Finding]:
            if text.startswith("hard") and not may_end.wait(60):
                raise ScanBudgetExceeded(1)
            return super().scan(text, key=key)

    screener = screener_with(Action.ALERT, Slow.from_settings())
    with bound_log_fields(token_id="greedy"):
        hard = [asyncio.create_task(screener.scan("hard " * 10_000)) for _ in range(20)]
    with bound_log_fields(token_id="neighbour"):
        async with asyncio.timeout(30):
            assert [] == await screener.scan("word " * 10_000)
    assert not any(task.done() for task in hard)
    may_end.set()
    assert [[]] * 20 == await asyncio.gather(*hard)


async def test_a_text_that_takes_long_is_scanned_in_a_thread(screener_with: ScreenerWith) -> None:
    """What is not done within a small budget on the event loop is done anew elsewhere, and found as ever."""
    scans: list[tuple[bool, float | None]] = []

    class Slow(Scanner):
        def scan(self, text: str, *, key: str | None = None, budget_ms: float | None = None) -> list[Finding]:
            scans.append((threading.current_thread() is threading.main_thread(), budget_ms))
            if budget_ms is not None:
                raise ScanBudgetExceeded(budget_ms)
            return super().scan(text, key=key)

    screener = screener_with(Action.ALERT, Slow.from_settings())
    assert ["EMAIL_ADDRESS"] == [one.entity for one in await screener.scan("word " * 100 + MAIL)]
    assert [(True, LOOP_BUDGET_MS), (False, None)] == scans
    scans.clear()
    assert 1 == len(await screener.scan(MAIL))
    assert [(True, None)] == scans


async def test_long_texts_that_wait_are_bounded_for_each_token(
    screener_with: ScreenerWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is refused; those that wait are scanned."""
    monkeypatch.setattr(screener_module, "MOST_SCANS_WAITING", 3)
    may_end = threading.Event()

    class Slow(Scanner):
        def scan(self, text: str, *, key: str | None = None, budget_ms: float | None = None) -> list[Finding]:
            assert may_end.wait(60)
            return super().scan(text, key=key, budget_ms=budget_ms)

    screener = screener_with(Action.ALERT, Slow.from_settings())
    accepted = [asyncio.create_task(screener.scan("word " * 10_000)) for _ in range(SCAN_THREADS // 2 + 3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting):
        await screener.scan("word " * 10_000)
    may_end.set()
    assert [[]] * len(accepted) == await asyncio.gather(*accepted)


async def test_scanning_alone_has_no_consequence(screener_with: ScreenerWith, kept: _Kept) -> None:
    """`scan` has the same findings as `screen`, and neither rejects nor alerts."""
    findings = await screener_with(Action.BLOCK).scan(MAIL)
    assert (["EMAIL_ADDRESS"], []) == ([finding.entity for finding in findings], kept.alerts)


POLICY = """
[entities]
EMAIL_ADDRESS = "mask"
CREDIT_CARD = { action = "tokenize", severity = "critical" }
PASSWORD = "hash"
"""


async def test_each_finding_gets_its_own_action(screener_with: ScreenerWith, kept: _Kept) -> None:
    """In one text one value is masked, another tokenized and a third hashed; the rest is as it was."""
    checked = await _check(screener_with(POLICY), f"{MAIL} pays with card {CARD}, {PASSWORD}")
    assert checked.text.startswith("*" * (len(MAIL) - 4) + "a.de pays")
    assert "pays with card <CREDIT_CARD:default:19>, password=<PASSWORD#" in checked.text
    assert {"mask", "tokenize", "hash"} == {located["action"] for located in checked.decision["findings"]}
    assert [Severity.CRITICAL] == [alert.severity for alert in kept.alerts]


async def test_a_rule_may_change_how_urgent_an_alert_is(screener_with: ScreenerWith, kept: _Kept) -> None:
    """The severity of the alert is what the rule says, not what its type has."""
    await _check(screener_with('[entities]\nEMAIL_ADDRESS = { action = "redact", severity = "info" }'), MAIL)
    assert [Severity.INFO] == [alert.severity for alert in kept.alerts]


async def test_an_ignored_finding_is_reported_and_not_alerted(screener_with: ScreenerWith, kept: _Kept) -> None:
    """The caller sees the finding; there is no alert, and the text is unchanged."""
    checked = await _check(screener_with(Action.IGNORE), MAIL, MAIL)
    assert (MAIL, [], 2) == (checked.text, kept.alerts, len(checked.decision["findings"]))


async def test_a_dry_run_lets_in_and_says_what_it_would_have_done(screener_with: ScreenerWith, kept: _Kept) -> None:
    """Nothing is refused or changed, in the key neither; answer, receipt and alert say what would have been."""
    checked = await _check(screener_with("dry_run = true"), MAIL, MAIL)
    assert (MAIL, Action.BLOCK) == (checked.text, checked.decision["would_have"])
    assert {("alert", "block")} == {(one["action"], one["would_have"]) for one in checked.decision["findings"]}
    assert ["dry run" in alert.description for alert in kept.alerts] == [True]


async def test_every_decision_has_a_receipt_for_who_wants_one(
    screener_with: ScreenerWith, ledger: DecisionAudit
) -> None:
    """Clean, let in or refused: the receipt says so, is signed, and holds nothing of the text. Others get the id."""
    screener = screener_with(Action.BLOCK, EMAIL_ADDRESS=Action.REDACT)
    plain = [await _check(screener, "hello"), await _check(screener, MAIL)]
    assert [{"findings", "would_have", "decision_id"}] * 2 == [set(one.decision) for one in plain]
    sender = Situation("/add", "t-1", "team", wants_receipt=True)
    clean, redacted = [await screener.screen(sender, "value", text) for text in ("hello", MAIL)]
    with pytest.raises(PersonalDataFound) as caught:
        await screener.screen(sender, "value", PASSWORD)
    receipts = [clean.decision["receipt"], redacted.decision["receipt"], str(caught.value.extra["receipt"])]
    assert isinstance(ledger.signer, DecisionSigner)
    claims = [verify_receipt(receipt, ledger.signer.public_keys) for receipt in receipts]
    assert [
        ("let_in", {}),
        ("let_in", {"EMAIL_ADDRESS": "redact"}),
        ("blocked", {"PASSWORD": "block"}),
    ] == [(claim["outcome"], claim["actions"]) for claim in claims]
    assert 3 == len({claim["jti"] for claim in claims})
    assert "firma" not in str(claims)
    assert "Tr0ub4dor" not in str(claims)


async def test_decisions_are_recorded_without_text(
    screener_with: ScreenerWith, ledger: DecisionAudit, tmp_path: Path
) -> None:
    """A line has kinds, scores, actions and fingerprints; clean requests are counted; the key is not kept."""
    screener = screener_with('[[rules]]\nkey_prefixes = ["notes/"]\naction = "redact"')
    ledger.log.start()
    await _check(screener, MAIL, "notes/a-name")
    await _check(screener, "hello", "notes/18")
    ledger.log.close()
    record, count = read_decisions(tmp_path / "decisions", datetime.now(UTC) - timedelta(hours=1))
    assert isinstance(record, DecisionRecord)
    (finding,) = record.findings
    assert ("EMAIL_ADDRESS", "value", "redact") == (finding.entity, finding.field, finding.action)
    assert ("t-1", "/add", "notes/", _length_of(MAIL)) == (
        record.token_id,
        record.route,
        record.key_prefix,
        finding.fingerprint,
    )
    assert 1 == getattr(count, "clean", None)
    (file,) = (tmp_path / "decisions").iterdir()
    assert 0o600 == file.stat().st_mode & 0o777
    assert not any(word in file.read_text() for word in (MAIL, "a-name", "hello"))


async def test_a_reason_with_personal_data_is_refused(screener_with: ScreenerWith, kept: _Kept) -> None:
    """Whatever the policy says: what people will read may hold none."""
    screener = screener_with(Action.IGNORE)
    await screener.refuse_findings("reason", "ticket 4711")
    with pytest.raises(PersonalDataFound, match="`reason` contains"):
        await screener.refuse_findings("reason", f"{MAIL} asked for it")
    assert 1 == len(kept.alerts)


def test_what_stands_in_place_of_a_value_is_no_finding(scanner: Scanner) -> None:
    """A stored text can be sent again: neither the name nor the hash of any entity is found, whatever stands before."""
    entities = read_vocabulary().entities
    assert entities
    for entity in entities:
        for shown in (f"<{entity}>", hashed(entity, "e688:1f6d8899aabbccddeeff001122334455")):
            label = entity.lower().replace("_", " ")
            assert [] == [found for text in (shown, f"my {label} is {shown}.") for found in scanner.scan(text)]


async def test_a_hash_is_found_where_a_subject_is_erased(screener_with: ScreenerWith) -> None:
    """Whoever looks for the fingerprint of a value finds it in what was stored."""
    checked = await _check(screener_with(Action.HASH), f"write to {MAIL} today")
    assert f"#{_length_of(MAIL)}>" in checked.text


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Action.BLOCK, None),
        (Action.REDACT, "to <EMAIL_ADDRESS>"),
        (Action.MASK, "to *****************a.de"),
        (Action.ALERT, f"to {MAIL}"),
        (Action.HASH, "to <EMAIL_ADDRESS#…>"),
        (Action.TOKENIZE, "to <EMAIL_ADDRESS.v1.…>"),
        ('default = "block"\ndry_run = true\n', f"to {MAIL}"),
    ],
)
async def test_a_preview_says_what_would_be_stored_and_does_nothing(
    screener_with: ScreenerWith, kept: _Kept, tmp_path: Path, policy: Action | str, expected: str | None
) -> None:
    """No alert, no record, and no pseudonym: trying values, a caller could compare those with stored ones."""
    screener, text = screener_with(policy), f"to {MAIL}"
    seen = await preview(screener, Situation("/add"), text, await screener.scan(text))
    assert expected == seen.text
    assert policy in (seen.decision.strictest, seen.decision.findings[0].action) or seen.decision.is_dry_run
    assert [] == kept.alerts
    assert [] == list(read_decisions(tmp_path / "decisions", datetime.now(UTC) - timedelta(hours=1)))
