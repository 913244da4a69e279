"""The reasons for which embedded mode does not start, each with the exit code that goes with it."""

EX_CONFIG = 78


class StartError(Exception):
    """Something must be put right by hand before the parts can start; the message is one line for the terminal."""

    exit_code = 1


class DataDirectoryUnusable(StartError):
    """The data directory cannot be made or written."""

    exit_code = EX_CONFIG


class PolicyRefused(StartError):
    """The policy file is none."""

    exit_code = EX_CONFIG


class ProcessorsRefused(StartError):
    """A processor of one's own cannot be used, or a route of messages is none."""

    exit_code = EX_CONFIG


class DataDirectoryInUse(StartError):
    """Another instance holds the data directory."""


class PortTaken(StartError):
    """Something listens already where a part should."""


class RedisUrlInvalid(StartError):
    """The given address of a Redis server is none."""


class RedisNotFound(StartError):
    """There is no Redis server to start."""
