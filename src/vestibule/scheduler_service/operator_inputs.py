"""What people and their programs tell the watch: heartbeats and maintenance windows, read from the store."""

from vestibule.scheduler_service.heartbeats.heartbeats import PREFIX as HEARTBEATS
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatBook
from vestibule.scheduler_service.maintenance.windows import PREFIX as WINDOWS
from vestibule.scheduler_service.maintenance.windows import MaintenanceBook
from vestibule.scheduler_service.state_store import StoreGateway

PREFIX = "book/"


class Books:
    """Both books. Any replica writes in them; all read them."""

    def __init__(self, store: StoreGateway) -> None:
        self._store = store
        self.heartbeats = HeartbeatBook(store)
        self.windows = MaintenanceBook(store)

    async def read(self) -> None:
        """Read both anew.

        Raises:
            Unavailable: the store does not answer.
        """
        entries = await self._store.read_all(PREFIX)
        self.heartbeats.take(entry.value for entry in entries if entry.key.startswith(HEARTBEATS))
        self.windows.take(entry.value for entry in entries if entry.key.startswith(WINDOWS))
