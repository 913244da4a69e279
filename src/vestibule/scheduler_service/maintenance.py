"""Maintenance windows: times in which outages of a part, or missed heartbeats of a tenant, raise no alert."""

import asyncio
import secrets
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound, PersonalDataFound, ScanImpossible
from vestibule.contracts.identity import SYSTEM_TENANT, Visibility
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.detection import DetectionError, DetectionSettings, Finding, Scanner
from vestibule.detection.names import readings

PREFIX = "maintenance/"
EVERYTHING = "all"
# How long a window is shown after its end.
KEEP = timedelta(days=31)
LONGEST = timedelta(days=366)
# The entry of a window expires a while after its end, and no entry may have a longer time to live than ten years.
FARTHEST = timedelta(days=9 * 366)
MOST = 200


class MaintenanceWindow(BaseModel):
    """A time in which outages of a part raise no alert. One of a tenant covers heartbeats of that tenant alone."""

    model_config = ConfigDict(populate_by_name=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = Field(default_factory=lambda: secrets.token_hex(8))
    part: str = Field(description="The name of a part, `heartbeat:NAME`, or `all`", examples=["database"])
    begins: AwareDatetime = Field(alias="from")
    ends: AwareDatetime = Field(alias="until")
    reason: str = ""
    author: str = Field(description="The name of the token that asked for it")
    tenant: str = Field(default=SYSTEM_TENANT, description="The tenant that it belongs to; `~system`: it covers all")

    def covers(self, part: str, at: datetime, tenant: str = SYSTEM_TENANT) -> bool:
        """Say whether `part` may be down at that time; of a heartbeat with its tenant."""
        is_about = self.tenant in (tenant, SYSTEM_TENANT) and self.part in (part, EVERYTHING)
        return is_about and self.begins <= at < self.ends


class MaintenanceRepository:
    """The windows in the store; `known` is the last state read, also while the store is unavailable."""

    def __init__(self, store: EntryClient) -> None:
        self._store = store
        self._records = RecordReader(MaintenanceWindow)
        self.known: list[MaintenanceWindow] = []

    def is_planned(self, part: str, at: datetime, tenant: str = SYSTEM_TENANT) -> bool:
        """Say whether `part` may be down at that time, by the windows last read."""
        return any(window.covers(part, at, tenant) for window in self.known)

    def visible(self, visibility: Visibility) -> list[MaintenanceWindow]:
        """Return the known windows that are visible, the latest first."""
        return [window for window in self.known if visibility.covers(window.tenant)]

    async def refresh(self) -> None:
        """Read all windows from the store. Raises `Unavailable` if the store does not answer."""
        self.known = sorted(await self._read(), key=lambda window: window.begins, reverse=True)

    async def add(self, window: MaintenanceWindow, now: datetime) -> MaintenanceWindow:
        """Store a window and return it.

        Raises:
            InvalidInput: it ends before it begins, ended already, is too long, or there are too many.
            Unavailable: the store does not answer.
        """
        is_in_order = timedelta(0) < window.ends - window.begins <= LONGEST
        if not is_in_order or not timedelta(0) < window.ends - now <= FARTHEST:
            raise InvalidInput(
                "The end of a window must be after its start and within a year of it, and in the next nine years."
            )
        if sum(one.tenant == window.tenant for one in await self._read()) >= MOST:
            raise InvalidInput(f"There are {MOST} windows, the maximum; delete some first.")
        await self._write(window, now)
        self.known = [window, *self.known]
        return window

    async def end(self, window_id: str, now: datetime, visibility: Visibility) -> MaintenanceWindow:
        """End a window, or delete it if it has not begun.

        Raises:
            MaintenanceNotFound: no window that is visible has that id.
            Unavailable: the store does not answer.
        """
        entry = await self._store.find(PREFIX + window_id)
        window = None if entry is None else self._records.read(entry)
        # One that cannot be read belongs to no tenant that is known.
        tenant = SYSTEM_TENANT if window is None else window.tenant
        if entry is None or not visibility.covers(tenant):
            raise MaintenanceNotFound("No maintenance window has that id.")
        self.known = [one for one in self.known if one.id != window_id]
        if window is None:
            await self._store.delete(PREFIX + window_id)
            raise MaintenanceNotFound("That maintenance window could not be read; it is deleted.")
        if window.begins >= now or window.ends <= now:
            await self._store.delete(PREFIX + window_id)
            return window
        ended = window.model_copy(update={"ends": now})
        await self._write(ended, now)
        self.known = [ended, *self.known]
        return ended

    async def _read(self) -> list[MaintenanceWindow]:
        return self._records.read_each(await self._store.read_all(PREFIX))

    async def _write(self, window: MaintenanceWindow, now: datetime) -> None:
        ttl_s = (window.ends - now + KEEP).total_seconds()
        await self._store.write(Pair(key=PREFIX + window.id, value=window.model_dump_json(by_alias=True), ttl_s=ttl_s))


class TextCheck:
    """Scans what callers write. The scanner is built with the first text, since many schedulers never get one."""

    def __init__(self, settings: DetectionSettings, alerts: AlertEngine) -> None:
        self._settings = settings
        self._alerts = alerts

    async def validate(self, field: str, text: str, meaning: str) -> None:
        """Refuse a text with personal data: people will read it in alerts and on pages.

        `field` is the member or parameter that it came in; `meaning` is its name in the alert.

        Raises:
            PersonalDataFound: the scanner found something.
            ScanImpossible: the scanner failed.
        """
        await self._refuse_findings(field, text, text, meaning)

    async def validate_name(self, field: str, name: str, meaning: str) -> None:
        """Refuse a name as `validate` refuses a text, also for what stands between its separators.

        Raises what `validate` raises.
        """
        await self._refuse_findings(field, name, readings(name), meaning)

    async def _refuse_findings(self, field: str, given: str, text: str, meaning: str) -> None:
        if not given:
            return
        try:
            findings = await asyncio.to_thread(lambda: self._scanner.scan(text))
        except DetectionError as error:
            raise ScanImpossible(f"The {field} could not be scanned, so it was rejected.") from error
        if findings:
            entities = sorted({finding.entity for finding in findings})
            described = f"{', '.join(entities)} in {meaning}; the request was rejected."
            alert = await self._alerts.raise_alert(
                AlertType.PERSONAL_DATA, described, entities=entities, **current_origin()
            )
            raise PersonalDataFound(
                f"Request rejected: `{field}` contains {', '.join(entities)}. Nothing was stored.",
                findings=[
                    {"entity": one.entity, **_place(one, given, text), "score": round(one.score, 3)} for one in findings
                ],
                alert_id=alert.id,
            )

    def is_clean(self, text: str) -> bool:
        """Say whether the scanner finds nothing; a text that it cannot scan is not clean."""
        try:
            return not self._scanner.scan(readings(text))
        except DetectionError:
            return False

    @cached_property
    def _scanner(self) -> Scanner:
        return Scanner.from_settings(self._settings)


def _place(finding: Finding, given: str, text: str) -> dict[str, int]:
    """Return where a finding in `text` stands in what was given; the whole of it if it stands nowhere there."""
    found = text[finding.start : finding.end]
    start = finding.start if finding.end <= len(given) else given.find(found)
    return {"start": max(start, 0), "end": start + len(found) if start >= 0 else len(given)}
