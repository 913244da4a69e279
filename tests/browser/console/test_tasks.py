"""Tasks, dead letters, schedules and workers in the console: an operator's hour, from sign-in to its end."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vestibule.service_kit.auth.token_file import create_token

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AWAY = 500
PROCESSORS = """
import time
from pathlib import Path

from vestibule.processing import ProcessingInterrupted

class CrmExport:
    name, description, examples = "crm_export", "Hands a text over.", ()

    def process(self, data):
        if not Path(__file__).with_name("mended").exists():
            raise ProcessingInterrupted("The receiver is away.", cause="http_503")
        return data

class Slow:
    name, description, examples = "slow", "Takes its time.", ()

    def process(self, data):
        time.sleep(4)
        return data

PROCESSORS = (CrmExport(), Slow())
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the operator's own processors."""
    folder = tmp_path_factory.mktemp("processors")
    (folder / "own.py").write_text(PROCESSORS)
    return folder


@pytest.fixture(scope="module")
def system(browser: Any, start_for_module: Any, place: Path) -> Any:
    """A system with those processors, whose tasks have one attempt."""
    settings = {"VESTIBULE_PROCESSORS_DIR": str(place), "VESTIBULE_TASK_MAX_ATTEMPTS": "1"}
    return start_for_module(VESTIBULE_CONSOLE="on", **settings).ask_again()


@pytest.fixture
def signed_in(browser: Any, system: Any) -> Callable[..., Any]:
    """The function that opens a page of the console as somebody who signs in first."""

    @contextmanager
    def opened(path: str, token: str = "SECRET_TOKEN", **options: Any) -> Iterator[Any]:
        with browser.opened(f"{system.part_url(4)}{path}", **options) as tab:
            tab.page.get_by_label("Token").fill(token)
            tab.page.get_by_role("button", name="Sign in").click()
            tab.page.locator("h1:not(:has-text('Sign in'))").wait_for()
            yield tab
            assert [] == tab.complaints

    return opened


def send(system: Any, **body: Any) -> str:
    """Send a message and return the id of its task."""
    answer = system.http.post("/messages", json={"text": "hello", "mode": "async", **body})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["task_id"])


def state(system: Any, task_id: str, wait: int = 0) -> str:
    """Return the state of a task."""
    return str(system.http.get(f"/tasks/{task_id}", params={"wait": wait}).json()["state"])


def counted(system: Any, processor: str) -> dict[str, int]:
    """Return how many tasks of a processor are in each state."""
    counts = system.http.get("/tasks/counts").json()["counts"]
    return {one["state"]: one["tasks"] for one in counts if one["processor"] == processor}


def test_an_operator_mends_a_processor_and_retries_what_it_lost(
    signed_in: Any, system: Any, place: Path, wait_until: Any
) -> None:
    """From sign-in over the figures, the filters and the cause of one task to a job that ends by itself."""
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda _: send(system, processor="crm_export"), range(AWAY)))
    wait_until(lambda: counted(system, "crm_export") == {"dead": AWAY}, 60, "all to be dead")
    with signed_in("/tasks") as tab:
        page = tab.page
        page.get_by_role("navigation", name="States").get_by_role("link", name="dead").click()
        page.get_by_label("Processor").select_option("crm_export")
        page.get_by_label("Cause of failure").fill("http_503")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**/tasks?state=dead&processor=crm_export&cause=http_503*")
        assert page.locator("tbody tr").count() == 50
        page.get_by_role("link", name="Older").click()
        assert "crm_export" in page.locator("tbody tr").first.inner_text()

        page.locator("tbody th a").first.click()
        assert "Attempt 1 failed: http_503" in page.locator(".timeline").inner_text()
        assert "nothing more happens until somebody retries or drops it" in page.locator("#task").inner_text()
        (place / "mended").touch()
        page.go_back()

        page.get_by_role("link", name="Retry…").click()
        assert f"{AWAY} tasks match now." in page.locator("main").inner_text()
        page.get_by_label("Reason").fill("the receiver is back")
        page.get_by_role("button", name=f"Retry {AWAY} tasks").click()
        page.wait_for_url("**/tasks/jobs/*")
        page.locator(".state:has-text('finished')").wait_for(timeout=60_000)
        said = page.locator("main").inner_text()
        assert re.search(rf"Done\s+{AWAY}", said)
        assert "the receiver is back" in said
        assert "the receiver" not in page.url
        assert not page.locator("[hx-trigger]").count(), "it goes on asking"
    wait_until(lambda: counted(system, "crm_export") == {"succeeded": AWAY}, 60, "all to be done")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_result_is_shown_only_on_request(signed_in: Any, system: Any, has_scripts: bool) -> None:
    """It is in no page before, and in none after it was left."""
    task_id = send(system, text="a quiet word")
    assert "succeeded" == state(system, task_id, wait=10)
    with signed_in(f"/tasks/{task_id}", java_script_enabled=has_scripts) as tab:
        assert "A QUIET WORD" not in tab.page.content()
        tab.page.get_by_role("button", name="Show the result").click()
        tab.page.locator("pre:has-text('A QUIET WORD')").wait_for()
        assert tab.page.url.endswith(f"/tasks/{task_id}" if has_scripts else f"/tasks/{task_id}/result")
        tab.page.goto(f"{system.part_url(4)}/tasks")
        tab.page.goto(f"{system.part_url(4)}/tasks/{task_id}")
        assert "A QUIET WORD" not in tab.page.content()


