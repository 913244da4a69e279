"""Checks and re-encrypts the values of a running system, page by page, and counts what the queue holds."""

from collections import Counter
from pathlib import Path

from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.problems import CommandFailed
from vestibule.cli.options import show_progress
from vestibule.contracts.entries import ReencryptionPage
from vestibule.service_kit.settings import UNIX_SCHEME

ENTRIES_A_PAGE = 200
TIMEOUT_S = 60.0


def count_encryption_keys(method: str, path: str, database_url: str, authorization: str) -> ReencryptionPage:
    """Return the totals over all pages of entries, tasks and tokens.

    Raises:
        CommandFailed: the service does not answer.
    """
    total = ReencryptionPage()
    for part in ("", "/tasks", "/tokens"):
        total = _page_through(method, part + path, database_url, authorization, total)
    show_progress(f"{total.entries:,} values", is_last=True)
    return total


def _page_through(
    method: str, path: str, database_url: str, authorization: str, total: ReencryptionPage
) -> ReencryptionPage:
    import httpx

    is_socket = database_url.startswith(UNIX_SCHEME)
    with httpx.Client(
        base_url="http://localhost" if is_socket else database_url,
        headers={"Authorization": authorization},
        timeout=TIMEOUT_S,
        trust_env=False,
        transport=httpx.HTTPTransport(uds=database_url.removeprefix(UNIX_SCHEME)) if is_socket else None,
    ) as client:
        while True:
            query = {"limit": str(ENTRIES_A_PAGE)} | ({"cursor": total.cursor} if total.cursor else {})
            try:
                answer = client.request(method, path, params=query)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"no answer from the database service at {database_url} ({type(error).__name__})"
                where = "set VESTIBULE_DATABASE_SERVICE_URL to its address"
                raise CommandFailed(f"{reason}; {where}", exit_code=ExitCode.UNREACHABLE) from None
            if answer.status_code != 200:
                raise CommandFailed(f"the database service at {database_url} answered {answer.status_code}")
            page = ReencryptionPage.model_validate_json(answer.content)
            total = ReencryptionPage(
                entries=total.entries + page.entries,
                by_key=dict(Counter(total.by_key) + Counter(page.by_key)),
                not_opened=total.not_opened + page.not_opened,
                reencrypted=total.reencrypted + page.reencrypted,
                cursor=page.cursor,
            )
            show_progress(f"{total.entries:,} values", is_last=False)
            if total.cursor is None:
                return total


def count_in_queue(data_dir: Path, redis_url: str) -> Counter[str]:
    """Return how many tasks and results each key has encrypted.

    Raises:
        CommandFailed: Redis does not answer.
    """
    from redis import Redis
    from redis.exceptions import RedisError

    from vestibule.cli.embedded.redis_server import redis_url_of
    from vestibule.client_service.queue.queue_view import count_queue_keys

    url = redis_url or redis_url_of(data_dir)
    if not url:
        raise CommandFailed("set VESTIBULE_REDIS_URL to the Redis of the queue")
    try:
        with Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5) as redis:
            return count_queue_keys(redis)
    except (RedisError, ValueError, OSError) as error:
        what = f"the Redis of the queue does not answer ({type(error).__name__})"
        raise CommandFailed(what, exit_code=ExitCode.UNREACHABLE) from None
