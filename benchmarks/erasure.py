"""How many keys a second an erasure searches in the database service: in SQLite, encrypted, in pages as in operation.

Usage: python benchmarks/erasure.py [KEYS] [CHARACTERS OF A VALUE]
"""

import asyncio
import random
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path

from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import EraseRequest
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.maintenance.erasure import EntryErasure, Searches
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring
from vestibule.subject_search import SubjectSearcher

WORDS = ("order", "invoice", "customer", "shipped", "pending", "address", "street", "total", "price", "again")
QUERY = EraseRequest(value="orders@example.org", tenants=["t1"])
# One in a hundred values holds base64, one in a thousand the subject, one in a hundred another address.
EACH_ENCODED, EACH_HELD, EACH_OTHER = 100, 1000, 100
AT_ONCE = 500


def values_of(count: int, chars: int) -> list[str]:
    """Return values of prose."""
    chosen = random.Random(1)
    values = []
    for number in range(count):
        text = " ".join(chosen.choices(WORDS, k=chars // 6 + 1))[:chars]
        if number % EACH_HELD == 0:
            text += " orders@example.org"
        elif number % EACH_ENCODED == 1:
            text += " " + b64encode(text[:60].encode()).decode()
        elif number % EACH_OTHER == 2:
            text += " new-orders@example.org"
        values.append(text)
    return values


async def measure(count: int, chars: int) -> None:
    """Fill a store, erase, and print the rate."""
    with tempfile.TemporaryDirectory() as folder:
        ring = Path(folder) / "keyring.json"
        create_key_ring(ring)
        keys = KeyRingFile(ring)
        async with SqliteStore(Path(folder) / "vestibule.db", keep_versions=10) as plain:
            store = EncryptedStore(plain, Cipher(keys, REALM))
            values = values_of(count, chars)
            for start in range(0, count, AT_ONCE):
                some = enumerate(values[start : start + AT_ONCE], start)
                await store.write_each([Write(f"t1/customer/{number}", value) for number, value in some])
            erasure = EntryErasure(store, Searches(SubjectSearcher(keys)))
            erased, cursor, began, used = 0, None, time.perf_counter(), time.process_time()
            while True:
                page = await erasure.erase(QUERY, Principal("t1"), 1000, cursor)
                erased += page.erased
                cursor = page.cursor
                if cursor is None:
                    break
            took_s, cpu_s = time.perf_counter() - began, time.process_time() - used
    each_us, most_s = cpu_s / count * 1e6, 10_000_000 / count * took_s
    print(f"{count:,} keys, {chars} characters: {count / took_s:,.0f} keys/s, {each_us:.0f} us of CPU each")
    print(f"{erased} erased; 10 million keys take {most_s / 60:.0f} minutes, and {each_us / 6:.0f} of CPU")


if __name__ == "__main__":
    asyncio.run(measure(int((sys.argv[1:] or ["100000"])[0]), int((sys.argv[2:] or ["200"])[0])))
