"""Reveals the values behind tokens of the policy, and stored values; every use needs a reason and raises an alert."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from vestibule.alerts import Alert, AlertEngine, AlertType, current_origin
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.entries import Entry
from vestibule.contracts.errors import KeyNotFound, TokenRetired, Unavailable, UnknownToken
from vestibule.database_client.entries import EntryClient
from vestibule.encryption import TokenKeyRetired, UnrecognizedToken
from vestibule.policy import Situation
from vestibule.policy.policy import PolicyFile
from vestibule.processor_adapters import Tokens
from vestibule.service_kit.audit.acts import note_act

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Detokenizer:
    """Reveals values. Every use raises an alert before the value is returned, and so does every failed attempt."""

    screener: Screener
    tokenizer: Tokens
    policies: PolicyFile
    alerts: AlertEngine

    async def reveal(self, token: str, reason: str, sender: Situation) -> tuple[str, Alert, bool]:
        """Return the value that `token` stands for, the alert that was raised, and whether its key was rotated since.

        The value can be revealed until the key is retired.

        Raises:
            PersonalDataFound: the reason, which is stored, contains personal data.
            UnknownToken: the token is not known here, or is of another tenant.
            TokenRetired: the key of the token was retired.
            Unavailable: the alert cannot be recorded, so nothing is revealed.
        """

        async def look_up() -> tuple[str, str]:
            try:
                value = self.tokenizer.reveal(token, self.policies.current.tenant_of(sender))
            except UnrecognizedToken:
                raise UnknownToken("The token stands for no value of your tenant.") from None
            except TokenKeyRetired:
                said = "The key of the token was retired; its value can no longer be revealed."
                raise TokenRetired(said) from None
            return value, f"a value of the kind {token[1:].partition('.')[0]}"

        value, alert = await self.reveal_found(look_up, reason)
        return value, alert, self.tokenizer.is_rotated(token)

    async def reveal_entry(
        self, entries: EntryClient, key: str, version: int | None, reason: str
    ) -> tuple[Entry, Alert]:
        """Return a version of the entry under `key`, the current one if none is given, and the alert that was raised.

        Raises:
            PersonalDataFound: the reason, which is stored, contains personal data.
            KeyNotFound: there is no entry, or that version is not kept.
            Unavailable: the alert cannot be recorded, so nothing is revealed; or the database service does not answer.
        """

        async def look_up() -> tuple[Entry, str]:
            entry = await _version_of(entries, key, version)
            # Alerts go to people and to other systems, and a policy may let anything into a key.
            name = "an entry, whose key is not shown," if await self.screener.scan(key) else f"the entry {key}"
            return entry, f"{name} in version {entry.version}"

        return await self.reveal_found(look_up, reason)

    async def reveal_found(
        self, look_up: Callable[[], Awaitable[tuple[Found, str]]], reason: str
    ) -> tuple[Found, Alert]:
        """Return what is looked up, after an alert that says what it is; raises what `reveal` raises."""
        await self.screener.refuse_findings("reason", reason)
        note_act(reason=reason)
        refusal: UnknownToken | TokenRetired | KeyNotFound | Unavailable
        try:
            found, what = await look_up()
        except (UnknownToken, TokenRetired, KeyNotFound, Unavailable) as error:
            refusal = error
        else:
            # Not "was revealed": an alert that could not be recorded at once may be later, and nothing was then.
            alert = await self._alert(f"Reveal of {what}", reason)
            if alert.is_recorded:
                return found, alert
            refusal = Unavailable("alerts", "The alert about the reveal cannot be recorded, so nothing is revealed.")
        await self._alert(f"A reveal was refused ({refusal.title.lower()}), and nothing was revealed", reason)
        raise refusal

    async def _alert(self, event: str, reason: str) -> Alert:
        return await self.alerts.raise_alert(AlertType.REVEAL, f"{event}; reason given: {reason}", **current_origin())


async def _version_of(entries: EntryClient, key: str, version: int | None) -> Entry:
    entry = await entries.read(key)
    if version in (None, entry.version):
        return entry
    for one in (await entries.history(key)).revisions:
        if one.version == version and one.value is not None:
            return Entry(key=key, value=one.value, version=one.version, expires_at=one.expires_at)
    raise KeyNotFound("That version of the entry is not kept.")
