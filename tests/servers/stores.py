"""Gives every kind of store the server that it needs, so that tests can build it from a folder alone."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import cast

import pytest

from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.store import ManagedStore, StoreKind
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring


@dataclass(frozen=True)
class Bounds:
    """How much of a test a store takes: pairs together, bytes of a value, callers at once, and many."""

    together: int = 1000
    value_bytes: int = 1024 * 1024
    callers: int = 500
    many: int = 450


# DynamoDB has limits of its own, and the one of the tests has lower ones and takes some milliseconds for each call.
BOUNDS = {"dynamodb": Bounds(together=25, value_bytes=250_000, callers=10, many=30)}


def bounds_of(kind: StoreKind) -> Bounds:
    """Return how much of a test a kind of store takes."""
    return BOUNDS.get(kind.scheme, Bounds())


# Longer than any machine takes under load.
PATIENT_S = 60
# How many examples of steps are compared with a model: of a quick store, and of one that takes long for each step. The
# model is the same, so many examples find what is wrong with it, and a few what is wrong with the way to a slow store.
EXAMPLES = 25
SLOW_EXAMPLES = int(os.environ.get("VESTIBULE_TEST_SLOW_STORE_EXAMPLES", "5"))


def with_server(kind: StoreKind, request: pytest.FixtureRequest) -> StoreKind:
    """Return the kind so that `build` finds a place of its own for each data directory, on a server that runs."""
    urls: dict[str, Callable[[str], str]] = {}
    if kind.scheme == "postgresql":
        urls[kind.scheme] = request.getfixturevalue("postgresql_server").database_url
    elif kind.scheme == "dynamodb":
        urls[kind.scheme] = request.getfixturevalue("dynamodb_server").table_url
    else:
        return kind

    def build(settings: DatabaseSettings) -> ManagedStore:
        url = urls[kind.scheme](str(settings.data_dir))
        return kind.build(settings.model_copy(update={"database_url": url, "database_timeout_s": PATIENT_S}))

    return replace(kind, build=build)


def encrypted(kind: StoreKind) -> StoreKind:
    """Return the kind as the database service uses it, with every value encrypted."""

    @asynccontextmanager
    async def build(settings: DatabaseSettings) -> AsyncIterator[EncryptedStore]:
        ring = settings.data_dir / "keyring.json"
        create_key_ring(ring)
        async with kind.build(settings) as store:
            yield EncryptedStore(store, Cipher(KeyRingFile(ring), REALM))

    return replace(kind, build=cast(Callable[[DatabaseSettings], ManagedStore], build))
