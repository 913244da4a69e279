"""The use cases of entries and messages: add entries, run a task, process a message."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from vestibule.client_service.intake.message_routing import Destination, MessageRoutes
from vestibule.client_service.intake.work import (
    Message,
    RunRequest,
    WorkRequest,
    keyed_names,
    operation_id,
)
from vestibule.client_service.screening.descriptions import RESULT_FIELD
from vestibule.client_service.screening.screener import FieldText, Screened, ScreenedFields, Screener
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.entries import MAX_VALUE_BYTES, BatchPair, Condition, Pair, Written
from vestibule.contracts.errors import InvalidInput, NotProcessable, Refused, TooLarge, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import NewTask
from vestibule.contracts.tasks import ERROR_DETAILS, ProcessRequest
from vestibule.database_client.entries import EntryClient
from vestibule.encryption import Fingerprinter
from vestibule.policy import Situation
from vestibule.policy.policy import OPTIONS_FIELD
from vestibule.processing import ProcessorRegistry
from vestibule.runtime.turns import in_slices
from vestibule.service_kit.service_client import ServiceClient

# The relay checks a task this long after its message was sent.
FIRST_CHECK_AFTER_S = 5.0
# The business logic service needs this long beside the processor: to wait for a free process, and to end one.
REPLY_MARGIN_S = 1.0


AnyPair = TypeVar("AnyPair", bound=Pair)


@dataclass(frozen=True, slots=True)
class AddedEntry:
    """An entry that was stored, and its screening."""

    written: Written
    screened: Screened


@dataclass(frozen=True, slots=True)
class AddedFields:
    """A form that was stored, and its screening."""

    written: Written
    screened: ScreenedFields


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """A message that was accepted, and its outcome: the task's id, or the reply."""

    outcome: str
    screened: Screened
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """Screens and forwards what callers send. Every method raises `Unavailable` if a service does not answer."""

    screener: Screener
    entries_for: Callable[[Principal], EntryClient]
    # Records a task and returns its id; the second argument is the address that is notified of its end.
    accept_task: Callable[[NewTask, str | None], Awaitable[str]]
    # The business logic service; None if it is disabled.
    logic: ServiceClient | None
    processors: ProcessorRegistry
    fingerprinter: Fingerprinter
    routes: MessageRoutes
    webhooks: WebhookRules
    # The time limit of a processor, in seconds.
    time_limit_s: float

    async def add(self, pair: Pair, sender: Situation, condition: Condition) -> AddedEntry:
        """Screen an entry and store it.

        Raises:
            PersonalDataFound: the policy rejects it.
            PreconditionFailed: the stored entry does not meet `condition`.
        """
        screened = await self.screener.screen(sender._replace(key=pair.key), "value", pair.value)
        changed = pair if screened.text is pair.value else pair.model_copy(update={"value": screened.text})
        if self.screener.policies.current.retention is not None:
            changed = self._with_end(changed, screened)
        entries = self.entries_for(Principal(sender.tenant, sender.token_id))
        return AddedEntry(await entries.write(changed, condition, operation_id.get()), screened)

    async def add_batch(self, pairs: Sequence[BatchPair], sender: Situation) -> list[AddedEntry]:
        """Screen each entry as `add` does, and store all or none.

        Raises:
            Refused: one is rejected; `index` says which.
            PreconditionFailed: an entry does not have the expected version; `index` says which.
        """
        screened = []
        for index, pair in enumerate(pairs):
            # Other requests are served between two entries: to screen a thousand takes a large part of a second.
            await asyncio.sleep(0)
            try:
                screened.append(await self.screener.screen(sender._replace(key=pair.key), "value", pair.value))
            except Refused as refusal:
                # The same rejection as for a single entry, with its index.
                raise type(refusal)(refusal.detail, None, **refusal.extra, index=index) from refusal
        texts = [one.text for one in screened]
        both = in_slices(zip(pairs, texts, strict=True))
        changed = [pair.model_copy(update={"value": text}) async for pair, text in both]
        if self.screener.policies.current.retention is not None:
            changed = [self._with_end(pair, one) for pair, one in zip(changed, screened, strict=True)]
        written = await self.entries_for(Principal(sender.tenant, sender.token_id)).write_batch(changed)
        return [AddedEntry(*both) for both in zip(written, screened, strict=True)]

    async def add_fields(
        self, key: str, fields: Sequence[FieldText], value_of: Callable[[Mapping[str, str]], str], sender: Situation
    ) -> AddedFields:
        """Screen texts one by one, and store under a key of ours what `value_of` makes of them.

        Raises:
            PersonalDataFound: the policy rejects one.
            TooLarge: it is too large for a value.
        """
        screened = await self.screener.screen_fields(sender._replace(key=key), fields)
        pair = self._with_end(Pair.model_construct(key=key, value=value_of(screened.texts), ttl_s=None), screened)
        entries = self.entries_for(Principal(sender.tenant, sender.token_id))
        return AddedFields(await entries.write(pair, operation=operation_id.get()), screened)

    async def start(self, request: RunRequest, sender: Situation, task_id: str) -> str:
        """Create a task that an operator has set up, and return its id; what it asks for is not screened."""
        return await self.accept_task(self._task(request, sender, task_id, key=request.key), request.callback)

    async def run(self, request: RunRequest, sender: Situation) -> str:
        """Create a task that processes the value under a key, and return its id.

        Raises:
            UnknownProcessor: there is no such processor.
            InvalidInput: the options are not valid.
            PersonalDataFound: the policy rejects the options or the key of the result.
            KeyNotFound: nothing is stored under that key.
        """
        self.processors.read_options(request.processor, request.options)
        if request.callback is not None:
            await self._check_webhook(request.callback, sender)
        task_id = operation_id.get() or str(uuid4())
        if request.options or request.write_to is not None:
            situation = request.situation_of_result(sender)._replace(task_id=task_id)
            await self.screener.screen(situation, OPTIONS_FIELD, request.options_text or "")
        return await self.accept_task(self._task(request, sender, task_id, key=request.key), request.callback)

    async def process_message(self, message: Message, sender: Situation) -> MessageOutcome:
        """Screen a message and process it as the routes say: at once, or in the background.

        Raises:
            InvalidInput: there is no such processor, or its options are not valid.
            PersonalDataFound: the policy rejects it.
            ResultRefused: the policy rejects the reply.
            NotProcessable: the processor cannot process this text, or its result is too large for a value.
        """
        self.processors.read_options(message.processor, message.options)
        if message.callback is not None:
            await self._check_webhook(message.callback, sender)
        # Chosen before the decision, so that its record names the task.
        task_id = operation_id.get() or str(uuid4())
        situation = message.situation_of_result(sender)._replace(task_id=task_id)
        screened = await self.screener.screen(situation, "text", message.text, message.options_text)
        task = self._task(message, sender, task_id, data=screened.text)
        if (
            (message.mode == "sync" or not message.is_for_later)
            and self.routes.choose(message.mode, message.processor, message.text) is Destination.BUSINESS_LOGIC
            and (reply := await self._answer(message, task, sender)) is not None
        ):
            return MessageOutcome(reply, screened, is_reply=True)
        return MessageOutcome(await self.accept_task(task, message.callback), screened)

    async def _answer(self, message: Message, task: NewTask, sender: Situation) -> str | None:
        """Return the reply; None if the service is unavailable and the caller did not ask for a reply."""
        try:
            result = await self._process(task, is_awaited=message.mode == "sync")
        except (Unavailable, TooLarge):
            if message.mode == "sync":
                raise
            return None
        situation = message.situation_of_result(sender)._replace(task_id=task.task_id)
        screened = await self.screener.screen(situation, RESULT_FIELD, result)
        reply = screened.text
        if message.write_to is not None:
            if len(reply.encode()) > MAX_VALUE_BYTES:
                raise NotProcessable(ERROR_DETAILS["ResultTooLarge"], kind="ResultTooLarge")
            entries = self.entries_for(Principal(sender.tenant, sender.token_id))
            pair = self._with_end(Pair(key=message.write_to, value=reply), screened)
            await entries.write(pair, operation=operation_id.get())
        return reply

    def _with_end(self, pair: AnyPair, screened: Screened | ScreenedFields) -> AnyPair:
        """Return a pair with the time to live that the policy gives to it."""
        retention = self.screener.policies.current.retention
        if retention is None:
            return pair
        return pair.model_copy(update={"ttl_s": retention.ttl_of(pair.key, screened.entities, pair.ttl_s)})

    async def _process(self, task: NewTask, *, is_awaited: bool) -> str:
        """Return the result of the business logic service for a task over a text.

        If it `is_awaited`, it may take as long as a task; otherwise the background does what takes longer than a call.

        Raises:
            NotProcessable: the processor cannot process the text.
            TooLarge: the text does not fit into a request.
            Unavailable: the service is disabled or does not answer.
        """
        part = "business_logic"
        if self.logic is None:
            raise Unavailable(part, "The business logic service is disabled; only `mode: async` is available.")
        body = ProcessRequest(
            data=task.data or "",
            processor=task.processor,
            options=task.terms.options,
            work_id=task.task_id,
            origin=task.terms.origin,
            time_limit_s=None if is_awaited else self.logic.timeout_s,
        )
        answer = await self.logic.call(
            "POST",
            "/process",
            body=body.model_dump(mode="json", exclude_none=True),
            timeout_s=self.time_limit_s + REPLY_MARGIN_S if is_awaited else None,
        )
        if answer.status == 422 and (kind := answer.body.get("kind")) in ERROR_DETAILS:
            raise NotProcessable(ERROR_DETAILS[kind], kind=kind)
        if answer.status == 413:
            raise TooLarge("The text does not fit into a request to the business logic service.")
        if answer.status != 200:
            raise Unavailable(part, f"The business logic service refused the request ({answer.status}).")
        return str(answer.body["processed_data"])

    def _task(
        self, request: WorkRequest, sender: Situation, task_id: str, *, key: str | None = None, data: str | None = None
    ) -> NewTask:
        delay_s, now = request.due_in_s, time.time()
        unique_keys: list[str] = []
        if request.unique_for_s is not None:
            asked = (sender.tenant, request.processor, key, data, request.options_text, request.write_to)
            unique_keys = keyed_names(self.fingerprinter, "unique", *asked, since_s=request.unique_for_s)
        terms = request.terms_for(sender, key)
        # Its members were validated before.
        return NewTask.model_construct(
            task_id=task_id,
            tenant=sender.tenant,
            processor=request.processor,
            priority=request.priority,
            data=data,
            key=key,
            terms=terms,
            request_id=terms.request_id,
            token_id=sender.token_id,
            token_name=sender.token_name,
            submitted_at=now,
            sent_at=None if delay_s else now,
            due_in_s=delay_s or FIRST_CHECK_AFTER_S,
            unique_keys=unique_keys,
            unique_for_s=request.unique_for_s,
        )

    async def _check_webhook(self, url: str, sender: Situation) -> None:
        """Screen a webhook address like every text that is stored; the policy cannot change it, only reject it.

        Raises:
            InvalidInput: the address is not allowed.
            PersonalDataFound: the policy rejects it.
        """
        text = self.webhooks.check(url)
        if (await self.screener.screen(sender, "callback", text)).text != text:
            raise InvalidInput("The callback URL contains personal data or a secret.")
