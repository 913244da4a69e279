"""What the routes of the console call."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from vestibule.client.asynchronous.client import AsyncClient
from vestibule.console.session.sessions import Sessions
from vestibule.console.web.rendering import Pages
from vestibule.service_kit.wiring import BaseWiring, wired


@dataclass(frozen=True, slots=True)
class ConsoleWiring(BaseWiring):
    """Everything that routes of the console use. `client` has no token: each viewer's own is used."""

    client: AsyncClient
    sessions: Sessions
    pages: Pages
    # Cookies belong to a host, whatever its port: the name keeps those of several instances apart.
    cookie: str


WiringPart = Annotated[ConsoleWiring, Depends(wired(ConsoleWiring))]
