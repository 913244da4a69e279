"""The use cases of the front door: add a pair, run a stored value, take a message."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from vestibule.client_service.intake.business_logic_client import BusinessLogicClient
from vestibule.client_service.intake.keyed_names import KeyedNames
from vestibule.client_service.intake.message_routing import Destination, MessageRoutes
from vestibule.client_service.intake.operation import operation_of_request
from vestibule.client_service.intake.requests import Message, RunRequest, WorkRequest
from vestibule.client_service.intake.work import TaskAcceptor, Work, situation_of_result, terms_of
from vestibule.client_service.screening.screener import Screened, Screener
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import (
    MAX_VALUE_BYTES,
    BatchPair,
    Deleted,
    Entry,
    EntryBatch,
    History,
    KeyPage,
    Pair,
    Written,
)
from vestibule.contracts.errors import InvalidInput, NotProcessable, Refused, Unavailable
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.contracts.work import WorkTerms
from vestibule.database_client.entries import EntryClient
from vestibule.policy import Situation
from vestibule.policy.policy import OPTIONS_FIELD
from vestibule.processing import ProcessorRegistry


@dataclass(frozen=True, slots=True)
class AddedEntry:
    """A pair that was stored."""

    written: Written
    screened: Screened


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """A message that was let in, and what came of it: the task's id, or the reply."""

    outcome: str
    screened: Screened
    is_reply: bool = False


