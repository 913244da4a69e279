"""The copy of the allowances in Redis, by which workers know them; it is encrypted, so nobody adds one there."""

import threading
from typing import Any

import structlog
from pydantic import ValidationError
from redis.exceptions import RedisError

from vestibule.contracts.allowances import COPY_KEY, REALM, AllowedValues
from vestibule.encryption import Cipher, DecryptionFailed, Fingerprinter, KeyRingSource
from vestibule.policy.allowances import AllowanceList

READ_INTERVAL_S = 0.5
PLACE = COPY_KEY.encode()


def encrypt_copy(cipher: Cipher, values: AllowedValues) -> bytes:
    """Return the content of the copy."""
    return cipher.encrypt(values.model_dump_json().encode(), PLACE)


def decrypt_copy(cipher: Cipher, content: bytes) -> AllowedValues:
    """Return what the content of a copy says.

    Raises:
        DecryptionFailed: it was not encrypted by this system, or was changed.
        ValidationError: another revision of the program wrote it.
    """
    return AllowedValues.model_validate_json(cipher.decrypt(content, PLACE))


class CopiedAllowances:
    """The allowances of a process of a worker's pool. While Redis does not answer, the last ones that it read stay."""

    def __init__(self, ring: KeyRingSource) -> None:
        """Take the key ring. Nothing is opened here, so that the processes of a pool can be forked with it."""
        self.known = AllowanceList(Fingerprinter(ring).fingerprints_of)
        self._cipher = Cipher(ring, REALM)
        self._revision: bytes | None = None

    def start_thread(self, redis: Any) -> None:
        """Follow the copy in a thread until this process ends; `redis` blocks."""
        threading.Thread(target=self._run, args=(redis,), name="allowances", daemon=True).start()

    def _run(self, redis: Any) -> None:
        pause = threading.Event()
        while True:
            try:
                self.refresh(redis)
            except (RedisError, OSError):
                pass  # which the worker reports elsewhere
            except (DecryptionFailed, ValidationError) as error:
                log = structlog.get_logger("vestibule.allowances")
                log.error("allowances_not_read", error=type(error).__name__)
            pause.wait(READ_INTERVAL_S)

    def refresh(self, redis: Any) -> None:
        """Read the copy where it has changed."""
        revision = redis.hget(COPY_KEY, "revision")
        if revision is None or revision == self._revision:
            return
        revision, content = redis.hmget(COPY_KEY, "revision", "content")
        # Noted first: content that cannot be read is reported once.
        self._revision = revision
        if content is None:
            return
        copied = decrypt_copy(self._cipher, content)
        # An older copy under a newer revision would stay: the services see only the revision.
        if revision == b"%d" % copied.revision:
            self.known.replace(copied.values)
