"""What alerts and groups are filtered by, and the choices of their forms."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query

Text = Annotated[str, Query()]

PAGE_SIZE = 50
STATES = ("open", "acknowledged", "resolved")
SEVERITIES = ("critical", "warning", "info")
# As `vestibule alert types` lists them; a test compares them.
TYPES = (
    *("PersonalData", "Secret", "InvalidToken", "InvalidInput", "AccessDenied", "ServiceDown", "ServiceRecovered"),
    *("HeartbeatMissed", "HeartbeatRecovered", "QueueStalled", "QueueRecovered", "QueueFilesDamaged", "TaskFailed"),
    *("TaskDeadLettered", "LogNotWritten", "LogWritten", "DeliveryFailing", "DeliveryResumed", "PolicyBroken"),
    *("FileBroken", "CommitsLost", "Reveal", "SubjectFound", "SubjectErased", "Test"),
)
SPANS = (("1h", "last hour"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("30d", "last 30 days"))
CHOICES: Mapping[str, Any] = {
    "states": STATES,
    "severities": SEVERITIES,
    "types": tuple((one, one) for one in TYPES),
    "spans": SPANS,
    "silenced_for": (("1", "1 hour"), ("8", "8 hours"), ("24", "1 day")),
}
