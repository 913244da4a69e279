"""Scans of texts, and the values behind tokens of the policy."""

from collections.abc import Sequence

from vestibule.client.asynchronous.resource import AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.detection import BatchScan, Finding, RevealedTexts, RevealedValue, Scan, TreatedScan


class AsyncDetection(AsyncResource):
    """What the detectors find. Nothing is stored, and no alert is raised."""

    async def scan(
        self,
        text: str,
        *,
        explain: bool = False,
        field: str | None = None,
        entities: Sequence[str] | None = None,
        min_score: float | None = None,
        allow: Sequence[str] | None = None,
    ) -> Sequence[Finding]:
        """Return the findings in a text; with `explain` each has its reasons in `because`.

        `field` is the name of the field of the text, which is context. `entities` alone are looked for; findings below
        `min_score`, and the values that `allow` lists, are left out.
        """
        options = {"field": field, "entities": entities, "min_score": min_score, "allow": allow}
        given = {name: value for name, value in options.items() if value is not None}
        call = Call("scan_text", body={"text": text, "explain": explain, **given})
        return (await self._result(call, Scan)).findings

    async def preview(self, text: str, *, key: str | None = None) -> TreatedScan:
        """Return the findings in a text, and what the policy would do if it were added under a key; nothing is done."""
        call = Call("scan_text", body={"text": text, "field": key, "treat": True})
        return await self._result(call, TreatedScan)

    async def scan_many(self, texts: Sequence[str], *, explain: bool = False) -> Sequence[Sequence[Finding]]:
        """Return the findings in each of up to 1,000 texts, in their order."""
        call = Call("scan_text", body={"texts": texts, "explain": explain})
        return [one.findings for one in (await self._result(call, BatchScan)).results]

    async def reveal(self, token: str, *, reason: str) -> RevealedValue:
        """Return the value that a token of the policy's `tokenize` stands for; each use raises an alert.

        Raises:
            UnknownToken: it stands for no value of the tenant.
            TokenRetired: its key was retired.
        """
        return await self._result(Call("reveal_token", body={"token": token, "reason": reason}), RevealedValue)

    async def reveal_entry(self, key: str, *, version: int | None = None, reason: str) -> RevealedValue:
        """Return a stored value for a person to look at, of the current version by default; each use raises an alert.

        Needs the scope `read` too.

        Raises:
            KeyNotFound: there is no entry, or that version is not kept.
        """
        call = Call("reveal_token", body={"key": key, "version": version, "reason": reason})
        return await self._result(call, RevealedValue)

    async def reveal_texts(
        self, texts: Sequence[str], *, conversation_id: str | None = None, caller: str | None = None, reason: str
    ) -> RevealedTexts:
        """Return up to 1,000 texts with the values of stand-ins and tokens in them; all together raise one alert.

        Stand-ins are those of a conversation, which is kept for a day; without it only tokens are opened. `caller` is
        the `user_api_key_hash` of a gateway's caller, if the conversation went through one.
        """
        body = {"texts": texts, "conversation_id": conversation_id, "caller": caller, "reason": reason}
        return await self._result(Call("reveal_token", body=body), RevealedTexts)
