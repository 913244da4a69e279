"""Checks the reasons of maintenance windows for personal data, as `POST /add` checks values."""

import asyncio
from functools import cached_property

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, ScanImpossible
from vestibule.detection import DetectionError, DetectionSettings, Scanner


class ReasonCheck:
    """Scans reasons. The scanner is built with the first reason, since most schedulers never get one."""

    def __init__(self, settings: DetectionSettings, alerts: AlertEngine) -> None:
        self._settings = settings
        self._alerts = alerts

    async def validate(self, text: str) -> None:
        """Refuse a reason with control characters or personal data.

        Raises:
            InvalidInput: it has characters that cannot be printed.
            PersonalDataFound: the scanner found something.
            ScanImpossible: the scanner failed.
        """
        if not text:
            return
        if not text.isprintable():
            raise InvalidInput("The reason must consist of printable characters.")
        try:
            findings = await asyncio.to_thread(lambda: self._scanner.scan(text))
        except DetectionError as error:
            raise ScanImpossible("The reason could not be scanned, so it was rejected.") from error
        if findings:
            entities = sorted({finding.entity for finding in findings})
            described = f"{', '.join(entities)} in the reason of a maintenance window; the request was rejected."
            alert = await self._alerts.raise_alert(
                AlertType.PERSONAL_DATA, described, entities=entities, **current_origin()
            )
            raise PersonalDataFound(
                f"Request rejected: `reason` contains {', '.join(entities)}. Nothing was stored.",
                findings=[
                    {"entity": one.entity, "start": one.start, "end": one.end, "score": round(one.score, 3)}
                    for one in findings
                ],
                alert_id=alert.id,
            )

    @cached_property
    def _scanner(self) -> Scanner:
        return Scanner.from_settings(self._settings)