def test_the_page_of_a_running_task_follows_it_to_its_end(signed_in: Any, system: Any, wait_until: Any) -> None:
    """It says that it runs, and then by itself that it has succeeded."""
    task_id = send(system, processor="slow", priority="high")
    wait_until(lambda: state(system, task_id) == "running", what="the start")
    with signed_in(f"/tasks/{task_id}") as tab:
        tab.page.locator(".state:has-text('running')").wait_for()
        tab.page.locator(".state:has-text('succeeded')").wait_for(timeout=20_000)
        tab.page.locator(".timeline:has-text('Attempt 1 succeeded')").wait_for()


def test_a_task_is_cancelled_and_a_conflict_is_told_in_words(signed_in: Any, system: Any) -> None:
    """What somebody else did meanwhile is said on the page of the task."""
    cancelled, taken = (send(system, delay_s=3600) for _ in range(2))
    with signed_in(f"/tasks/{cancelled}") as tab:
        page = tab.page
        assert "Waits for its time" in page.locator("#task").inner_text()
        page.locator("summary:has-text('Cancel')").click()
        page.get_by_role("button", name="Cancel the task").click()
        page.locator(".notice:has-text('Cancelled')").wait_for()
        assert "cancelled" == state(system, cancelled)
        page.get_by_role("button", name="Retry").click()
        page.locator(".notice:has-text('Retried')").wait_for()

    with signed_in(f"/tasks/{taken}", java_script_enabled=False) as tab:
        assert 200 == system.http.post(f"/tasks/{taken}/cancel").status_code
        tab.page.locator("summary:has-text('Cancel')").click()
        tab.page.get_by_role("button", name="Cancel the task").click()
        assert "a task that was cancelled cannot be cancelled" in tab.page.locator("[role=alert]").inner_text()
        tab.complaints.clear()  # of the status 409


def test_dead_letters_are_retried_and_dropped_one_by_one(
    signed_in: Any, system: Any, place: Path, wait_until: Any
) -> None:
    """Each has its cause, and leaves the list with what was done about it."""
    (place / "mended").unlink(missing_ok=True)
    dropped, retried = (send(system, processor="crm_export") for _ in range(2))
    for task_id in (dropped, retried):
        assert "dead" == state(system, task_id, wait=10)
    (place / "mended").touch()
    with signed_in("/tasks") as tab:
        page = tab.page
        page.get_by_role("link", name="Dead letters").click()
        page.locator("tr", has_text=dropped[:8]).locator("summary").click()
        page.get_by_role("button", name="Drop for good").locator("visible=true").click()
        page.locator(".notice:has-text('Dropped')").wait_for()
        assert "failed" == state(system, dropped)
        page.locator("tr", has_text=retried[:8]).get_by_role("button", name="Retry").click()
        page.locator(".notice:has-text('Retried')").wait_for()
        wait_until(lambda: state(system, retried) == "succeeded", what="the second attempt")


def test_a_schedule_from_its_first_mistake_to_its_end(signed_in: Any, system: Any) -> None:
    """What is wrong is said above the form, which stays filled in; then it is paused, resumed, run and deleted."""
    assert 200 == system.http.post("/add", json={"key": "reports/daily", "value": "hello"}).status_code
    with signed_in("/schedules") as tab:
        page = tab.page
        page.locator("summary:has-text('Add a schedule')").click()
        page.get_by_label("Key").fill("reports/daily")
        page.get_by_label("Cron expression", exact=True).fill("61 6 * * *")
        page.get_by_label("Time zone").fill("Europe/Berlin")
        page.get_by_role("button", name="Add", exact=True).click()
        assert "cron" in page.locator("[role=alert]").inner_text()
        tab.complaints.clear()  # of the status 422
        assert "reports/daily" == page.get_by_label("Key").input_value()
        page.get_by_label("Cron expression", exact=True).fill("0 6 * * mon-fri")
        page.get_by_role("button", name="Add", exact=True).click()

        page.wait_for_url(re.compile(r"/schedules/[0-9a-f]+$"))
        assert page.locator(".timeline li").count() == 5
        page.get_by_role("button", name="Pause").click()
        page.locator(".state:has-text('paused')").wait_for()
        page.get_by_role("button", name="Resume").click()
        page.locator(".state:has-text('active')").wait_for()
        page.get_by_role("button", name="Run now").click()
        page.wait_for_url("**/tasks/*")
        page.locator(".state:has-text('succeeded')").wait_for()
        page.get_by_role("link", name="Tasks").first.click()
        page.get_by_role("link", name="Schedules").click()
        assert "succeeded" in page.locator("tbody").inner_text()
        page.locator("tbody th a").click()
        page.locator("summary:has-text('Delete')").click()
        page.get_by_role("button", name="Delete the schedule").click()
        assert "There are no schedules" in page.locator(".empty").inner_text()


