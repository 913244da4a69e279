"""How parts are asked for their readiness: with real servers, and with none."""

import asyncio

import pytest

from vestibule.cli.embedded.readiness import FileReadiness, HttpReadiness, RedisSocketReadiness, RedisUrlReadiness


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", False),
        (b"\n", False),
        (b"x" * 200_000, False),
    ],
    ids=["200", "503", "nothing", "empty line", "endless line"],
)
async def test_service_is_ready_with_200_alone(answer, expected):
    """Only a 200 means ready; no other answer does, and none raises."""

    async def reply(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert expected is await HttpReadiness("127.0.0.1", port).is_ready()


async def test_nobody_there_is_not_ready(free_port, tmp_path):
    """Where nobody listens nothing is ready, and nothing is raised."""
    assert not await HttpReadiness("127.0.0.1", free_port).is_ready()
    assert not await RedisSocketReadiness(tmp_path / "none.sock").is_ready()
    assert not await RedisUrlReadiness(f"redis://127.0.0.1:{free_port}/0").is_ready()


async def test_file_of_an_earlier_life_does_not_count(tmp_path):
    """A worker is ready when its file is there; that of an earlier life can be removed, also if there is none."""
    readiness = FileReadiness(tmp_path / "worker1.ready")
    readiness.forget()
    readiness.path.touch()
    assert await readiness.is_ready()
    readiness.forget()
    assert not await readiness.is_ready()


async def test_redis_that_answers_is_ready(start_redis, tmp_path):
    """A running server is ready by its socket and by its URL."""
    _, server = start_redis(tmp_path)
    assert await RedisSocketReadiness(server.socket).is_ready()
    assert await RedisUrlReadiness(server.url).is_ready()
