"""Validates the processors and message routes before anything is started."""

from collections.abc import Mapping

from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.start_errors import ProcessorsRefused

VARIABLES = ("VESTIBULE_PROCESSORS_DIR", "VESTIBULE_MESSAGE_ROUTES", "VESTIBULE_FORWARD_HOSTS")


def check_processors_and_routes(directory: DataDirectory, environment: Mapping[str, str]) -> None:
    """Read what the settings say of processors, if they say anything.

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
