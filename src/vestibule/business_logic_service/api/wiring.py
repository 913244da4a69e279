"""What the routes of the business logic service call; `main.py` builds it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.wiring import wired


@dataclass(frozen=True, slots=True)
class BusinessLogicWiring:
    """The parts of the service that its routes call."""

    authenticator: Authenticator
    readiness: Readiness
    processors: ProcessorRegistry


WiringPart = Annotated[BusinessLogicWiring, Depends(wired(BusinessLogicWiring))]
