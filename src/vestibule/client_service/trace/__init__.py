"""All that happened to a request, task, decision, alert or job, in one order.

`events` has what a timeline consists of, `alert_events` and `task_events` make them of what is kept, and
`trace_service` finds that and puts it in order.
"""
