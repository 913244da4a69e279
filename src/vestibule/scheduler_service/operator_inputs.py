"""What people and their programs tell the watch: heartbeats and maintenance windows, read from the store."""

from vestibule.scheduler_service.heartbeats.heartbeats import PREFIX as HEARTBEATS
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatRepository
from vestibule.scheduler_service.maintenance.windows import PREFIX as WINDOWS
from vestibule.scheduler_service.maintenance.windows import MaintenanceRepository
from vestibule.scheduler_service.state_store import StateStore

PREFIX = "book/"


class OperatorInputs:
    """Both books. Any replica writes in them; all read them."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.heartbeats = HeartbeatRepository(store)
        self.windows = MaintenanceRepository(store)

    async def read(self) -> None:
        """Read both anew.

        Raises:
            Unavailable: the store does not answer.
        """
        entries = await self._store.read_all(PREFIX)
        self.heartbeats.take(entry.value for entry in entries if entry.key.startswith(HEARTBEATS))
        self.windows.take(entry.value for entry in entries if entry.key.startswith(WINDOWS))
