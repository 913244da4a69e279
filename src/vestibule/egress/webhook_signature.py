"""The signature of webhooks: HMAC-SHA256 over the time and the body, in two headers.

Receivers recompute it and refuse an old time, so that nobody can forge or replay a message.
"""

import hashlib
import hmac
import time


def signature_headers(secret: bytes, body: bytes) -> dict[str, str]:
    """Return `X-Vestibule-Timestamp` (Unix seconds) and `X-Vestibule-Signature` (`sha256=` and hex) for `body`."""
    now = str(int(time.time()))
    digest = hmac.new(secret, now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Vestibule-Timestamp": now, "X-Vestibule-Signature": f"sha256={digest}"}
