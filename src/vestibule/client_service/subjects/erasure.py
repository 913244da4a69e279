"""The use case of erasing a subject: every stored value, token and result that contains its value."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.subjects.stored_results import StoredResults
from vestibule.contracts.subjects import MAX_FORMS, ErasePage, SubjectSearch
from vestibule.database_client.entries import EntryClient

# Values per page; fewer if they are long.
PAGE = 200

FormsOf = Callable[[str], Iterable[str]]
EraseSome = Callable[[list[str], int, str | None], Awaitable[ErasePage]]
EraseFew = Callable[[SubjectSearch], Awaitable[ErasePage]]


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was searched, and how much was erased."""

    entries_examined: int
    entries_erased: int
    results_examined: int
    results_erased: int


class Erasure:
    """Erases everything that contains a value: as plain text, as a token, or as a keyed hash."""

    def __init__(
        self,
        database: EntryClient,
        erase_tasks: EraseSome,
        erase_schedules: EraseFew,
        results: StoredResults,
        *,
        alerts: AlertEngine,
        forms_of: FormsOf,
    ) -> None:
        """Take the parts; `erase_tasks` erases a page of the ledger, and `results` are the copies in Redis."""
        self._database = database
        self._erase_tasks = erase_tasks
        self._erase_schedules = erase_schedules
        self._results = results
        self._alerts = alerts
        self._forms_of = forms_of

    async def erase(self, value: str) -> Erased:
        """Erase every entry and every result that contains `value` in any form, and return the counts.

        Raises:
            Unavailable: a service does not answer; what is erased stays erased, and the request can be repeated.
        """
        search = SubjectSearch([value, *self._forms_of(value)])
        entries = await _erase_all(self._database.erase, search.forms)
        # Schedules count as entries: callers have stored them.
        schedules = await self._erase_schedules(search)
        entries.examined += schedules.examined
        entries.erased += schedules.erased
        tasks = await _erase_all(self._erase_tasks, search.forms)
        await self._results.erase(search)
        erased = Erased(entries.examined, entries.erased, tasks.examined, tasks.erased)
        structlog.contextvars.bind_contextvars(entries_erased=entries.erased, results_erased=tasks.erased)
        await self._alerts.raise_alert(
            AlertType.SUBJECT_ERASED,
            f"A subject was erased: {entries.erased} entries and {tasks.erased} results are gone.",
            **current_origin(),
        )
        return erased


async def _erase_all(erase: EraseSome, forms: list[str]) -> ErasePage:
    examined = erased = 0
    for start in range(0, len(forms), MAX_FORMS):
        some = await _erase_some(erase, forms[start : start + MAX_FORMS])
        examined = max(examined, some.examined)
        erased += some.erased
    return ErasePage(examined=examined, erased=erased)


async def _erase_some(erase: EraseSome, forms: list[str]) -> ErasePage:
    examined = erased = 0
    cursor: str | None = None
    while True:
        page = await erase(forms, PAGE, cursor)
        examined += page.examined
        erased += page.erased
        cursor = page.cursor
        if cursor is None:
            return ErasePage(examined=examined, erased=erased)
