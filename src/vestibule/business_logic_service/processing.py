"""Processes data synchronously, and maps the errors of processors to problems."""

import asyncio
from uuid import uuid4

from vestibule.contracts.errors import NotProcessable, Unavailable
from vestibule.contracts.tasks import ERROR_DETAILS, ProcessRequest, WorkOrigin
from vestibule.processing import MAY_PASS, CannotProcess, Job, ProcessorRegistry
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.auth.service_secret import SERVICE


async def process(processors: ProcessorRegistry, work: ProcessRequest, caller: Caller) -> str:
    """Return the result of the processor that `work` names.

    Raises:
        NotProcessable: the processor cannot process the data.
        Unavailable: what the processor needs does not answer.
    """
    job = Job(work.work_id or str(uuid4()), _origin_of(work, caller))
    try:
        return await asyncio.to_thread(processors.process, work.processor, work.data, work.options, job)
    except CannotProcess as error:
        kind = error.kind if error.kind in ERROR_DETAILS else "TaskFailed"
        raise NotProcessable(ERROR_DETAILS[kind], kind=kind) from error
    except MAY_PASS as error:
        raise Unavailable("processor", ERROR_DETAILS["TaskInterrupted"]) from error


def _origin_of(work: ProcessRequest, caller: Caller) -> WorkOrigin:
    if work.origin is not None and caller.token_id == SERVICE:
        return work.origin
    return WorkOrigin(route="/process", tenant=caller.tenant, token_id=caller.token_id, token_name=caller.name)
