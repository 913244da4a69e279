"""Tests of how the fields that hold text are found in an OpenAPI description."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from vestibule.cli.canary.fields import text_fields
from vestibule.contracts.json_types import either, not_both


class _Request(BaseModel):
    model_config = ConfigDict(json_schema_extra={"allOf": [either("text", "key"), not_both("text", "write_to")]})

    text: str | None = None
    key: str | None = None
    write_to: str | None = None
    anything: Any = None
    count: int = 0


def test_conditions_on_members_are_no_fields() -> None:
    """Which members exclude each other says nothing about text; a member of any type can hold text."""
    body = {"content": {"application/json": {"schema": _Request.model_json_schema()}}}
    description = {"components": {"schemas": {}}, "paths": {"/scan": {"post": {"requestBody": body}}}}
    assert ["text", "key", "write_to", "anything"] == [field.name for field in text_fields(description)]
