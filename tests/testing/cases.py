"""Every broken provider, the rule that it breaks, and the tests that must notice: these and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import BaseModel

from tests.testing import broken
from wgfo.model import Hop, TableName
from wgfo.plugin import RouteOffer, RouteProvider
from wgfo.testing.memory import MEMORY, MemoryOptions
from wgfo.testing.memory.provider import MemoryProvider


@dataclass(frozen=True, slots=True)
class Case:
    """One flaw."""

    name: str
    rule: int
    offer: RouteOffer
    fails: frozenset[str]
    """Names of tests, of a parametrized one without its parameters."""
    plugin: str = "wgfo.testing.memory"


def made_by(provider: type[MemoryProvider]) -> Callable[[BaseModel], RouteProvider]:
    def make(options: BaseModel) -> RouteProvider:
        assert isinstance(options, MemoryOptions)
        return provider(options)

    return make


def flaw(rule: int, provider: type[MemoryProvider], *fails: str) -> Case:
    return Case(provider.__name__, rule, replace(MEMORY, open=made_by(provider)), frozenset(fails))


def unstable(text: str, _options: BaseModel) -> TableName:
    return TableName({"East": "east", "west": "west"}.get(text, "east-"))


def crashing(text: str, _options: BaseModel) -> Hop:
    return Hop({"gateway-1": "gateway-1", "gateway-2": "gateway-2"}[text])


class OpenOptions(MemoryOptions):
    """Shows its key."""

    def __repr__(self) -> str:
        return f"key={self.key.get_secret_value()}"


SHAPE = (
    Case(
        "UnstableParser", 0, replace(MEMORY, parse_table=unstable), frozenset({"test_parsers_are_idempotent"})
    ),
    Case(
        "CrashingParser",
        0,
        replace(MEMORY, parse_hop=crashing),
        frozenset({"test_parsers_refuse_nonsense_by_value_error_alone"}),
    ),
    Case("NoScope", 0, replace(MEMORY, scope=lambda _: ""), frozenset({"test_the_scope_names_the_account"})),
    flaw(0, broken.LeavesASetOut, "test_observe_answers_for_every_set_and_for_no_other"),
    flaw(0, broken.NeverHints, "test_a_change_by_others_is_hinted_at_where_hints_are_promised"),
)
CASES = (
    *SHAPE,
    flaw(
        1,
        broken.WritesWhatStands,
        "test_pointing_twice_writes_once",
        "test_only_what_is_not_in_place_is_written",
        "test_another_instance_finds_in_place_what_the_first_wrote",
    ),
    flaw(
        2,
        broken.DeletesFirst,
        "test_a_switch_leaves_no_moment_without_a_route",
        "test_a_switch_cut_off_after_any_write_leaves_no_gap_and_can_be_finished",
        "test_a_refused_write_leaves_the_prefix_where_it_was",
        "test_a_foreign_route_is_taken_over_without_a_gap",
    ),
    flaw(
        2,
        broken.BlackholesFirst,
        "test_a_switch_leaves_no_moment_without_a_route",
        "test_a_switch_cut_off_after_any_write_leaves_no_gap_and_can_be_finished",
        "test_a_refused_write_leaves_the_prefix_where_it_was",
        "test_a_foreign_route_is_taken_over_without_a_gap",
    ),
    flaw(2, broken.TakesRoutesAlong, "test_routes_that_are_given_back_stay_where_they_are"),
    flaw(2, broken.DeletesWhenClosed, "test_closing_an_instance_leaves_every_route_in_place"),
    flaw(3, broken.TidiesUp, "test_other_destinations_and_other_tables_are_left_alone"),
    flaw(3, broken.OverwritesForeign, "test_a_foreign_route_is_a_conflict_and_stays"),
    flaw(3, broken.NeverAdopts, "test_a_foreign_route_is_taken_over_when_adopted"),
    flaw(3, broken.NeverRepairs, "test_a_route_that_was_ours_is_repaired_whatever_it_became"),
    flaw(3, broken.HidesForeign, "test_observe_tells_foreign_absent_and_other_candidates_apart"),
    flaw(3, broken.KnowsOnlyItsOwn, "test_observe_tells_which_candidate_somebody_chose"),
    flaw(3, broken.ChecksByWriting, "test_looking_changes_nothing"),
    flaw(4, broken.StopsAtTheFirstFailure, "test_a_destination_that_fails_does_not_stop_the_others"),
    flaw(4, broken.OneTableAtATime, "test_two_tables_are_written_at_once"),
    flaw(4, broken.MoreAtOnceThanDeclared, "test_writes_of_one_table_stay_within_parallel_writes"),
    flaw(5, broken.IgnoresTheToken, "test_a_route_that_changed_since_it_was_observed_is_a_conflict"),
    flaw(5, broken.FencedForGood, "test_a_fresh_observation_lifts_the_fence"),
    flaw(5, broken.WithoutPrecondition, "test_a_change_in_the_last_moment_is_a_conflict"),
    flaw(6, broken.RunsOutOfPlaces, "test_done_means_done_after_every_one_of_many_switches"),
    flaw(
        6,
        broken.BelievesWhatWasAccepted,
        "test_an_operation_that_failed_after_it_was_accepted_is_not_done",
    ),
    flaw(6, broken.UnderstatesVisibility, "test_stale_reads_are_over_within_visibility_ms"),
    flaw(
        7,
        broken.WritesWithoutPermit,
        "test_every_write_follows_a_permit_of_its_own",
        "test_a_withdrawn_permit_lets_no_write_out",
        "test_what_a_permit_no_longer_lets_out_is_not_attempted",
        "test_a_permit_withdrawn_in_the_middle_lets_nothing_more_out",
    ),
    flaw(
        7,
        broken.ReadsWithoutPermit,
        "test_every_read_follows_a_permit",
        "test_a_permit_that_lapsed_lets_nothing_be_read",
        "test_every_observation_reads_the_platform_anew",
    ),
    flaw(7, broken.CollectsPermits, "test_every_write_follows_a_permit_of_its_own"),
    flaw(
        7,
        broken.CallsWithdrawnAFailure,
        "test_a_withdrawn_permit_lets_no_write_out",
        "test_what_a_permit_no_longer_lets_out_is_not_attempted",
    ),
    flaw(7, broken.Retries, "test_a_write_that_failed_is_not_tried_again"),
    flaw(7, broken.RetriesReads, "test_a_read_that_failed_is_not_tried_again"),
    flaw(8, broken.DeniesLateWrites, "test_a_cancelled_write_lands_within_late_write_ms_or_not_at_all"),
    flaw(8, broken.GoesOnWhenCancelled, "test_a_cancelled_call_sends_nothing_more"),
    flaw(
        8,
        broken.CallsUnknownTransient,
        "test_a_write_that_was_not_answered_in_time_is_unknown",
        "test_nothing_is_written_after_a_write_that_was_not_answered",
        "test_a_write_whose_answer_was_lost_is_unknown_or_done",
    ),
    flaw(8, broken.GoesOnAfterUnknown, "test_nothing_is_written_after_a_write_that_was_not_answered"),
    flaw(
        8,
        broken.BelievesItsOwnMemory,
        "test_a_stalled_write_released_late_does_not_outlive_a_newer_epoch",
    ),
    flaw(8, broken.DeletesTheOperatorsRoute, "test_a_route_of_others_that_carries_nothing_stays"),
    flaw(9, broken.BlocksTheLoop, "test_a_slow_platform_does_not_stall_the_event_loop"),
    flaw(
        9,
        broken.UsesTheDefaultExecutor,
        "test_the_default_executor_is_left_alone",
        "test_a_closed_instance_leaves_no_thread_behind",
    ),
    flaw(9, broken.LeavesThreads, "test_a_closed_instance_leaves_no_thread_behind"),
    flaw(
        9,
        broken.IgnoresTheDeadline,
        "test_a_read_that_is_never_answered_ends_before_the_deadline",
        "test_a_write_that_is_never_answered_ends_before_the_deadline",
    ),
    flaw(
        10,
        broken.LetsTheSdkSpeak,
        "test_an_error_of_a_read_has_its_kind",
        "test_an_error_of_a_write_has_its_kind",
        "test_opening_and_checking_fail_by_errors_of_the_contract_alone",
    ),
    flaw(
        10,
        broken.CallsThrottlingDenied,
        "test_an_error_of_a_read_has_its_kind",
        "test_an_error_of_a_write_has_its_kind",
    ),
    flaw(
        10,
        broken.ForgetsRetryAfter,
        "test_an_error_of_a_read_has_its_kind",
        "test_an_error_of_a_write_has_its_kind",
    ),
    flaw(10, broken.ShowsTheKey, "test_no_secret_is_shown_whatever_goes_wrong"),
    Case(
        "ShowsItsOptions",
        10,
        replace(MEMORY, options_model=OpenOptions),
        frozenset({"test_the_options_hide_their_secrets"}),
    ),
    Case(
        "EagerPlugin",
        11,
        MEMORY,
        frozenset({"test_discovering_the_plugin_imports_no_sdk"}),
        plugin="tests.testing.eager_plugin",
    ),
    Case(
        "EagerOffer",
        11,
        MEMORY,
        frozenset({"test_parsing_and_making_an_instance_import_no_sdk"}),
        plugin="tests.testing.eager_offer",
    ),
)
