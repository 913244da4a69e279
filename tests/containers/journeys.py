"""The journeys that fit a deployment: those that neither restart nor reconfigure it, nor look into its files,
and do not ask for the name of the development token."""

from journeys.test_entries import (
    test_an_entry_expires,
    test_an_entry_is_changed_on_condition,
    test_an_unchanged_entry_is_a_304,
    test_each_entry_of_a_batch_is_screened,
    test_entries_are_listed_and_deleted,
)
from journeys.test_flow import (
    test_json_bodies,
    test_many_tasks_all_end,
    test_messages,
    test_refusals_are_problem_documents,
    test_the_command_line_against_a_running_system,
    test_the_description_of_the_api_is_served,
)
from journeys.test_history import test_watching_goes_on_after_a_break
from journeys.test_idempotency import (
    test_a_key_belongs_to_one_request,
    test_a_rejected_request_can_be_repeated,
    test_a_repeated_request_gets_the_first_answer,
    test_one_of_many_concurrent_repetitions_has_an_effect,
)
from journeys.test_screening import (
    test_200_leaks_at_once_give_200_alerts,
    test_a_body_or_value_that_is_too_large_is_a_413,
    test_a_leak_is_rejected_alerted_and_not_repeated,
    test_keys_and_messages_are_screened_like_values,
    test_malformed_requests_are_rejected_alerted_and_not_repeated,
    test_scan_explains_without_the_value,
    test_scan_stores_nothing_and_raises_no_alert,
)
from journeys.test_tasks import (
    test_a_cancelled_task_does_not_run,
    test_a_delayed_task_waits_for_its_time,
    test_changes_come_as_events,
    test_tasks_are_listed_by_state,
    test_the_command_line_manages_tasks,
    test_the_same_work_is_one_task_for_its_time,
)

__all__ = [
    "test_200_leaks_at_once_give_200_alerts",
    "test_a_body_or_value_that_is_too_large_is_a_413",
    "test_a_cancelled_task_does_not_run",
    "test_a_delayed_task_waits_for_its_time",
    "test_a_key_belongs_to_one_request",
    "test_a_leak_is_rejected_alerted_and_not_repeated",
    "test_a_rejected_request_can_be_repeated",
    "test_a_repeated_request_gets_the_first_answer",
    "test_an_entry_expires",
    "test_an_entry_is_changed_on_condition",
    "test_an_unchanged_entry_is_a_304",
    "test_changes_come_as_events",
    "test_each_entry_of_a_batch_is_screened",
    "test_entries_are_listed_and_deleted",
    "test_json_bodies",
    "test_keys_and_messages_are_screened_like_values",
    "test_malformed_requests_are_rejected_alerted_and_not_repeated",
    "test_many_tasks_all_end",
    "test_messages",
    "test_one_of_many_concurrent_repetitions_has_an_effect",
    "test_refusals_are_problem_documents",
    "test_scan_explains_without_the_value",
    "test_scan_stores_nothing_and_raises_no_alert",
    "test_tasks_are_listed_by_state",
    "test_the_command_line_against_a_running_system",
    "test_the_command_line_manages_tasks",
    "test_the_description_of_the_api_is_served",
    "test_the_same_work_is_one_task_for_its_time",
    "test_watching_goes_on_after_a_break",
]
