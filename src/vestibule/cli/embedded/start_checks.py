"""Validates the policy file, the processors and the message routes before anything is started."""

from collections.abc import Mapping

from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.start_errors import PolicyRefused, ProcessorsRefused

VARIABLES = ("VESTIBULE_PROCESSORS_DIR", "VESTIBULE_MESSAGE_ROUTES", "VESTIBULE_FORWARD_HOSTS")


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
