"""The use cases of finding and erasing a subject: jobs that survive restarts, over all that is kept of a tenant.

`records` stores the progress of jobs, `stages` has one stage for each place that keeps texts, `job` runs them, and
`subjects` checks and reports requests.
"""

from vestibule.client_service.erasure.job import Erasure
from vestibule.client_service.erasure.records import FINDS_OWNER, OWNER, ErasureRecords, ErasureStatus, FindStatus
from vestibule.client_service.erasure.stages import ErasureStages, ServiceRecords
from vestibule.client_service.erasure.subjects import SubjectService

__all__ = [
    "FINDS_OWNER",
    "OWNER",
    "Erasure",
    "ErasureRecords",
    "ErasureStages",
    "ErasureStatus",
    "FindStatus",
    "ServiceRecords",
    "SubjectService",
]
