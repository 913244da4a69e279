"""Keeps libraries from importing optional packages that the services do not use.

Several libraries load whatever they know that is installed, used or not: structlog the printer of coloured
tracebacks, redis the SDK of OpenTelemetry and with it psutil, kombu the YAML parser. All of them do without where a
package is missing. Together they took 6 MB of a service, and a tenth of the time that it needs to start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("rich", "opentelemetry.sdk", "psutil", "yaml")


@contextmanager
def without_packages(*names: str) -> Iterator[None]:
    """Let imports of `names` fail as if they were not installed; those that are loaded already stay.

    Afterwards they can be imported as ever, by us where tracing is switched on, or by a processor of one's own.
    """
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        # What the import system understands as "looked for, and not there".
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name)
