"""A running business logic service, and a peer that calls it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from vestibule.business_logic_service.main import create_app
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.encryption import create_key_ring

SECRET = "s" * 43


@pytest.fixture
def settings(tmp_path: Path) -> BusinessLogicSettings:
    """Settings of an embedded service with its keys in place."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    return BusinessLogicSettings(data_dir=tmp_path, embedded=True, alert_channels=["report_file"])


@pytest.fixture
async def client(settings: BusinessLogicSettings) -> AsyncIterator[AsyncClient]:
    """A peer of the running service."""
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1", headers=headers) as peer,
    ):
        yield peer
