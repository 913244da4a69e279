"""Loads the policy of the settings, for services and the command line."""

from pathlib import Path

from vestibule.policy import Vocabulary
from vestibule.policy.policy_file import PolicyFile
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary
from vestibule.processor_adapters.settings import InspectionSettings


def open_policy(
    settings: InspectionSettings, vocabulary: Vocabulary | None = None, path: Path | None = None
) -> PolicyFile:
    """Return the policy of the settings' file, or of another at `path`, over what the settings say.

    Raises:
        InvalidPolicy: the file is no policy, or missing although it was named.
        ValueError: the settings name an entity that does not exist.
    """
    return PolicyFile(
        path or settings.policy_path,
        vocabulary or read_vocabulary(settings.detection),
        settings.fallback_policy,
        is_optional=path is None and settings.policy_file is None,
    )
