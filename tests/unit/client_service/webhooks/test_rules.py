"""Callers name callback addresses within rules of their own, not those of the operator's notifications."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.errors import InvalidInput


def _rules(**given: Any) -> WebhookRules:
    return ClientSettings(callback_secret=SecretStr("a-secret"), **given).callback_rules


def test_private_notifications_open_nothing_to_callers() -> None:
    """With Alertmanager at a private address over http, a caller still reaches public https addresses only."""
    rules = _rules(alert_egress_private=True, alert_egress_schemes=["http", "https"])
    assert "example.org /hook?a=b" == rules.check("https://example.org/hook?a=b")
    for url in ("http://127.0.0.1:9093/api/v2/alerts", "https://10.0.0.1/", "http://example.org/"):
        with pytest.raises(InvalidInput) as caught:
            rules.check(url)
        (mistake,) = caught.value.extra["errors"]  # type: ignore[misc, attr-defined]
        assert "VESTIBULE_CALLBACK_ORIGINS" in mistake["expected"]
        assert url not in str(mistake)


def test_schemes_of_notifications_do_not_narrow_callbacks() -> None:
    """The schemes of the operator's own receivers say nothing about those of callers."""
    assert "example.org /" == _rules(alert_egress_schemes=["http"]).check("https://example.org/")


def test_a_named_origin_may_be_private() -> None:
    """Only what is named can be reached then."""
    rules = _rules(callback_origins=["http://127.0.0.1:9000"])
    assert "/done" == rules.check("http://127.0.0.1:9000/done")
    with pytest.raises(InvalidInput):
        rules.check("https://example.org/")


def test_a_wrong_origin_is_refused_at_start() -> None:
    """The message says what an origin looks like."""
    with pytest.raises(ValidationError, match="must be origins"):
        ClientSettings(callback_origins=["hooks.internal"])


def test_a_malformed_address_is_told_apart() -> None:
    """The error says what a callback looks like, and repeats nothing."""
    with pytest.raises(InvalidInput) as caught:
        _rules().check("https://user:word@example.org/")
    assert "without credentials" in str(caught.value.extra)
    assert "word" not in str(caught.value.extra)
