"""What the installation says of entities that it does not serve: once, and a refusal where it is set so."""

from typing import Any, cast

import pytest

from vestibule.alerts import AlertEngine
from vestibule.client_service.compat.presidio.names import AskedEntities
from vestibule.client_service.compat.presidio.refusals import PresidioRefusal
from vestibule.client_service.compat.presidio.service import UNSERVED_HEADER, PresidioService
from vestibule.client_service.compat.reported_once import MOST_REPORTED_PER_TOKEN
from vestibule.detection import Scanner

ASKED = AskedEntities({"EMAIL_ADDRESS": "EMAIL_ADDRESS"}, ("PERSON",), 2)


class _Alerts:
    def __init__(self) -> None:
        self.raised: list[str] = []

    async def raise_alert(self, _kind: Any, description: str, **_members: Any) -> None:
        self.raised.append(description)


@pytest.fixture
def alerts() -> _Alerts:
    """What an engine was asked to raise."""
    return _Alerts()


async def test_what_is_not_served_is_said_once_for_each_token(alerts):
    """Each answer has the header; what is served has none."""
    service = PresidioService(Scanner.from_settings(), cast("AlertEngine", alerts), refuses_unserved=False)
    for token in ("one", "one", "two"):
        assert {UNSERVED_HEADER: "PERSON, 2 unknown"} == await service.report_unserved(ASKED, token)
    assert 2 == len(alerts.raised)
    assert "PERSON, 2 unknown; they are not looked for" in alerts.raised[0]
    assert {} == await service.report_unserved(AskedEntities({}), "one")


async def test_an_installation_can_refuse_such_requests(alerts):
    """The alert says so."""
    service = PresidioService(Scanner.from_settings(), cast("AlertEngine", alerts), refuses_unserved=True)
    with pytest.raises(PresidioRefusal, match="PERSON, 2 unknown") as refusal:
        await service.report_unserved(ASKED, "one")
    assert 500 == refusal.value.status
    assert "the request was refused" in alerts.raised[0]


async def test_a_token_that_makes_up_sets_of_names_raises_few_alerts(alerts):
    """It keeps no other token from being reported."""
    service = PresidioService(Scanner.from_settings(), cast("AlertEngine", alerts), refuses_unserved=False)
    for number in range(1_000):
        await service.report_unserved(AskedEntities({}, (f"NAME_{number}",)), "one")
    assert MOST_REPORTED_PER_TOKEN == len(alerts.raised)
    await service.report_unserved(ASKED, "two")
    assert MOST_REPORTED_PER_TOKEN + 1 == len(alerts.raised)
