"""What the installation serves of Presidio: languages and entities, and what it says of those that it does not."""

from vestibule.alerts import AlertEngine
from vestibule.client_service.compat.presidio.analysis import recognizer_of
from vestibule.client_service.compat.presidio.names import AskedEntities, supported_names
from vestibule.client_service.compat.presidio.refusals import NO_RECOGNIZERS, PresidioRefusal
from vestibule.client_service.compat.reported_once import ReportedOnce
from vestibule.detection import Scanner

# Those in which detectors know labels. What is found does not depend on which one a client names.
LANGUAGES = frozenset({"en", "de", "es", "fr", "it", "nl", "pl", "pt"})
UNSERVED_HEADER = "X-Presidio-Entities-Not-Served"


class PresidioService:
    """The side of the interface that is the same for all requests."""

    def __init__(self, scanner: Scanner, alerts: AlertEngine, *, refuses_unserved: bool) -> None:
        self._scanner = scanner
        self._once = ReportedOnce(alerts)
        self._refuses_unserved = refuses_unserved

    def check_language(self, language: str | None) -> None:
        """Check that a language is served, if one is named.

        Raises:
            PresidioRefusal: it is not.
        """
        if language is not None and language not in LANGUAGES:
            raise PresidioRefusal(500, NO_RECOGNIZERS)

    def supported_entities(self, language: str | None) -> list[str]:
        """Return the names that can be asked for.

        Raises:
            PresidioRefusal: the language is not served.
        """
        self.check_language(language or None)
        return supported_names(self._scanner.entities)

    def recognizers(self, language: str | None) -> list[str]:
        """Return a name for what finds each of our entities.

        Raises:
            PresidioRefusal: the language is not served.
        """
        self.check_language(language or None)
        return sorted(map(recognizer_of, self._scanner.entities))

    async def report_unserved(self, asked: AskedEntities, token_id: str) -> dict[str, str]:
        """Return a header that names what was asked for and is not served; the first time an alert says so too.

        Raises:
            PresidioRefusal: the installation refuses such requests.
        """
        if not asked.unserved and not asked.unknown:
            return {}
        names = ", ".join([*asked.unserved, *([f"{asked.unknown} unknown"] if asked.unknown else [])])
        consequence = "the request was refused" if self._refuses_unserved else "they are not looked for"
        await self._once.report(
            token_id,
            (asked.unserved, bool(asked.unknown)),
            f"A client of /presidio/analyze asks for entities that are not served: {names}; {consequence}. "
            "Later requests of this token for the same raise no alert.",
        )
        if self._refuses_unserved:
            raise PresidioRefusal(500, f"Entities are not served: {names}.")
        return {UNSERVED_HEADER: names}
