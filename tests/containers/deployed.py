"""A Vestibule that runs in containers, with the same face as one that the tests start on this machine."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from containers.podman import Podman

DATA = "/var/lib/vestibule"
SHOWN_LINES = 60

# What runs now, for whoever has to say why a test failed.
RUNNING: "list[Deployed]" = []


@dataclass
class Deployed:
    """A deployment: where it listens, who may call it, and its containers."""

    podman: Podman
    ports: Sequence[int]
    token: str
    folder: Path
    # Returns the names of its containers, which change where it is scaled.
    list_containers: Callable[[], list[str]]
    # Returns one that has the data directory and a shell.
    pick_inside: Callable[[], str]
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=40, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def base_port(self) -> int:
        return self.ports[0]

    def part_url(self, offset: int) -> str:
        return f"http://127.0.0.1:{self.ports[offset]}"

    def inside(self, *command: str) -> str:
        """Return what a command prints in a container that has the data."""
        return self.podman("exec", self.pick_inside(), *command)

    def log_lines(self, **wanted: Any) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.inside("cat", f"{DATA}/logs/app.log").splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]

    def reports(self, kind: str = "") -> list[Path]:
        """Copy the reports out and return them."""
        pack = f"cd {DATA}; if [ -d error_reports ]; then tar -c error_reports; fi"
        packed = self.podman.read("exec", self.pick_inside(), "sh", "-c", pack)
        if not packed:
            return []
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(self.folder, filter="data")
        return sorted((self.folder / "error_reports").glob(f"*_{kind}*.txt"))

    def add(self, key: str, value: str) -> httpx.Response:
        return self.http.post("/add", json={"key": key, "value": value})

    def output(self, container: str, *options: str) -> str:
        """Return what a container has printed."""
        done = self.podman.call("logs", *options, container)
        return done.stdout + done.stderr

    def everything_written(self) -> bytes:
        """Return all that people and programs can read beside store and queue: logs, reports, what is printed.

        What the door has logged until now is among them.
        """
        last = self.http.get("/nowhere").headers["x-request-id"]
        while not self.log_lines(request_id=last):
            time.sleep(0.1)
        read = f"cd {DATA}; find logs error_reports -type f -exec cat {{}} + 2>&1 || true"
        return "\n".join([self.inside("sh", "-c", read), *map(self.output, self.list_containers())]).encode()

    def is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def state(self) -> str:
        """Return which containers there are and what they said last, for the report of a failed test."""
        names = self.list_containers()
        listed = self.podman.call("ps", "--all").stdout
        told = [f"--- {name}\n{self.output(name, '--tail', str(SHOWN_LINES))}" for name in names]
        return "\n".join([listed, *told])