class Intake:
    """Takes in what the door lets in. Every method raises `Unavailable` where a part that it needs does not answer."""

    def __init__(
        self,
        screener: Screener,
        database: EntryClient,
        tasks: TaskAcceptor,
        logic: BusinessLogicClient,
        processors: ProcessorRegistry,
        *,
        names: KeyedNames,
        routes: MessageRoutes,
        webhooks: WebhookRules,
    ) -> None:
        self._screener = screener
        self._database = database
        self._tasks = tasks
        self._logic = logic
        self._processors = processors
        self._names = names
        self._routes = routes
        self._webhooks = webhooks

    async def add(self, pair: Pair, sender: Situation, condition: Condition = ALWAYS) -> AddedEntry:
        """Check a pair and store it.

        Raises:
            PersonalDataFound: the policy does not let it in.
            PreconditionFailed: the entry is not what `condition` says.
        """
        screened = await self._screener.screen(sender.under(pair.key), "value", pair.value)
        changed = pair.model_copy(update={"value": screened.text})
        written = await self._database.write(changed, condition, operation_of_request())
        return AddedEntry(written, screened)

    async def add_batch(self, pairs: Sequence[BatchPair], sender: Situation) -> list[AddedEntry]:
        """Check every pair as a single one, and store all or none.

        Raises:
            Refused: the door does not let one in; `index` says which.
            PreconditionFailed: an entry has not the version that is expected; `index` says which.
        """
        screened = [await self._screen_pair(index, pair, sender) for index, pair in enumerate(pairs)]
        texts = [checked.text for checked in screened]
        changed = [pair.model_copy(update={"value": text}) for pair, text in zip(pairs, texts, strict=True)]
        written = await self._database.write_batch(changed)
        return [AddedEntry(*both) for both in zip(written, screened, strict=True)]

    async def read(self, key: str) -> Entry:
        """Return the entry under `key`.

        Raises:
            KeyNotFound: there is none.
        """
        return await self._database.read(key)

    async def read_batch(self, keys: list[str]) -> EntryBatch:
        """Return the entries under `keys` as they are at one moment, None where there is none.

        Raises:
            TooLarge: together they are too large for one answer.
        """
        return await self._database.read_batch(keys)

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        """Remove the entry under `key`.

        Raises:
            PreconditionFailed: the entry is not what `condition` says.
        """
        return await self._database.delete(key, condition)

    async def history(self, key: str) -> History:
        """Return what is known of the entry under `key`, the newest first.

        Raises:
            KeyNotFound: nothing is.
        """
        return await self._database.history(key)

    async def watch(self, prefix: str, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Return what happens to the entries that start with `prefix`, as server-sent events."""
        return await self._database.watch(prefix, last_event_id)

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        """Return a page of the keys that start with `prefix`."""
        return await self._database.keys(prefix, limit, cursor)

    async def run(self, request: RunRequest, sender: Situation) -> str:
        """Have the value under a key processed in the background and return the task's id.

        Raises:
            UnknownProcessor: no processor goes by that name.
            InvalidInput: its options are not valid.
            PersonalDataFound: the policy does not let the options or the key of the result in.
            KeyNotFound: nothing is stored under that key.
        """
        self._processors.read_options(request.processor, request.options)
        await self._check_callback(request, sender)
        if request.options_text is not None or request.write_to is not None:
            await self._screener.screen(situation_of_result(request, sender), OPTIONS_FIELD, request.options_text or "")
        return await self._tasks.accept(self._work(request, sender, key=request.key))

    async def process_message(self, message: Message, sender: Situation) -> MessageOutcome:
        """Check a message and have it processed where the routes say: at once, or in the background.

        Raises:
            InvalidInput: there is no such processor, or its options are not valid.
            PersonalDataFound: the policy does not let it in, or a reply out.
            NotProcessable: the processor cannot process this text, or its result is too large for a value.
        """
        self._processors.read_options(message.processor, message.options)
        await self._check_callback(message, sender)
        situation = situation_of_result(message, sender)
        screened = await self._screener.screen(situation, "text", message.text, message.options_text)
        work = self._work(message, sender, data=screened.text)
        if self._is_for_now(message) and (reply := await self._answer(message, work, sender)) is not None:
            return MessageOutcome(reply, screened, is_reply=True)
        return MessageOutcome(await self._tasks.accept(work), screened)

    def _is_for_now(self, message: Message) -> bool:
        if message.is_for_later and message.mode != "sync":
            return False
        to = self._routes.choose(message.mode, message.processor, message.text)
        return to is Destination.BUSINESS_LOGIC

    async def _answer(self, message: Message, work: Work, sender: Situation) -> str | None:
        """Return the reply; None where nobody is there to give it and the caller did not ask for one."""
        terms = work.terms or WorkTerms()
        try:
            result = await self._logic.process(work.data or "", work.processor, terms, work.task_id or str(uuid4()))
        except Unavailable:
            if message.mode == "sync":
                raise
            return None
        reply = (await self._screener.screen_result(situation_of_result(message, sender), result)).text
        if message.write_to is not None:
            if len(reply.encode()) > MAX_VALUE_BYTES:
                raise NotProcessable(ERROR_DETAILS["ResultTooLarge"], kind="ResultTooLarge")
            await self._database.write(Pair(key=message.write_to, value=reply), operation=operation_of_request())
        return reply

    def _work(
        self, request: WorkRequest, sender: Situation, *, key: str | None = None, data: str | None = None
    ) -> Work:
        unique_s = request.unique_for_s
        # As they were before there were options: work that is under way at an update is still the same.
        asked = (sender.tenant, request.processor, key, data)
        more = (request.options_text, request.write_to) if request.options_text or request.write_to else ()
        return Work(
            tenant=sender.tenant,
            processor=request.processor,
            key=key,
            data=data,
            priority=request.priority,
            delay_s=request.due_in_s,
            unique_keys=() if unique_s is None else self._names.of("unique", *asked, *more, since_s=unique_s),
            unique_for_s=unique_s,
            task_id=operation_of_request() or str(uuid4()),
            terms=terms_of(request, sender, key),
            callback=request.callback,
        )

    async def _check_callback(self, request: WorkRequest, sender: Situation) -> None:
        """Check an address as every text that is kept; one that would have to be changed leads elsewhere.

        Raises:
            InvalidInput: nothing may be sent there.
            PersonalDataFound: the policy does not let it in.
        """
        if request.callback is None:
            return
        said = self._webhooks.check(request.callback)
        if (await self._screener.screen(sender, "callback", said)).text != said:
            raise InvalidInput("The callback URL contains personal data or a secret.")

    async def _screen_pair(self, index: int, pair: BatchPair, sender: Situation) -> Screened:
        try:
            return await self._screener.screen(sender.under(pair.key), "value", pair.value)
        except Refused as refusal:
            # The same refusal as for a single pair; only here the caller has to learn which of them it is.
            raise type(refusal)(refusal.detail, **refusal.extra, index=index) from refusal
