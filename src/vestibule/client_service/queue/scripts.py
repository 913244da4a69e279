"""Scripts in Redis that run for every task, on a connection of their own.

redis-py takes several times as long to choose a connection, to note what it does and to be ready to try again as to
send a command and read its reply. It does all of that where the short way fails.
"""

from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError, ResponseError


class DirectScripts:
    """Runs scripts for one thread. What cannot be run here the client of Redis runs as it always does."""

    def __init__(self, client: Any) -> None:
        """Take the synchronous client; a connection is opened with the first script, so a process may fork before."""
        self._client = client
        self._connection: Any = None
        self._names: dict[str, str] = {}

    def eval(self, script: str, count: int, *arguments: Any) -> Any:
        """Return what a script answers; of the arguments, the first `count` are keys.

        Raises:
            RedisError: Redis does not answer, or refuses it.
        """
        name = self._names.get(script)
        if name is None:
            # Redis names a script so; it is no secret.
            name = self._names[script] = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return self._ask("EVALSHA", name, count, *arguments)
        except NoScriptError:
            pass  # Redis has not seen it since its start
        except ResponseError:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with the connection
            self._drop()
        except BaseException:
            # Such as the end of this process: the reply may still come.
            self._drop()
            raise
        return self._client.eval(script, count, *arguments)

    def _ask(self, *command: Any) -> Any:
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        self._connection.send_command(*command)
        return self._connection.read_response()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._client.connection_pool.release(connection)
