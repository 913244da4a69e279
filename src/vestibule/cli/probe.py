"""`vestibule-probe`: reports by its exit code whether the part in this container is alive.

Health checks of containers run every few seconds, so it imports nothing else of Vestibule.
"""

import http.client
import os
import sys
import time
from pathlib import Path
from socket import gethostname

TIMEOUT_S = 4.0
STALE_AFTER_S = 60.0


def run() -> None:
    """Check `/healthz` or the given path on VESTIBULE_PORT, or the age of the given file.

    In the file name %h is the name of the host, as in the name of a worker.
    """
    asked = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    is_file = not asked.startswith(("/healthz", "/readyz", "/health"))
    sys.exit(_file_fault(Path(asked.replace("%h", gethostname()))) if is_file else _service_fault(asked))


def _service_fault(path: str) -> str | None:
    port = int(os.environ.get("VESTIBULE_PORT", "8000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except OSError as error:
        return f"port {port} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{path} answers {status}"


def _file_fault(path: Path) -> str | None:
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"no heartbeat in {path} ({type(error).__name__})"
    return None if age_s < STALE_AFTER_S else f"the last heartbeat in {path} is {age_s:.0f} s old"