def test_a_processor_is_paused_and_resumed(signed_in: Any, system: Any) -> None:
    """With a reason that everybody sees; its tasks say why they wait."""
    with signed_in("/workers") as tab:
        page = tab.page
        assert page.locator("section[aria-labelledby=workers] tbody tr").count() == 2
        page.locator("summary:has-text('Pause')").click()
        page.get_by_label("What").select_option("slow")
        page.get_by_label("Reason").fill("ask jane.doe@example.com")
        page.get_by_role("button", name="Pause", exact=True).click()
        page.locator("[role=alert]").wait_for()
        tab.complaints.clear()  # of the status 422
        assert "slow" == page.get_by_label("What").input_value()
        page.goto(f"{system.part_url(4)}/workers")
        page.locator("summary:has-text('Pause')").click()
        page.get_by_label("What").select_option("slow")
        page.get_by_label("Reason").fill("the receiver is moved")
        page.wait_for_timeout(5_500)  # for longer than the page takes to refresh itself
        assert "the receiver is moved" == page.get_by_label("Reason").input_value()
        page.get_by_role("button", name="Pause", exact=True).click()
        page.locator("tr:has-text('the receiver is moved')").wait_for()
        task_id = send(system, processor="slow")
        page.goto(f"{system.part_url(4)}/tasks/{task_id}")
        page.locator(".notice:has-text('Paused:')").wait_for()
        page.goto(f"{system.part_url(4)}/workers")
        page.get_by_label("Reason to resume slow").fill("it is there")
        page.get_by_role("button", name="Resume").click()
        page.locator("p:has-text('Nothing is paused.')").wait_for()
        assert "succeeded" == state(system, task_id, wait=20)


def test_pages_say_which_scope_a_token_lacks(signed_in: Any, system: Any, wait_until: Any) -> None:
    """And what it may not do is not offered."""
    tokens = system.data_dir / "keys" / "tokens.json"
    runs, watches = (create_token(tokens, name, [name], None)[0] for name in ("run", "queue"))
    for token in (runs, watches):
        with system.client(token) as http:
            wait_until(lambda http=http: http.get("/tokens/self").status_code == 200, what="the token")
    with signed_in("/workers", runs) as tab:
        assert 2 == tab.page.locator(".empty:has-text('it needs the scope queue')").count()
        tab.page.goto(f"{system.part_url(4)}/tasks")
        assert 0 == tab.page.get_by_label("All tenants").count()
    with signed_in("/tasks", watches) as tab:
        assert 1 == tab.page.locator(".empty:has-text('it needs the scope run')").count()
        tab.page.goto(f"{system.part_url(4)}/workers")
        assert "Nothing is paused. To pause" in tab.page.locator("main").inner_text()
        assert 0 == tab.page.locator("summary:has-text('Pause')").count()


def test_many_tasks_are_cancelled_without_scripts(signed_in: Any, system: Any, wait_until: Any) -> None:
    """A filter, a preview, a confirmation and the job: all with links and forms alone."""
    for _ in range(3):
        send(system, delay_s=7200, processor="redact")
    with signed_in("/tasks?state=queued&processor=redact", java_script_enabled=False) as tab:
        page = tab.page
        page.get_by_role("link", name="Cancel…").click()
        page.get_by_role("button", name="Cancel 3 tasks").click()
        page.wait_for_url("**/tasks/jobs/*")
        wait_until(lambda: page.reload() and "finished" in page.locator("main").inner_text(), 30, "the end of the job")
        assert re.search(r"Done\s+3", page.locator("main").inner_text())
        page.goto(f"{system.part_url(4)}/tasks?older_than=soon")
        assert "must be a time span" in page.locator("[role=alert]").inner_text()
        assert "soon" == page.get_by_label("Older than").input_value()
    assert {"cancelled": 3} == counted(system, "redact")
