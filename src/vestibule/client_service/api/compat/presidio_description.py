"""What the description of the API says of requests and replies in Presidio's form.

Source: docs/api-docs/api-docs.yml of microsoft/presidio at commit 0aa9f8e44275, for names and kinds of members.
"""

from typing import Any

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


def _object(properties: dict[str, Any], *required: str, description: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "description": description} if description else schema


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _reply(schema: dict[str, Any], example: Any, description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}}


_PATTERN = _object({"name": _TEXT, "regex": _TEXT, "score": {"type": "number", "minimum": 0, "maximum": 1}})
_RECOGNIZER = _object(
    {
        "name": _TEXT,
        "supported_language": _TEXT,
        "supported_entity": _TEXT,
        "patterns": {"type": "array", "items": _PATTERN},
        "deny_list": _TEXTS,
        "deny_list_score": {"type": "number", "minimum": 0, "maximum": 1},
        "context": _TEXTS,
        "global_regex_flags": {"type": "integer"},
    },
    description="A recognizer for this request alone. Its expressions are matched in linear time, by RE2.",
)
ANALYZE_BODY = _body(
    _object(
        {
            "text": {"anyOf": [_TEXT, _TEXTS], "description": "One text, or a list of them"},
            "language": {**_TEXT, "description": "Two characters, ISO 639-1"},
            "entities": {**_TEXTS, "description": "Only these, by Presidio's names or ours; all if absent"},
            "score_threshold": {"type": "number", "description": "Leave out findings with a lower score"},
            "return_decision_process": {"type": "boolean", "description": "Return the reasons of each finding"},
            "correlation_id": {**_TEXT, "description": "Ignored: nothing of a request is logged"},
            "context": {**_TEXTS, "description": "Words that count as if they stood before the text"},
            "allow_list": {**_TEXTS, "description": "Values that are no finding"},
            "allow_list_match": {"type": "string", "enum": ["exact", "regex"]},
            "regex_flags": {"type": "integer", "description": "Flags of Python's `re`, for the allow list"},
            "ad_hoc_recognizers": {"type": "array", "items": _RECOGNIZER},
        },
        "text",
        "language",
    ),
    {"text": "write to jane@example.org", "language": "en", "score_threshold": 0.4},
)
_EXPLANATION = {
    "anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}],
    "description": "With `return_decision_process`: recognizer, rule, scores and the words around",
}
_RESULT = _object(
    {
        "entity_type": _TEXT,
        "start": {"type": "integer"},
        "end": {"type": "integer"},
        "score": {"type": "number"},
        "analysis_explanation": _EXPLANATION,
    },
    *("entity_type", "start", "end", "score", "analysis_explanation"),
)
_RESULTS = {"type": "array", "items": _RESULT}
_FOUND = {"analysis_explanation": None, "end": 25, "entity_type": "EMAIL_ADDRESS", "score": 0.95, "start": 9}
ANALYZE_REPLIES = _reply(
    {"type": "array", "items": {"anyOf": [_RESULT, _RESULTS]}},
    [_FOUND],
    "The findings, the surest first; for a list of texts a list of such lists",
)
_OPERATORS = {
    "type": "object",
    "additionalProperties": _object({"type": _TEXT}),
    "description": "An operator by entity, and one under `DEFAULT` for the others",
}
_SPAN = {"start": {"type": "integer"}, "end": {"type": "integer"}, "entity_type": _TEXT}
_ONE_OR_MORE = {"anyOf": [_TEXT, _TEXTS], "description": "One text, or a list of them with a list of results for each"}


def _results(members: dict[str, Any]) -> dict[str, Any]:
    one = _object(members)
    return {"type": "array", "items": {"anyOf": [one, {"type": "array", "items": one}]}}


_EXAMPLE_RESULT = {"start": 9, "end": 25, "score": 0.95, "entity_type": "EMAIL_ADDRESS"}
ANONYMIZE_BODY = _body(
    _object(
        {
            "text": _ONE_OR_MORE,
            "anonymizers": _OPERATORS,
            "analyzer_results": _results({**_SPAN, "score": {"type": "number"}}),
        },
        "text",
        "analyzer_results",
    ),
    {"text": "write to jane@example.org", "analyzer_results": [_EXAMPLE_RESULT]},
)
_ITEM = _object({**_SPAN, "text": _TEXT, "operator": _TEXT}, "start", "end", "entity_type", "text", "operator")
_ONE_CHANGED = _object({"text": _TEXT, "items": {"type": "array", "items": _ITEM}}, "text", "items")
_CHANGED = {"anyOf": [_ONE_CHANGED, {"type": "array", "items": _ONE_CHANGED}]}


def _changed(text: str, end: int, replacement: str, operator: str) -> dict[str, Any]:
    item = {"start": 9, "end": end, "entity_type": "EMAIL_ADDRESS", "text": replacement, "operator": operator}
    return {"text": text, "items": [item]}


ANONYMIZE_REPLIES = _reply(
    _CHANGED,
    _changed("write to <EMAIL_ADDRESS>", 24, "<EMAIL_ADDRESS>", "replace"),
    "The text, and what was replaced in it, from the end to the start",
)
DEANONYMIZE_BODY = _body(
    _object(
        {
            "text": _ONE_OR_MORE,
            "deanonymizers": _OPERATORS,
            "anonymizer_results": _results({**_SPAN, "text": _TEXT, "operator": _TEXT}),
        },
        "text",
        "anonymizer_results",
        "deanonymizers",
    ),
    {
        "text": "write to 5QVlwbiqkrdXWg8QmmRmvWDNdHBw_EJLR2xmbJdTTSFHbz3m5OQ_0ToVjnYJ-UuS",
        "deanonymizers": {"EMAIL_ADDRESS": {"type": "deanonymize_keep"}},
        "anonymizer_results": [{"start": 9, "end": 73, "entity_type": "EMAIL_ADDRESS"}],
    },
)
DEANONYMIZE_REPLIES = _reply(
    _CHANGED,
    _changed("write to jane@example.org", 25, "jane@example.org", "decrypt"),
    "The text, and what was restored in it, from the end to the start",
)


def names_reply(description: str, *examples: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of a reply that is a list of names."""
    return _reply(_TEXTS, list(examples), description)
