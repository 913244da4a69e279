"""Redis as workers use it: kombu's transport, which does not wait for what it only has to tell.

kombu takes two round trips for each message beside the one that brings it: to note that the worker has it, and that it
is done. Here both are sent along, and nobody waits for their answers.
"""

import time
from functools import cached_property
from typing import Any

import structlog
from kombu.connection import Connection
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import QoS
from kombu.utils import json
from redis.exceptions import RedisError, ResponseError


class AckStream:
    """Sends commands on a connection of its own, and reads the answers to some before it sends the next."""

    def __init__(self, pool: Any) -> None:
        """Take the pool of the connection."""
        self._pool = pool
        self._connection: Any = None
        self._waiting: list[tuple[Any, ...]] = []
        self._unanswered = 0

    def add(self, *commands: tuple[Any, ...]) -> None:
        """Have commands sent in this order, with the next turn of the event loop."""
        self._waiting += commands

    def send(self) -> None:
        """Send what waits.

        Raises:
            RedisError: Redis went away, and some of what was sent did not arrive.
        """
        if not self._waiting:
            return
        self._read_answers()
        commands, self._waiting = self._waiting, []
        if self._connection is None:
            self._connection = self._pool.get_connection()
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        self._unanswered = len(commands)

    def settle(self) -> None:
        """Send what waits, and return when Redis has it. Raises what `send` raises."""
        self.send()
        self._read_answers()

    def _read_answers(self) -> None:
        unanswered, self._unanswered = self._unanswered, 0
        for _ in range(unanswered):
            try:
                self._connection.read_response()
            except ResponseError as refusal:
                # It is full, or cannot write. A message that is not noted is looked after by the ledger (`task_relay`).
                structlog.get_logger("vestibule.worker").warning("acknowledgement_failed", error=type(refusal).__name__)


class AckQoS(kombu_redis.QoS):
    """Keeps account of the messages that the worker has.

    In this order, so that what is cut off halfway leaves no message that nobody would give out again or forget.
    """

    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that the worker has a message."""
        delivery = message.delivery_info
        kept = json.dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # type: ignore[no-untyped-call]
        self.channel.notes.add(
            ("ZADD", self.unacked_index_key, time.time(), delivery_tag),
            ("HSET", self.unacked_key, delivery_tag, kept),
        )
        QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """Note that it is done with one; after its channel's end that is lost, and whoever gets it again skips it."""
        if not self.channel.closed:
            self.channel.notes.add(
                ("HDEL", self.unacked_key, delivery_tag), ("ZREM", self.unacked_index_key, delivery_tag)
            )
        QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give one back to the queue, or drop it."""
        if requeue:
            super().reject(delivery_tag, requeue=True)  # type: ignore[no-untyped-call]
        else:
            self.ack(delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Put a message that was noted back into its queue."""
        if not self.channel.closed:
            self.channel.notes.settle()
        super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]


class _Noting:
    """What is different in a channel, whichever way it finds Redis."""

    QoS = AckQoS
    closed: bool
    pool: Any

    @cached_property
    def notes(self) -> AckStream:
        """What is noted of this channel's messages."""
        return AckStream(self.pool)

    def close(self) -> None:
        """Send what waits, and close."""
        if not self.closed:
            try:
                self.notes.settle()
            except (RedisError, OSError) as error:
                structlog.get_logger("vestibule.worker").warning("acknowledgements_lost", error=type(error).__name__)
        super().close()  # type: ignore[misc]


class AckChannel(_Noting, kombu_redis.Channel):
    """A channel to one Redis."""


class AckSentinelChannel(_Noting, kombu_redis.SentinelChannel):
    """A channel to the Redis that Sentinels name."""


class _Poller(kombu_redis.MultiChannelPoller):
    """kombu's, which is asked at each turn of the event loop."""

    def on_poll_start(self) -> None:
        """Ask for messages, and send what there is to note."""
        super().on_poll_start()  # type: ignore[no-untyped-call]
        for channel in self._channels:
            channel.notes.send()


class RedisTransport(kombu_redis.Transport):
    """The way to one Redis."""

    Channel = AckChannel

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what kombu takes."""
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self.cycle: Any = _Poller()  # type: ignore[no-untyped-call]


class SentinelTransport(kombu_redis.SentinelTransport):
    """The way by Sentinels."""

    Channel = AckSentinelChannel

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what kombu takes."""
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self.cycle: Any = _Poller()  # type: ignore[no-untyped-call]


OURS = {kombu_redis.Transport: RedisTransport, kombu_redis.SentinelTransport: SentinelTransport}


class QueueConnection(Connection):
    """kombu's connection, with our ways to Redis in the place of its own."""

    def get_transport_cls(self) -> Any:
        """Return the class of the transport that the URL names."""
        named = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return OURS.get(named, named)
