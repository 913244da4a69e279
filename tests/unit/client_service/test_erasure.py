"""Erasing in the store: page after page, and with more forms of a value than one request takes."""

import pytest

from vestibule.client_service import erasure
from vestibule.contracts.subjects import ErasePage


async def test_more_forms_than_a_request_takes_are_asked_for_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form is asked for once over all pages; entries are counted once, and what is gone each time."""
    monkeypatch.setattr(erasure, "MAX_FORMS", 2)
    asked: list[tuple[list[str], str | None]] = []

    async def erase(forms: list[str], _limit: int, cursor: str | None) -> ErasePage:
        asked.append((forms, cursor))
        return ErasePage(examined=3, erased=1, cursor="k3" if cursor is None else None)

    erased = await erasure._erase_all(erase, ["a", "b", "c"])
    assert [(["a", "b"], None), (["a", "b"], "k3"), (["c"], None), (["c"], "k3")] == asked
    assert (6, 4) == (erased.examined, erased.erased)
