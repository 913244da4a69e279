"""The checks before anything is started: free ports, the Redis URL, the policy file, processors and message routes."""

import os
import socket
import time
from collections.abc import Mapping, Sequence

from vestibule.cli.embedded import StartError
from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.parts import Address
from vestibule.cli.embedded.readiness import RedisUrlReadiness

VARIABLES = ("VESTIBULE_PROCESSORS_DIR", "VESTIBULE_MESSAGE_ROUTES", "VESTIBULE_FORWARD_HOSTS")
# The parts of an instance that was killed need a moment to release their ports.
_TIMEOUT_S = 1.0


class PortTaken(StartError):
    """A port is already in use."""


class RedisUrlInvalid(StartError):
    """The Redis URL is invalid."""


class PolicyRefused(StartError):
    """The policy file is invalid."""

    exit_code = os.EX_CONFIG


class ProcessorsRefused(StartError):
    """A custom processor or a message route is invalid."""

    exit_code = os.EX_CONFIG


def check_ports(addresses: Sequence[Address]) -> None:
    """Check that every address can be listened on.

    Raises: PortTaken, with the first that cannot.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while taken := first_taken(addresses):
        if time.monotonic() >= deadline:
            address, reason = taken
            raise PortTaken(
                f"port {address.port} on {address.host} cannot be used ({reason}); choose others with --base-port"
            )
        time.sleep(0.05)


def check_redis_url(url: str) -> None:
    """Check the form of the URL of an external Redis.

    Raises: RedisUrlInvalid.
    """
    try:
        RedisUrlReadiness(url).open()
    except ValueError as error:
        raise RedisUrlInvalid(f"VESTIBULE_REDIS_URL cannot be used: {error}") from None


def check_policy(directory: DataDirectory, environment: Mapping[str, str]) -> None:
    """Validate the policy file, if there is one.

    Raises: PolicyRefused, with the line and the reason.
    """
    if not environment.get("VESTIBULE_POLICY_FILE") and not (directory.path / "policy.toml").exists():
        return
    # These take half a second to import, for which a start without a policy file should not wait.
    from vestibule.client_service.settings import ClientSettings
    from vestibule.processor_adapters.settings import open_policy

    try:
        open_policy(ClientSettings(data_dir=directory.path))
    except ValueError as error:
        raise PolicyRefused(str(error)) from error


def check_processors_and_routes(directory: DataDirectory, environment: Mapping[str, str]) -> None:
    """Validate the processors and message routes, if any are configured.

    Raises: ProcessorsRefused, with the reason.
    """
    if not any(environment.get(name) for name in VARIABLES):
        return
    # These take half a second to import, for which a start without such settings should not wait.
    from vestibule.client_service.intake.message_routing import MessageRoutes
    from vestibule.client_service.settings import ClientSettings
    from vestibule.processor_adapters import check_processors

    try:
        settings = ClientSettings(data_dir=directory.path)
        MessageRoutes(settings.message_routes, check_processors(settings).names)
    except ValueError as error:
        raise ProcessorsRefused(str(error)) from error


def first_taken(addresses: Sequence[Address]) -> tuple[Address, str] | None:
    """Return the first address that cannot be listened on, and the reason."""
    for address in addresses:
        try:
            family, kind, protocol, _, target = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(target)
                listener.listen()
        except OSError as error:
            return address, error.strerror or str(error)
    return None
