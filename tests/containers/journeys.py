"""The journeys that fit a deployment: those that neither restart nor reconfigure it, nor look into its files,
and do not ask for the name of the development token."""

from journeys.test_entries import (
    test_a_batch_is_checked_pair_by_pair,
    test_an_entry_expires,
    test_an_entry_is_changed_on_condition,
    test_entries_are_listed_and_deleted,
    test_what_is_known_is_not_sent_again,
)
from journeys.test_flow import (
    test_json_bodies,
    test_many_tasks_are_all_done,
    test_messages,
    test_refusals_are_problem_documents,
    test_the_command_line_against_a_running_system,
    test_the_description_of_the_api_is_served,
)
from journeys.test_history import test_watching_goes_on_after_a_break
from journeys.test_idempotency import (
    test_a_key_belongs_to_one_request,
    test_a_repeated_request_gets_the_first_answer,
    test_of_many_at_once_one_is_served,
    test_what_was_refused_can_be_repeated,
)
from journeys.test_screening import (
    test_200_leaks_at_once_give_200_alerts,
    test_a_leak_is_refused_alerted_and_not_told,
    test_keys_and_messages_are_checked_as_values_are,
    test_nonsense_is_refused_alerted_and_not_repeated,
    test_scan_answers_without_any_consequence,
    test_scan_explains_without_the_value,
    test_too_large_is_said,
)
from journeys.test_tasks import (
    test_a_cancelled_task_is_not_done,
    test_a_delayed_task_waits_for_its_time,
    test_changes_come_as_events,
    test_tasks_are_listed_by_state,
    test_the_command_line_looks_after_tasks,
    test_the_same_work_is_one_task_for_its_time,
)

__all__ = [
    "test_200_leaks_at_once_give_200_alerts",
    "test_a_batch_is_checked_pair_by_pair",
    "test_a_cancelled_task_is_not_done",
    "test_a_delayed_task_waits_for_its_time",
    "test_a_key_belongs_to_one_request",
    "test_a_leak_is_refused_alerted_and_not_told",
    "test_a_repeated_request_gets_the_first_answer",
    "test_an_entry_expires",
    "test_an_entry_is_changed_on_condition",
    "test_changes_come_as_events",
    "test_entries_are_listed_and_deleted",
    "test_json_bodies",
    "test_keys_and_messages_are_checked_as_values_are",
    "test_many_tasks_are_all_done",
    "test_messages",
    "test_nonsense_is_refused_alerted_and_not_repeated",
    "test_of_many_at_once_one_is_served",
    "test_refusals_are_problem_documents",
    "test_scan_answers_without_any_consequence",
    "test_scan_explains_without_the_value",
    "test_tasks_are_listed_by_state",
    "test_the_command_line_against_a_running_system",
    "test_the_command_line_looks_after_tasks",
    "test_the_description_of_the_api_is_served",
    "test_the_same_work_is_one_task_for_its_time",
    "test_too_large_is_said",
    "test_watching_goes_on_after_a_break",
    "test_what_is_known_is_not_sent_again",
    "test_what_was_refused_can_be_repeated",
]
