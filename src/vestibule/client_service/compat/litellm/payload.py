"""Requests and replies of the guardrail, and the texts of a request with the labels by which findings name them."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.screening.screener import FieldText
from vestibule.contracts.errors import TooLarge
from vestibule.policy.policy import MEMBER_FIELD, TOOL_CALL_FIELD
from vestibule.policy.rule_index import LIST_MARK

MOST_TEXTS = 5_000
MAX_DEPTH = 32
TOOL_FIELD = "tool"
# Members of messages and of tool calls whose values are words and ids of the protocol. Ids are random and long, and
# some look like secrets.
_OF_PROTOCOL = frozenset({"role", "type", "id", "tool_call_id", "tool_use_id", "call_id"})
# What is below these comes from the model or its user.
_ARGUMENTS = frozenset({"arguments", "args", "input"})
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,31}")
# Parts of a message that hold something else than text, by their type.
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "tool_use", "tool_result", "thinking"})
Path = tuple[str | int, ...]
JsonObject = dict[str, Any]


class GuardrailRequest(BaseModel):
    """What a gateway sends. Members that are not known are ignored: later versions have more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "input_type": "request",
                    "texts": ["Write to jane@example.org."],
                    "litellm_call_id": "5f0f31d8-1d1f-4b1b-9d0e-6c1c9f4b7a11",
                    "request_data": {},
                }
            ]
        }
    )

    input_type: Literal["request", "response"] = Field(description="Whether it goes to the model or comes from it")
    texts: Annotated[list[str], Field(max_length=MOST_TEXTS)] | None = None
    images: Annotated[list[str], Field(max_length=MOST_TEXTS)] | None = Field(
        default=None, description="Addresses or data; they are counted and not read"
    )
    tools: Annotated[list[JsonObject], Field(max_length=MOST_TEXTS)] | None = Field(
        default=None, description="Definitions of tools; their texts are screened, and changed as the policy says"
    )
    tool_calls: Annotated[list[JsonObject], Field(max_length=MOST_TEXTS)] | None = Field(
        default=None,
        description="Screened; what would have to be changed is blocked, since the reply has no place for it",
    )
    structured_messages: Annotated[list[JsonObject], Field(max_length=MOST_TEXTS)] | None = Field(
        default=None, description="Screened where they have more than `texts`, as tool calls are"
    )
    litellm_call_id: str | None = Field(
        default=None,
        max_length=1024,
        description="Becomes the id of the request in the log, in decisions and in alerts; the answer has it too",
    )
    litellm_trace_id: str | None = Field(default=None, max_length=1024, description="The conversation")
    model: Any = Field(default=None, description="Ignored")
    request_data: Any = Field(
        default=None,
        description="Never logged. Of it `user_api_key_hash` alone is read: callers of a gateway share no conversation",
    )
    request_headers: Any = Field(default=None, description="Ignored, and never logged")
    litellm_version: Any = Field(default=None, description="Ignored")
    additional_provider_specific_params: Any = Field(default=None, description="Ignored")

    @property
    def caller(self) -> str:
        """The key of the gateway's caller, as its hash; empty where there is none."""
        given = self.request_data.get("user_api_key_hash") if isinstance(self.request_data, dict) else None
        return given if isinstance(given, str) else ""


class GuardrailAction(StrEnum):
    """What the gateway does."""

    NONE = "NONE"
    BLOCKED = "BLOCKED"
    INTERVENED = "GUARDRAIL_INTERVENED"


class GuardrailReply(BaseModel):
    """What the gateway reads."""

    action: GuardrailAction = Field(examples=["GUARDRAIL_INTERVENED"])
    blocked_reason: str | None = Field(
        default=None, description="Kinds of what was found and the id of the alert; nothing that was sent"
    )
    texts: list[str] | None = Field(
        default=None,
        description="With `GUARDRAIL_INTERVENED`: as many as were sent, in the same order",
        examples=[["Write to <EMAIL_ADDRESS>."]],
    )
    tools: list[JsonObject] | None = Field(default=None, description="Those that were sent, if one was changed")
    stream_holdback_chars: list[int] | None = Field(
        default=None,
        description="For an answer of the model: how many characters at the end of each text a stream keeps back, "
        "since with more of it they may become a finding",
    )
    without_fake: list[str] | None = Field(
        default=None, description="Entities of which values got numbers, because no fake could be made"
    )
    images_not_read: int | None = Field(default=None, description="How many images, sounds and files were not read")


