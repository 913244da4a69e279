"""Entries: add, read, list, delete and watch them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from vestibule.client.asynchronous.resource import AsyncPages, AsyncResource
from vestibule.client.calls import Call, condition, preference
from vestibule.client.operations import Repeat
from vestibule.client.results.entries import (
    AddedEntries,
    AddedEntry,
    DeletedEntry,
    Entry,
    EntryBatch,
    EntryChange,
    History,
    KeyPage,
    SubmittedForm,
)


class AsyncEntries(AsyncResource):
    """Entries: texts under keys."""

    async def add(
        self,
        key: str,
        value: str,
        *,
        ttl_s: float | None = None,
        if_version: int | None = None,
        receipt: bool = False,
        idempotency_key: str | None = None,
    ) -> AddedEntry:
        """Screen a text and store it under a key; it is on disk then.

        Args:
            key: 1 to 512 bytes of printable UTF-8.
            value: at most 1 MiB in UTF-8.
            ttl_s: seconds after which it expires.
            if_version: only if the entry has this version; 0: only if there is no entry.
            receipt: also return a signed receipt of the decision.
            idempotency_key: made by the client if it is not given, and the same for each attempt.

        Raises:
            PersonalDataFound: the policy blocks it; `extra["findings"]` says what and where.
            PreconditionFailed: the entry has another version.
        """
        call = Call(
            "add_entry",
            body={"key": key, "value": value, "ttl_s": ttl_s},
            headers={**condition(if_version), **preference(receipt=receipt)},
            idempotency_key=idempotency_key,
        )
        return await self._result(call, AddedEntry)

    async def add_many(
        self, pairs: Mapping[str, str] | Sequence[Mapping[str, Any]], *, receipt: bool = False
    ) -> list[AddedEntry]:
        """Screen up to 1,000 texts and store all of them or none.

        Args:
            pairs: texts by key, or objects with `key`, `value` and, where wanted, `ttl_s` and `expected_version`.
            receipt: also return signed receipts of the decisions.

        Raises:
            PersonalDataFound: the policy blocks one; `extra["index"]` says which.
        """
        named = [{"key": key, "value": value} for key, value in pairs.items()] if isinstance(pairs, Mapping) else pairs
        call = Call("add_entries", body={"pairs": named}, headers=preference(receipt=receipt))
        return (await self._result(call, AddedEntries)).added

    async def read(self, key: str) -> Entry:
        """Return the entry under a key. Raises: KeyNotFound, if there is none."""
        return await self._result(Call("read_entry", query={"key": key}), Entry)

    async def read_if_changed(self, key: str, version: int) -> Entry | None:
        """Return the entry under a key, or None while it has this version. Raises: KeyNotFound, if there is none."""
        call = Call("read_entry", query={"key": key}, headers={"If-None-Match": f'"{version}"'})
        answer = await self._answer(call)
        return None if answer.status == 304 else answer.result(Entry)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under up to 1,000 keys as of one moment, in their order; None where there is none."""
        return (await self._result(Call("read_entries", body={"keys": keys}), EntryBatch)).entries

    async def history(self, key: str) -> History:
        """Return the versions of an entry that are kept, newest first. Raises: KeyNotFound, if there is none."""
        return await self._result(Call("get_entry_history", query={"key": key}), History)

    async def delete(self, key: str, *, if_version: int | None = None) -> DeletedEntry:
        """Delete the entry under a key; with `if_version` only that version, and the request is not repeated then."""
        call = Call(
            "delete_entry",
            query={"key": key},
            headers=condition(if_version),
            # A repetition would be refused, since the first may have deleted it.
            repeat=None if if_version is None else Repeat.NEVER,
        )
        return await self._result(call, DeletedEntry)

    def keys(
        self, prefix: str = "", *, page_size: int | None = None, cursor: str | None = None
    ) -> AsyncPages[KeyPage, str]:
        """Return the keys that begin so, in order of their code points; `page_size` is 1,000 at most."""
        query = {"prefix": prefix or None, "limit": page_size, "cursor": cursor}
        return AsyncPages(self, Call("list_keys", query=query), KeyPage, lambda page: page.keys)

    async def watch(self, prefix: str = "", *, last_event_id: str | None = None) -> AsyncGenerator[EntryChange, None]:
        """Yield changes of entries from now on, or after an event; it goes on over cuts and restarts.

        Several changes of one key may be merged into the last.
        """
        call = Call("watch_entries", query={"prefix": prefix or None})
        async for event in self._transport.events(call, self._configuration, last_event_id):
            if event.kind != "reconnected":
                yield _change_of(event.kind, event.last_id, event.json())


def _change_of(kind: str, event_id: str | None, data: Any) -> EntryChange:
    members = data if isinstance(data, dict) else {}
    return EntryChange(
        kind=kind, key=members.get("key"), version=members.get("version"), event_id=event_id, raw=members
    )


class AsyncForms(AsyncResource):
    """Forms that the policy file defines."""

    async def submit(
        self, name: str, fields: Mapping[str, Any], *, receipt: bool = False, idempotency_key: str | None = None
    ) -> SubmittedForm:
        """Screen a form field by field and store it as one JSON object; it is on disk then.

        Args:
            name: of the form.
            fields: texts, numbers, truth values, or lists of these, by the name of their field; one that
                is None is left out.
            receipt: also return a signed receipt of the decision.
            idempotency_key: made by the client if it is not given, and the same for each attempt.

        Raises:
            FormNotFound: the policy file defines none of that name.
            FormInvalid: it is not filled in as its definition says; `extra["errors"]` names the fields.
            PersonalDataFound: the policy blocks it; `extra["findings"]` names the fields.
        """
        call = Call(
            "submit_form",
            path={"name": name},
            body=fields,
            headers=preference(receipt=receipt),
            idempotency_key=idempotency_key,
        )
        return await self._result(call, SubmittedForm)
