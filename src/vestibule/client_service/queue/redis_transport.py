"""The Redis transport of workers: kombu's, without waiting for the replies to acknowledgements.

kombu needs two more round trips for each message: to record that the worker has it, and that it is done. Here both are
pipelined, and their replies are read later. The ends of tasks go with the acknowledgements, before them. Workers take
from the partitions of the queue in turn.
"""

import time
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import structlog
from kombu.connection import Connection
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import QoS
from kombu.utils import json
from redis.exceptions import RedisError, ResponseError

from vestibule.client_service.queue.event_loop import ThriftyHub
from vestibule.contracts.tasks import PARTITIONS, QUEUES_BY_PARTITION

Command = tuple[Any, ...]
# What kombu raises for an entry that is no message: it is no JSON, too deep, or lacks a part.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
PARTITION_OF_QUEUE = {queue: number for number, queues in enumerate(QUEUES_BY_PARTITION) for queue in queues}


class PartitionCycle:
    """The order in which a worker asks for messages; kombu names these methods.

    The partition that it took from last comes last. Within a partition, higher priorities come first.
    """

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self._queues = set(queues)
        self._turns = list(range(PARTITIONS))

    def update(self, queues: Iterable[str]) -> None:
        """Take the names of the queues that the worker consumes."""
        self._queues = set(queues)

    def consume(self, count: int) -> list[str]:
        """Return the names of the next `count` queues in their order."""
        ordered = [queue for turn in self._turns for queue in QUEUES_BY_PARTITION[turn] if queue in self._queues]
        others = sorted(self._queues - PARTITION_OF_QUEUE.keys())
        return [*ordered, *others][:count]

    def rotate(self, last_used: str) -> str:
        """Move the partition of a queue to the end."""
        partition = PARTITION_OF_QUEUE.get(last_used)
        if partition is not None:
            self._turns.remove(partition)
            self._turns.append(partition)
        return last_used


class EndOutbox:
    """The ends of tasks on their way from a worker to Redis, each as a command. An end stays until it is answered.

    It outlives the connections that ends are sent on. What one of them has sent without an answer, the next one sends
    again: it may have arrived.
    """

    def __init__(self) -> None:
        self._unsent: list[Command] = []
        self._unanswered: list[Command] = []
        self._sender: object = None

    def __bool__(self) -> bool:
        """Whether an end has to be sent."""
        return bool(self._unsent)

    def add(self, command: Command) -> None:
        """Add an end."""
        self._unsent.append(command)

    def take(self, sender: object) -> list[Command]:
        """Return the ends that `sender` has to send now, in their order."""
        if sender is not self._sender:
            self._put_back()
            self._sender = sender
        ends, self._unsent = self._unsent, []
        self._unanswered += ends
        return ends

    def settle(self, sender: object, *, is_answered: bool) -> None:
        """Forget what `sender` took, because Redis has answered, or keep it for the next time."""
        if sender is not self._sender:
            return
        if is_answered:
            self._unanswered = []
        else:
            self._put_back()

    def _put_back(self) -> None:
        self._unsent, self._unanswered = self._unanswered + self._unsent, []


class AckStream:
    """Sends commands on a connection of its own, and reads the replies before it sends the next batch."""

    def __init__(self, pool: Any, ends: EndOutbox) -> None:
        """Take the pool of the connection, and the ends of tasks to send along."""
        self._pool = pool
        self._connection: Any = None
        self._ends = ends
        self._waiting: list[Command] = []
        self._unanswered = 0

    def add(self, *commands: Command) -> None:
        """Queue commands, to be sent in this order at the next turn of the event loop."""
        self._waiting += commands

    def send(self) -> None:
        """Send the ends of tasks, and after them the queued commands.

        Raises:
            RedisError: Redis is unavailable, and some commands did not arrive.
        """
        if not self._waiting and not self._ends:
            return
        self._read_answers()
        commands = [*self._ends.take(self), *self._waiting]
        self._waiting = []
        try:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            self._connection.send_packed_command(self._connection.pack_commands(commands))
        except BaseException:
            self._ends.settle(self, is_answered=False)
            raise
        self._unanswered = len(commands)

    def settle(self) -> None:
        """Send the queued commands and wait for the replies. Raises what `send` raises."""
        self.send()
        self._read_answers()

    def _read_answers(self) -> None:
        unanswered, self._unanswered = self._unanswered, 0
        try:
            for _ in range(unanswered):
                try:
                    self._connection.read_response()
                except ResponseError as refusal:
                    # Redis is full, or cannot write. The relay finds a message that is not recorded, and an end.
                    log = structlog.get_logger("vestibule.worker")
                    log.warning("acknowledgement_failed", error=type(refusal).__name__)
        except BaseException:
            self._ends.settle(self, is_answered=False)
            raise
        if unanswered:
            self._ends.settle(self, is_answered=True)


