/*
 * no_port.c: cases that do not hold where moat has no port to the CPU, by what
 * they need of one. docs/backends.md has a row for each reason, and
 * tests/backends/test_port.c a case.
 *
 * SPDX-License-Identifier: MIT
 */
#include "no_port.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct exception {
    const char *reason;
    const char *cases[48]; /* a name, or what comes before " " in it */
};

static const struct exception exceptions[] = {
    {"no port to this CPU: no backtraces",
     {"a_backtrace_leads_to_the_guest",
      "a_coroutine_without_a_name_has_its_address",
      "a_fork_waits_for_no_walk_that_has_ended",
      "a_guest_cut_in_frame_describe_leaves_the_hosts_next_one_whole",
      "a_guest_is_not_cut_where_the_library_frees",
      "a_guest_that_used_up_its_cpu_time_never_runs_again",
      "a_guest_that_used_up_its_time_never_runs_again",
      "a_handler_may_walk",
      "a_handler_may_walk_from_a_wild_frame_pointer",
      "a_handler_on_its_own_stack_may_walk",
      "a_line_says_what_and_where",
      "a_lock_that_it_may_hold_is_named",
      "a_register_with_anything_ends_at_the_root",
      "a_walk_may_be_stepped_through",
      "backtraces",
      "moat_backtrace",
      "moat_backtrace_fp",
      "moat_co_backtrace",
      "moat_co_describe",
      "moat_co_is_poisoned",
      "moat_co_lock_function",
      "moat_script_put",
      "records_lead_over_the_border",
      "registers_that_are_equal_by_chance",
      "the_child_has_the_whole_chain",
      "wrong_arguments_are_refused",
      "a_child_forked_while_another_thread_describes_frames_can_describe",
      "a_child_forked_while_other_threads_walk_stacks_can_walk_its_own"}},
    {"no port to this CPU: no core files",
     {"a_resuming_coroutine_cannot_be_misused",
      "a_running_coroutine_cannot_be_misused",
      "another_threads_trap_cannot_be_reported", "core", "moat_co_write_core",
      "trap_calls_want_a_trapped_coroutine"}},
    {"no port to this CPU: no time slices",
     {"a_cancellation_of_a_sliced_guest_is_its_trap",
      "a_stop_in_a_wait_leaves_cancellation_deferred",
      "an_interrupted_one_is_refused", "bad_orders_are_refused",
      "both_have_slices_side_by_side", "in_each_state", "limits",
      "limits_without_a_meaning_are_refused", "options",
      "the_slices_of_an_outer_guest_wait", "the_threads_clock_has_the_same",
      "what_cannot_be_enforced_is_refused"}},
    {"no port to this CPU: no other source of faults",
     {"a_child_forked_while_another_thread_inits_for_the_first_time_is_whole",
      "a_host_that_blocks_the_signal_survives", "engine_options_are_checked",
      "init_is_idempotent_and_other_options_are_refused",
      "it_may_be_stopped_at_any_instruction",
      "the_manual_source_claims_guests_faults_only",
      "the_manual_source_installs_nothing"}},
    {"no port to this CPU: no unwind information of registered code",
     {"a_personality_is_read_from_readable_memory_only",
      "all_calls_from_the_nth_on_may_fail",
      "an_eh_frame_goes_with_its_kind_only", "bad_code_is_refused",
      "bad_entries_are_refused", "registrations",
      "bad_instructions_are_refused", "each_call_may_fail",
      "nothing_is_left_after_shutdown", "rules_may_come_in_any_order"}},
    {"no port to this CPU: the access of a fault is unknown",
     {"a_recovery_point_works_under_every_policy",
      "a_write_barrier_counts_first_writes",
      "the_faulting_address_is_told_by_owner",
      "unused_memory_of_an_arena_is_told"}},
    {"no port to this CPU: a jump to no address is not told apart",
     {"call to no address, code: contained", "call to nowhere, code: contained",
      "not_canonical_call", "not_canonical_jump", "own_stack_smashed_to_base"}},
    {"no port to this CPU: a privileged instruction is not told apart",
     {"cli", "control_register_read", "hlt", "port_input",
      "software_interrupt"}},
    {"no port to this CPU: the sender of a signal is unknown",
     {"a_later_host_call_is_fatal", "a_signal_sent_from_elsewhere_is_fatal",
      "shot_by_a_thread by abrt", "shot_by_a_thread by segv",
      "siginfo_handler_gets_a_threads_signal"}},
    {"no port to this CPU: no flag is cleared",
     {"after_wild_registers", "misaligned_with_ac_set",
      "null_write_with_ac_nt_df_set"}},
    {"no port to this CPU: what is on the host's stack is the host's",
     {"a_stray_guest_after_a_repaired_fault_traps", "rsp_in_host_stack"}},
    {"no port to this CPU: a handler that blocks nothing is not found",
     {"a_handlers_calls_are_not_the_guests"}},
    {"no port to this CPU: vector registers are unknown",
     {"registers_of_a_trapped_one"}},
    {"no port to this CPU: the first frame is another",
     {"the_first_frame_is_as_new"}},
};

static bool is_of(const char *name, const char *listed)
{
    size_t length = strlen(listed);

    return strncmp(name, listed, length) == 0 &&
           (name[length] == '\0' || name[length] == ' ');
}

static bool lists(const struct exception *exception, const char *name)
{
    for (size_t i = 0; exception->cases[i] != NULL; i++) {
        if (is_of(name, exception->cases[i]))
            return true;
    }
    return false;
}

const char *no_port_reason(const char *name)
{
    if (!PORT_IS_GENERIC)
        return NULL;
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (lists(&exceptions[i], name))
            return exceptions[i].reason;
    }
    return NULL;
}
