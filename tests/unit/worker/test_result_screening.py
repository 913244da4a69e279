"""No result leaves a worker unchecked: the policy of where the work came from decides, and alerts are on disk first."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from vestibule.alerts import AlertArchive, AlertType
from vestibule.client_service.settings import ClientSettings
from vestibule.contracts.tasks import WorkOrigin
from vestibule.detection import DetectionSettings, Scanner
from vestibule.encryption import KeyRingFile
from vestibule.policy.anonymizer import mask
from vestibule.policy.policy import PolicyFile
from vestibule.processing import ProcessingInterrupted
from vestibule.processor_adapters import build_pseudonymizer
from vestibule.processor_adapters.settings import open_policy
from vestibule.worker.result_screening import ResultNotAllowed, ResultScreener, ResultTooLarge

MAIL = "anna.schmidt@firma.de"
POLICY = """
[entities]
EMAIL_ADDRESS = "redact"

[[rules]]
key_prefixes = ["tickets/"]
entities = ["EMAIL_ADDRESS"]
action = "alert"

[[rules]]
routes = ["/messages"]
entities = ["EMAIL_ADDRESS"]
action = "mask"
"""


@pytest.fixture
def screener_with(settings: ClientSettings) -> Callable[..., ResultScreener]:
    """Return a factory of result screeners with a policy file."""

    def build(policy: str = "", **detection: object) -> ResultScreener:
        (settings.data_dir / "policy.toml").write_text(policy)
        given = settings.model_copy(
            update={"detection": DetectionSettings(entities=frozenset({"EMAIL_ADDRESS"}), **detection)}
        )
        pseudonymizer = build_pseudonymizer(KeyRingFile(settings.key_ring_path), Scanner.from_settings)
        return ResultScreener(
            "worker1", given, Scanner.from_settings(given.detection), open_policy(given), pseudonymizer
        )

    return build


def test_what_holds_nothing_goes_out_as_it_is(screener_with: Callable[..., ResultScreener]) -> None:
    """Most results."""
    assert "HELLO" == screener_with().screen_result("HELLO", WorkOrigin())


def test_what_the_policy_blocks_goes_nowhere(
    screener_with: Callable[..., ResultScreener], settings: ClientSettings
) -> None:
    """The alert is on disk when the refusal is known, and says nothing of the result."""
    with pytest.raises(ResultNotAllowed) as caught:
        screener_with().screen_result(f"to {MAIL}", WorkOrigin(token_id="t-7"))
    (alert,) = AlertArchive(settings.alert_record_path).page(limit=10).alerts
    expected = (AlertType.PERSONAL_DATA, ("EMAIL_ADDRESS",), "worker1", "t-7")
    assert expected == (alert.type, alert.entities, alert.service, alert.token_id)
    assert "EMAIL_ADDRESS in the result of a request; the result was rejected." == alert.description
    assert ("ResultRefused", False) == (caught.value.kind, MAIL in f"{alert} {caught.value}")


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (WorkOrigin(), "to <EMAIL_ADDRESS>"),
        (WorkOrigin(key="tickets/1"), f"to {MAIL}"),
        (WorkOrigin(route="/messages"), f"to {mask(MAIL)}"),
    ],
)
def test_the_policy_is_that_of_where_the_work_came_from(
    screener_with: Callable[..., ResultScreener], origin: WorkOrigin, expected: str
) -> None:
    """By key and by route; what is replaced in requests is replaced here."""
    assert expected == screener_with(POLICY).screen_result(f"to {MAIL}", origin)


def test_what_cannot_be_judged_does_not_go_out(screener_with: Callable[..., ResultScreener]) -> None:
    """Too long a result is refused for good, one that takes too long to check for now."""
    with pytest.raises(ResultTooLarge):
        screener_with(max_text_chars=100).screen_result("x" * 101, WorkOrigin())
    with pytest.raises(ProcessingInterrupted):
        screener_with(scan_budget_ms=1e-9).screen_result(f"to {MAIL} " * 200, WorkOrigin())


def test_a_changed_policy_counts_soon(
    screener_with: Callable[..., ResultScreener], settings: ClientSettings, wait_until: Callable[..., None]
) -> None:
    """Within some moments, without a restart, and a broken file changes nothing."""
    screener = screener_with(POLICY)
    screener.follow_policy()
    for policy in (POLICY.replace('"redact"', '"ignore"'), "this is none"):
        (settings.data_dir / "policy.toml").write_text(policy)
        wait_until(lambda: f"to {MAIL}" == screener.screen_result(f"to {MAIL}", WorkOrigin()), what="the new policy")


def test_an_unexpected_error_does_not_end_the_checks(
    screener_with: Callable[..., ResultScreener],
    settings: ClientSettings,
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a process would keep an old policy until it is replaced."""
    screener, refresh, failures = screener_with(POLICY), PolicyFile.refresh, [RuntimeError("x")]

    def fail_once(policies: PolicyFile) -> bool:
        if failures:
            raise failures.pop()
        return refresh(policies)

    monkeypatch.setattr(PolicyFile, "refresh", fail_once)
    screener.follow_policy()
    wait_until(lambda: not failures, what="the failed check")
    (settings.data_dir / "policy.toml").write_text(POLICY.replace('"redact"', '"ignore"'))
    wait_until(lambda: f"to {MAIL}" == screener.screen_result(f"to {MAIL}", WorkOrigin()), what="the new policy")


def test_a_worker_loads_what_it_needs() -> None:
    """Neither the web framework nor the client of other services nor receipts: each process would weigh that much."""
    program = "import sys, vestibule.worker.worker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert set() == {"fastapi", "starlette", "aiohttp", "joserfc"} & set(loaded.stdout.split())
