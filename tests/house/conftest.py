"""What the tests of the house rules share: the four services, built as for production."""

from typing import Any

import pytest
from fastapi import FastAPI

from vestibule.business_logic_service.main import create_app as create_business_logic
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.client_service.main import create_app as create_client
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.main import create_app as create_database
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring
from vestibule.scheduler_service.main import create_app as create_scheduler
from vestibule.scheduler_service.settings import SchedulerSettings


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FastAPI]:
    """The four services."""
    folder = tmp_path_factory.mktemp("data")
    secret = folder / "secret"
    secret.write_text("s" * 43)
    create_key_ring(folder / "keys" / "keyring.json")
    location: Any = {"data_dir": folder, "service_secret_file": secret}
    return {
        "client": create_client(ClientSettings(**location)),
        "database": create_database(DatabaseSettings(**location)),
        "business_logic": create_business_logic(BusinessLogicSettings(**location)),
        "scheduler": create_scheduler(SchedulerSettings(**location)),
    }
