"""Validates the policy file before anything is started."""

from collections.abc import Mapping

from vestibule.cli.embedded.data_directory import DataDirectory
from vestibule.cli.embedded.start_errors import PolicyRefused


def check_policy(directory: DataDirectory, environment: Mapping[str, str]) -> None:
    """Read the policy file, if there is one.

    Raises: PolicyRefused, with the line and the reason.
    """
    if not environment.get("VESTIBULE_POLICY_FILE") and not (directory.path / "policy.toml").exists():
        return
    # These take half a second to import, for which a start without a policy file should not wait.
    from vestibule.client_service.settings import ClientSettings
    from vestibule.processor_adapters.policy_loader import open_policy

    try:
        open_policy(ClientSettings(data_dir=directory.path))
    except ValueError as error:
        raise PolicyRefused(str(error)) from error
