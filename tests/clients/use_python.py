"""Uses the clients that openapi-python-client made: `use_python.py CLIENT_URL SCHEDULER_URL TOKEN`; prints JSON."""

import json
import sys

from scheduler_api import AuthenticatedClient as SchedulerClient
from scheduler_api.api.watch import get_badge, get_status
from vestibule_api import AuthenticatedClient
from vestibule_api.api.alerts import add_silence
from vestibule_api.api.detection import scan_text
from vestibule_api.api.entries import add_entry, list_keys, read_entry
from vestibule_api.api.tasks import get_task, run_task
from vestibule_api.models import Pair, ScanRequest, SilenceRequest
from vestibule_api.models import RunRequest as Run

url, scheduler_url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)
added = add_entry.sync(client=client, body=Pair(key="python/1", value="hello"))
read = read_entry.sync(client=client, key="python/1")
accepted = run_task.sync(client=client, body=Run(key="python/1"))
task = get_task.sync(client=client, task_id=accepted.task_id, wait=30)
refused = add_entry.sync_detailed(client=client, body=Pair(key="python/2", value="write to jane@example.org"))
scanned = scan_text.sync(client=client, body=ScanRequest(text="write to jane@example.org", explain=True))
silence = add_silence.sync(client=client, body=SilenceRequest(reason="a test", hours=1.0, entity="EMAIL_ADDRESS"))
scheduler = SchedulerClient(base_url=scheduler_url, token=token)
result = {
    "version": added.version,
    "value": read.value,
    "state": task.state,
    "result": task.result,
    "submitted": task.submitted_at.tzinfo is not None,
    "status": refused.status_code,
    "detail": refused.parsed.detail,
    "findings": refused.parsed.additional_properties["findings"],
    "scanned": [one.entity for one in scanned.findings],
    "silence": silence.entity,
    "keys": list_keys.sync(client=client, prefix="python/").keys,
    "parts": [part.name for part in get_status.sync(client=scheduler).parts],
    "badge": "<svg" in str(get_badge.sync(client=scheduler, part="client")),
}
sys.stdout.write(json.dumps(result))