class AckQoS(kombu_redis.QoS):
    """Records the messages that the worker has.

    The order of the commands ensures that an interruption neither loses a message nor keeps it for ever.
    """

    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record that the worker has a message."""
        if not isinstance(delivery_tag, str):
            raise TypeError("the tag of a message is a text")
        delivery = message.delivery_info
        kept = json.dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # type: ignore[no-untyped-call]
        self.channel.notes.add(
            ("ZADD", self.unacked_index_key, time.time(), delivery_tag),
            ("HSET", self.unacked_key, delivery_tag, kept),
        )
        QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]
        self.channel.has_message = True

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message. On a closed channel this is lost, and the worker that gets it again skips it."""
        if not self.channel.closed:
            self.channel.notes.add(
                ("HDEL", self.unacked_key, delivery_tag), ("ZREM", self.unacked_index_key, delivery_tag)
            )
        QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Return a message to the queue, or drop it."""
        if requeue:
            super().reject(delivery_tag, requeue=True)  # type: ignore[no-untyped-call]
        else:
            self.ack(delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Put an unacknowledged message back into its queue."""
        if not self.channel.closed:
            self.channel.notes.settle()
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except MALFORMED as error:
            # It would stop the others, which are restored after it, each time.
            _refuse(error)
            with self.channel.conn_or_acquire(client) as redis:
                redis.hdel(self.unacked_key, tag)
                redis.zrem(self.unacked_index_key, tag)


def _refuse(error: Exception) -> None:
    # Other parts of the error may quote the entry.
    structlog.get_logger("vestibule.worker").error("message_refused", task_id=None, reason=type(error).__name__)


class _Noting:
    """What both kinds of channels share."""

    QoS = AckQoS
    closed: bool
    pool: Any
    connection: Any
    # Whether the entry that is being read has become a message.
    has_message = False

    @cached_property
    def notes(self) -> AckStream:
        """The acknowledgements of this channel's messages."""
        return AckStream(self.pool, self.connection.client.transport_options.get("ends", EndOutbox()))

    def _brpop_read(self, **options: Any) -> Any:
        """Take the next message. An entry of the queue that is none is dropped: it would end the worker."""
        self.has_message = False
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except MALFORMED as error:
            if self.has_message or isinstance(error, OSError):
                raise
            _refuse(error)
            return True

    def close(self) -> None:
        """Send the queued acknowledgements, and close."""
        if not self.closed:
            try:
                self.notes.settle()
            except (RedisError, OSError) as error:
                structlog.get_logger("vestibule.worker").warning("acknowledgements_lost", error=type(error).__name__)
        super().close()  # type: ignore[misc]


class AckChannel(_Noting, kombu_redis.Channel):
    """A channel to one Redis."""


class AckSentinelChannel(_Noting, kombu_redis.SentinelChannel):
    """A channel to the Redis primary that the Sentinels name."""


class _Poller(kombu_redis.MultiChannelPoller):
    """kombu's poller, which runs at each turn of the event loop."""

    def on_poll_start(self) -> None:
        """Poll for messages, and send the queued acknowledgements."""
        super().on_poll_start()  # type: ignore[no-untyped-call]
        # The ends go where messages come from and are acknowledged.
        for channel in sorted(self._channels, key=_takes_no_messages):
            channel.notes.send()


def _takes_no_messages(channel: Any) -> bool:
    return not channel.active_queues


class _Polling:
    """What both kinds of transports share."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cycle: Any = _Poller()  # type: ignore[no-untyped-call]


class RedisTransport(_Polling, kombu_redis.Transport):
    """The transport to one Redis."""

    Channel = AckChannel


class SentinelTransport(_Polling, kombu_redis.SentinelTransport):
    """The transport by Sentinels."""

    Channel = AckSentinelChannel


OURS = {kombu_redis.Transport: RedisTransport, kombu_redis.SentinelTransport: SentinelTransport}


class QueueConnection(Connection):
    """kombu's connection, with these transports and this event loop in place of its own."""

    requires_hub = ThriftyHub

    def get_transport_cls(self) -> Any:
        """Return the class of the transport that the URL names."""
        named = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return OURS.get(named, named)
