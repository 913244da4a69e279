"""Runs failed tests again, alone, and names the flaky ones: python tests/run_again.py STATUS [OPTIONS OF PYTEST]

STATUS is the exit status of the pytest run before. The build fails, whatever the second run says: a test that passes
only then has a defect, or the code that it tests has. The exceptions are listed in `tests/flaky.toml`, until their day.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

LIST = Path("tests/flaky.toml")
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
# Where more have failed, the cause is not chance, and a second run only takes time.
MAX_RUN_AGAIN = 10
TESTS_FAILED = 1


@dataclass(frozen=True)
class FlakyTest:
    """An entry of the list: the node id of a test, with or without its parameters, and the day when the entry ends."""

    test: str
    until: date
    reason: str

    def covers(self, test: str, today: date) -> bool:
        """Say whether the entry still counts and is about this test."""
        return today < self.until and (test == self.test or test.startswith(f"{self.test}["))


def read_list(path: Path) -> list[FlakyTest]:
    """Return the entries of the list, none where there is no such file.

    Raises:
        ValueError: an entry lacks a member, has one too many, or its day is no date.
    """
    if not path.exists():
        return []
    entries = [FlakyTest(**entry) for entry in tomllib.loads(path.read_text()).get("flaky", [])]
    for entry in entries:
        if type(entry.until) is not date:
            raise ValueError(f"{entry.test}: `until` must be a date, such as 2027-01-15")
    return entries


def last_failed() -> list[str]:
    """Return the node ids of the tests whose last run failed."""
    return sorted(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.exists() else []


def verdict(failed: Collection[str], failed_again: Collection[str], entries: Collection[FlakyTest], today: date) -> str:
    """Return the report: each failed test with both outcomes; it ends with `FAILED` unless the list allows all."""
    lines, is_failure = [], False
    for test in failed:
        is_flaky = test not in failed_again
        is_allowed = is_flaky and any(entry.covers(test, today) for entry in entries)
        is_failure = is_failure or not is_allowed
        note = "FLAKY, allowed by the list" if is_allowed else "FLAKY, fails the build" if is_flaky else "FAILED"
        lines.append(f"  {test}\n    first run: failed; second run: {'passed' if is_flaky else 'failed'}; {note}")
    if is_failure:
        lines.append(f"Mend a flaky test. Where that has to wait, list it in {LIST}, at most two, each until a day:")
        lines.append('  [[flaky]]\n  test = "NODE ID"\n  until = YYYY-MM-DD\n  reason = "..."')
    lines.append("FAILED" if is_failure else "PASSED")
    return "\n".join(lines)


def main(status: int, options: list[str]) -> int:
    """Run the failed tests again, print the report, and return the exit status of the build."""
    if status != TESTS_FAILED:
        return status  # the run was broken off, or could not begin
    failed = last_failed()
    if not 0 < len(failed) <= MAX_RUN_AGAIN:
        return status
    entries = read_list(LIST)
    print(f"\n{len(failed)} failed; they run again, alone.", flush=True)
    again = [sys.executable, "-m", "pytest", "-n0", "--last-failed", "--last-failed-no-failures", "none", *options]
    if subprocess.run(again, check=False).returncode not in (0, TESTS_FAILED):
        return status
    report = verdict(failed, last_failed(), entries, date.today())
    print(f"\n{report}", flush=True)
    return 0 if report.endswith("PASSED") else status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
