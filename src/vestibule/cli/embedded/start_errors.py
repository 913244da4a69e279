"""The errors that keep embedded mode from starting, each with its exit code."""

EX_CONFIG = 78


class StartError(Exception):
    """Base of the errors at start; the message is one line for the terminal."""

    exit_code = 1


class DataDirectoryUnusable(StartError):
    """The data directory cannot be created or written."""

    exit_code = EX_CONFIG


class PolicyRefused(StartError):
    """The policy file is invalid."""

    exit_code = EX_CONFIG


class ProcessorsRefused(StartError):
    """A custom processor or a message route is invalid."""

    exit_code = EX_CONFIG


class DataDirectoryInUse(StartError):
    """Another instance holds the data directory."""


class PortTaken(StartError):
    """A port is already in use."""


class RedisUrlInvalid(StartError):
    """The Redis URL is invalid."""


class RedisNotFound(StartError):
    """No Redis server is installed."""
