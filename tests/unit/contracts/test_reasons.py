"""Reasons are one line that can be printed, wherever one is given."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from vestibule.client_service.api.alerts import TriageNote
from vestibule.client_service.api.screening import RevealRequest
from vestibule.client_service.api.silences import SilenceChange, SilenceRequest
from vestibule.scheduler_service.api.maintenance import MaintenanceRequest

GIVEN: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (RevealRequest, {"token": "<X>"}),
    (SilenceRequest, {"hours": 1, "all": True}),
    (SilenceChange, {"hours": 1}),
    (TriageNote, {}),
    (MaintenanceRequest, {"until": "2099-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("model", "others"), GIVEN)
def test_a_reason_is_one_printable_line(model: type[BaseModel], others: dict[str, Any]) -> None:
    """Line breaks, escape sequences and changes of direction are refused; letters of every script are taken."""
    for character in ("\n", "\r", "\x1b[31m", "\0", "\x7f", "\x85", "\u2028", "\u202e", "\u200b", "\ud800"):
        with pytest.raises(ValidationError):
            model.model_validate({**others, "reason": f"ticket 42{character}Severity: info"})
    for reason in ("ticket 42: ключ, 測試 🔑", "x" * 500):
        assert reason == model.model_validate({**others, "reason": reason}).model_dump()["reason"]
    assert "pattern" in str(model.model_json_schema()["properties"]["reason"])
