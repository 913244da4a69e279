"""What of a gateway's request is screened, under which label, and how changed texts come back."""

from typing import Any

import pytest

from vestibule.client_service.compat.litellm.payload import (
    MAX_DEPTH,
    GuardrailRequest,
    count_media,
    texts_of,
    tools_with,
)
from vestibule.contracts.errors import TooLarge

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def _labels(**members: Any) -> dict[str, str]:
    request = GuardrailRequest.model_validate({"input_type": "request", **members})
    return {label: text for label, text, _context in texts_of(request)}


def test_each_text_has_a_label() -> None:
    """Texts by their direction and place; an answer without texts has none."""
    assert {"request/0": "a", "request/1": "b"} == _labels(texts=["a", "b"])
    assert {"response/0": "a"} == _labels(texts=["a"], input_type="response")
    assert {} == _labels(texts=None, tools=None)


def test_structured_members_are_screened_where_they_have_more_than_the_texts() -> None:
    """Arguments, names of people and refusals are; what is in `texts`, ids, roles, types and images are not."""
    call = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": '{"to": "x"}'}}
    messages = [
        {"role": "user", "name": "jane", "content": [{"type": "text", "text": "hello"}, IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    assert {
        "request/0": "hello",
        "tool call/0": "send",
        "tool call/1": '{"to": "x"}',
        "message member/0": "jane",
        "message member/1": "done",
    } == _labels(texts=["hello"], structured_messages=messages, tool_calls=[call])


def test_arguments_that_are_no_text_are_screened_with_their_names() -> None:
    """An `id` among arguments is no id of the protocol, and the name of a member may be anything."""
    used = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"id": "4711", "jane@example.org": True}}
    found = _labels(texts=[], structured_messages=[{"role": "assistant", "content": [used]}])
    assert ["find", "4711", "jane@example.org"] == list(found.values())
    assert {"message member"} == {label.partition("/")[0] for label in found}


def test_definitions_of_tools_come_back_changed_or_not_at_all() -> None:
    """Only their texts change, and those that were sent stay as they are."""
    tools = [{"type": "function", "function": {"name": "send", "parameters": {"default": "a", "enum": [1, "b"]}}}]
    request = GuardrailRequest(input_type="request", tools=tools)
    texts = {label: text for label, text, _context in texts_of(request)}
    assert ["function", "send", "a", "b"] == list(texts.values())
    assert tools_with(request, texts) is None
    changed = tools_with(request, {**texts, "tool/3": "<B>"})
    assert changed is not None
    assert {"default": "a", "enum": [1, "<B>"]} == changed[0]["function"]["parameters"]
    assert [1, "b"] == tools[0]["function"]["parameters"]["enum"]


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ({"images": ["https://example.org/a.png"]}, 1),
        (
            {"structured_messages": [{"role": "user", "content": [IMAGE, {"type": "input_audio", "input_audio": {}}]}]},
            2,
        ),
        ({"images": [], "structured_messages": [{"role": "user", "content": "text"}]}, 0),
    ],
)
def test_media_are_counted(members: dict[str, Any], count: int) -> None:
    """Those that are listed, or those that messages have, whichever are more."""
    assert count == count_media(GuardrailRequest.model_validate({"input_type": "request", **members}))


def test_deep_members_are_refused() -> None:
    """A bound on nesting keeps the service from an endless walk."""
    deep: Any = "text"
    for _ in range(MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(TooLarge, match="nested"):
        _labels(tools=[{"deep": deep}])
