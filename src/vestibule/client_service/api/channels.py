"""The routes of alert channels: list and test them."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from vestibule.alerts.channel import Timing
from vestibule.alerts.store.channel_states import ChannelState
from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import ChannelNotFound, TooManyTests
from vestibule.contracts.identity import OPERATOR
from vestibule.service_kit.audit.acts import audited
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["alerts"], dependencies=[allow("alerts")])

ChannelName = Annotated[
    str, Path(pattern=r"^[a-z_]{1,40}$", description="The name of a configured channel", examples=["webhook"])
]


class RouteView(BaseModel):
    """Which alerts a channel gets; an empty list matches all."""

    types: list[str] = Field(examples=[["Secret"]])
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    min_severity: str = Field(examples=["critical"])


class ChannelView(BaseModel):
    """A configured channel, and how its notifications went. One that gets every alert has no notifications."""

    name: str = Field(examples=["webhook"])
    description: str = Field(examples=["A signed webhook for each notification."])
    gets: str = Field(description="When it gets what", examples=[Timing.NOTIFICATION.value])
    routes: list[RouteView] = Field(description="Without one, it gets all but `InvalidInput`")
    last_delivery: datetime | None
    last_failure: datetime | None
    error: str | None = Field(description="Why the last failure was one", examples=["no answer"])
    waiting: int = Field(description="Notifications that wait to be sent, or to be tried again")


class ChannelTestView(BaseModel):
    """The outcome of a test of a channel."""

    channel: str = Field(examples=["webhook"])
    alert_id: str = Field(description="The id in the test notification; the record does not have it")
    delivered: bool
    error: str | None = Field(description="Why it was not delivered, as the channel says it", examples=["no answer"])
    took_s: float


@router.get("/channels", responses=problem_responses())
async def list_channels(wiring: WiringPart, caller: CallerPart) -> list[ChannelView]:
    """Return the configured channels with their routes, their last delivery and failure.

    Needs the scope `operator` as well.
    """
    await wiring.authenticator.require(caller, OPERATOR)
    states = await asyncio.to_thread(wiring.channel_states.by_channel)
    return [
        ChannelView(
            name=name,
            description=kind.description,
            gets=kind.timing.value,
            routes=[
                RouteView(types=one.types, entities=one.entities, min_severity=one.min_severity)
                for one in wiring.channel_tester.routes
                if name in one.channels
            ],
            **asdict(states.get(name, ChannelState())),
        )
        for name, kind in wiring.channel_tester.channels.items()
    ]


@router.post("/channels/{name}/test", responses=problem_responses(ChannelNotFound, 422, TooManyTests))
@audited(Act.CHANNEL_TESTED)
async def send_channel_test(name: ChannelName, wiring: WiringPart, caller: CallerPart) -> ChannelTestView:
    """Send a test notification through a channel now, and return how it ended, within 20 s.

    Needs the scope `operator` as well. A channel is tested at most once every ten seconds.
    """
    await wiring.authenticator.require(caller, OPERATOR)
    ended = await wiring.channel_tester.test(name, "client")
    return ChannelTestView(
        channel=ended.channel,
        alert_id=ended.alert_id,
        delivered=ended.error is None,
        error=ended.error,
        took_s=ended.took_s,
    )
