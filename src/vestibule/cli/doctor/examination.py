"""What a check gets and gives, and how all are run."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

HOST = "127.0.0.1"
# The ports of the services, after that of the client service, and the settings with their addresses.
SERVICES: Mapping[str, tuple[int, str]] = {
    "client": (0, "VESTIBULE_CLIENT_SERVICE_URL"),
    "database": (1, "VESTIBULE_DATABASE_SERVICE_URL"),
    "business-logic": (2, "VESTIBULE_BUSINESS_LOGIC_URL"),
    "scheduler": (3, "VESTIBULE_SCHEDULER_URL"),
    "console": (4, "VESTIBULE_CONSOLE_SERVICE_URL"),
}


class DiagnosisLevel(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check found, in one sentence, and what to do about it where that is not fine."""

    level: DiagnosisLevel
    text: str
    remedy: str = ""
    check: str = ""


@dataclass(frozen=True)
class ExaminedSystem:
    """What is examined: the data directory, the first port, and the settings."""

    data_dir: Path
    base_port: int
    environment: Mapping[str, str]

    def setting(self, name: str) -> str:
        """Return the value of a setting, empty if it is not set."""
        return self.environment.get(f"VESTIBULE_{name}", "")

    @cached_property
    def urls(self) -> Mapping[str, str]:
        """The addresses of the services, by the names that `vestibule serve` has for them."""
        return {
            name: self.environment.get(variable) or f"http://{HOST}:{self.base_port + offset}"
            for name, (offset, variable) in SERVICES.items()
        }

    @cached_property
    def has_run(self) -> bool:
        """Whether something has run in the data directory."""
        return any((self.data_dir / name).exists() for name in ("keys", "logs", "vestibule.db"))


Check = Callable[[ExaminedSystem], Iterable[Diagnosis]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Make a function a check."""

    def add(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return add


def ok(text: str) -> Diagnosis:
    """Return that something is as it should be."""
    return Diagnosis(DiagnosisLevel.OK, text)


def warning(text: str, remedy: str) -> Diagnosis:
    """Return that something may become a problem, and what to do."""
    return Diagnosis(DiagnosisLevel.WARNING, text, remedy)


def error(text: str, remedy: str) -> Diagnosis:
    """Return that something is broken, and what to do."""
    return Diagnosis(DiagnosisLevel.ERROR, text, remedy)


def examine(installation: ExaminedSystem, checks: Mapping[str, Check]) -> Iterator[Diagnosis]:
    """Run all checks in order and yield what each found."""
    for name, look in checks.items():
        try:
            for one in look(installation):
                yield Diagnosis(one.level, one.text, one.remedy, name)
        except Exception as failure:  # noqa: BLE001 - a check that fails is a finding, and the others go on
            # Its message may have an address with a password.
            kind = type(failure).__name__
            yield Diagnosis(
                DiagnosisLevel.ERROR, f"the check failed ({kind})", "Report it with the version and the system.", name
            )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
