"""The fields of every log line: each request, task and block has its own."""

import asyncio

from vestibule.runtime.log_context import (
    begin_log_fields,
    bind_log_fields,
    bound_log_fields,
    log_fields,
    unbind_log_field,
)


def test_fields_are_bound_replaced_and_removed() -> None:
    """A beginning forgets what was before; a block ends with what was before it."""
    begin_log_fields({"request_id": "a", "task_id": "t"})
    bind_log_fields(token_id="b", task_id="u")
    assert {"request_id": "a", "task_id": "u", "token_id": "b"} == log_fields()
    with bound_log_fields(attempt=1):
        unbind_log_field("request_id")
        assert {"task_id": "u", "token_id": "b", "attempt": 1} == log_fields()
    assert {"request_id": "a", "task_id": "u", "token_id": "b"} == log_fields()
    begin_log_fields({})
    assert {} == log_fields()


async def test_what_a_task_binds_is_its_own() -> None:
    """Neither the task that began it nor another one sees it."""

    async def bind(name: str) -> object:
        bind_log_fields(token_id=name)
        await asyncio.sleep(0)
        return log_fields()

    begin_log_fields({"request_id": "a"})
    found = await asyncio.gather(bind("b"), bind("c"))
    assert [{"request_id": "a", "token_id": name} for name in "bc"] == found
    assert {"request_id": "a"} == log_fields()
    begin_log_fields({})
