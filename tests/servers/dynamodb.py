"""A DynamoDB of the tests' own: moto's server, on a free port, with a table for each place that asks for one."""

import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError

import pytest
from aiobotocore.session import AioSession, get_session

from servers import ports, processes
from vestibule.database_service.entries.dynamodb_calls import create_table

START_TIMEOUT_S = 60
REGION = "eu-central-1"


@dataclass
class DynamoDbServer:
    """A running server."""

    endpoint: str
    _tables: dict[str, str] = field(default_factory=dict)
    # A session reads the long descriptions of AWS once.
    _session: AioSession = field(default_factory=get_session)

    def table_url(self, place: str) -> str:
        """Return the URL of the table for `place`, which is made when it is asked for first."""
        if place not in self._tables:
            self._tables[place] = f"vestibule-{len(self._tables)}"
            processes.run_apart(self._create, self._tables[place])
        return f"dynamodb://{self._tables[place]}?region={REGION}&endpoint={self.endpoint}"

    async def _create(self, name: str) -> None:
        async with self._session.create_client("dynamodb", region_name=REGION, endpoint_url=self.endpoint) as client:
            await create_table(client, name)


@pytest.fixture(scope="session")
def dynamodb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDbServer]:
    """A DynamoDB that a whole session of tests shares."""
    output = tmp_path_factory.mktemp("dynamodb") / "output.log"
    port = ports.free_port()
    process = processes.start([sys.executable, "-c", _SERVE, str(port)], output, as_root=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        try:
            server = DynamoDbServer(f"http://127.0.0.1:{port}")
            _wait_for(server.endpoint, output)
            yield server
        finally:
            process.terminate()
            process.wait(20)


# One request after the other, since moto's tables are not made for threads: two conditional writers would both win.
_SERVE = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

class Quiet(WSGIRequestHandler):
    def log_request(self, *_): pass

app = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=False, request_handler=Quiet)
"""


def _wait_for(endpoint: str, output: Path) -> None:
    deadline = monotonic() + START_TIMEOUT_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            opener.open(f"{endpoint}/moto-api/", timeout=5).close()
        except (URLError, OSError):
            assert monotonic() < deadline, output.read_text()
            sleep(0.05)
        else:
            return
