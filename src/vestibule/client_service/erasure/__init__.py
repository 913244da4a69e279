"""The use case of erasing a subject: a job that survives restarts, over everything that is kept of a tenant.

`records` stores the progress of jobs, `stages` has one stage for each place that keeps texts, and `job` runs them.
"""

from vestibule.client_service.erasure.job import Erasure
from vestibule.client_service.erasure.records import OWNER, ErasureRecords, ErasureStatus
from vestibule.client_service.erasure.stages import ErasureStages, ServiceRecords

__all__ = ["OWNER", "Erasure", "ErasureRecords", "ErasureStages", "ErasureStatus", "ServiceRecords"]