def texts_of(request: GuardrailRequest) -> Iterator[FieldText]:
    """Yield what is to be screened.

    Labels are `request/0` or `response/0` for `texts`, `tool/0` for strings in definitions of tools, `tool call/0` and
    `message member/0` for what the reply has no place for.

    Raises:
        TooLarge: members are nested too deeply.
    """
    given = request.texts or ()
    for number, text in enumerate(given):
        yield FieldText(f"{request.input_type}{LIST_MARK}{number}", text, None)
    for number, (_path, text) in enumerate(strings_in(request.tools or [])):
        yield FieldText(f"{TOOL_FIELD}{LIST_MARK}{number}", text, None)
    seen = set(given)
    messages = _without_media(request.structured_messages)
    for name, texts in (
        (TOOL_CALL_FIELD, _free_strings(request.tool_calls or [])),
        (MEMBER_FIELD, chain(_free_strings(messages), names_in([request.tools, request.tool_calls, messages]))),
    ):
        unseen = (text for text in dict.fromkeys(texts) if text not in seen)
        for number, text in enumerate(unseen):
            yield FieldText(f"{name}{LIST_MARK}{number}", text, None)
            seen.add(text)


def tools_with(request: GuardrailRequest, texts: Mapping[str, str]) -> list[JsonObject] | None:
    """Return the definitions of tools with `texts` by their labels; None if they are the same."""
    tools = request.tools or []
    places = list(strings_in(tools))
    changed = [texts[f"{TOOL_FIELD}{LIST_MARK}{number}"] for number in range(len(places))]
    if changed == [text for _path, text in places]:
        return None
    replaced = [_copy(one) for one in tools]
    for (path, _text), text in zip(places, changed, strict=True):
        holder: Any = replaced
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = text
    return replaced


def count_media(request: GuardrailRequest) -> int:
    """Return how many images, sounds and files there are: those that are listed, or that messages have."""
    parts = sum(1 for message in request.structured_messages or () for part in _parts(message) if _is_media(part))
    return max(len(request.images or ()), parts)


def strings_in(content: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the strings within a JSON value, each with its place.

    Raises:
        TooLarge: it is nested too deeply.
    """
    if isinstance(content, str):
        yield path, content
        return
    if len(path) > MAX_DEPTH:
        raise TooLarge(f"Members may be nested {MAX_DEPTH} deep.")
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for step, one in inner:
        yield from strings_in(one, (*path, step))


def names_in(content: Any) -> Iterator[str]:
    """Yield the names of members within a JSON value, but those that look like names in a program."""
    if isinstance(content, dict):
        yield from (name for name in content if not _PLAIN_NAME.fullmatch(name))
    if isinstance(content, dict | list):
        for one in content.values() if isinstance(content, dict) else content:
            yield from names_in(one)


def _free_strings(content: list[JsonObject]) -> Iterator[str]:
    for path, text in strings_in(content):
        if path[-1] not in _OF_PROTOCOL or not _ARGUMENTS.isdisjoint(path):
            yield text


def _copy(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _copy(one) for name, one in content.items()}
    return [_copy(one) for one in content] if isinstance(content, list) else content


def _parts(message: JsonObject) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_media(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type", "text") not in _TEXT_PARTS


def _without_media(messages: list[JsonObject] | None) -> list[JsonObject]:
    without = []
    for message in messages or ():
        parts = _parts(message)
        kept = {**message, "content": [one for one in parts if not _is_media(one)]} if parts else message
        without.append(kept)
    return without
