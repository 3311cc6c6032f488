/*
 * valgrind.c: the effects that Valgrind 3.19 does not model, crime by crime.
 * Crimes that are not listed behave as they do on the CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#include "valgrind.h"

#include <stddef.h>
#include <string.h>

#ifdef MOAT_WITH_VALGRIND
#    include <valgrind/valgrind.h>
#else
#    define RUNNING_ON_VALGRIND 0
#endif

#define ALL    VALGRIND_LACKS_ALL
#define RECORD VALGRIND_LACKS_RECORD
#define FP     VALGRIND_LACKS_FP

/* clang-format off */
static const struct {
    const char *crime;
    unsigned lacks;
} rows[] = {
    /* Valgrind translates a jump's target instead of fetching it: there is no
     * page fault, and the signal has no exception number. */
    {"null_call", RECORD},
    {"jump_to_zero", RECORD},
    {"return_to_zero", RECORD},
    {"kernel_jump", RECORD},
    {"not_canonical_jump", RECORD},
    {"not_canonical_call", RECORD},
    {"jump_to_data", RECORD},
    {"jump_to_own_stack", RECORD},
    {"jump_to_other_stack", RECORD},
    {"own_stack_smashed_to_base", RECORD},

    /* Instructions that Valgrind does not know raise SIGILL, whatever they
     * raise on the CPU. So do unmasked floating-point exceptions. */
    {"sse_division_unmasked", RECORD | FP},
    {"sse_invalid_unmasked", RECORD | FP},
    {"x87_division_unmasked", RECORD | FP},
    {"int1", RECORD},
    {"hlt", RECORD},
    {"cli", RECORD},
    {"software_interrupt", RECORD},
    {"control_register_read", RECORD},
    {"single_step", RECORD},

    /* The pc and the stack pointer belong to a neighbouring instruction:
     * Valgrind updates them only before some memory accesses. */
    {"division_by_zero", RECORD},
    {"int_min_by_minus_one", RECORD},
    {"overflow_by_pushes", RECORD},
    {"rsp_zero_push", RECORD},
    {"rsp_0x10_push", RECORD},
    {"rsp_not_canonical_push", RECORD},
    {"rsp_in_own_guard_push", RECORD},

    /* A read-modify-write starts with a read; movaps is done in two halves. */
    {"frame_of_1_mib_probed", RECORD},
    {"misaligned_movaps", RECORD},

    /* The x87 and SSE modes are neither saved in the signal frame nor restored
     * from it. */
    {"null_write_with_x87_full", FP},
    {"null_write_with_mmx_used", FP},
    {"null_write_with_x87_pending", FP},
    {"null_write_with_fp_modes_changed", FP},
    {"null_write_with_every_register_set", RECORD | FP},

    /* Flags are not restored from the signal frame: the host would inherit the
     * guest's. */
    {"misaligned_with_ac_set", ALL},
    {"null_write_with_df_set", ALL},
    {"null_write_with_ac_nt_df_set", ALL},

    /* There is no SS_AUTODISARM: the frame goes below the guest's stack
     * pointer. */
    {"rsp_in_alternate_stack_middle", ALL},
    {"rsp_in_alternate_stack_bottom", ALL},

    /* Valgrind does not know far returns. */
    {"ud2_in_32_bit_code", RECORD},

    /* Valgrind's own check of strcpy and its like ends the process. */
    {"fortify_failure", ALL},
};
/* clang-format on */

unsigned valgrind_lacks(const char *crime)
{
    if (!RUNNING_ON_VALGRIND)
        return 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].crime, crime) == 0)
            return rows[i].lacks;
    }
    return 0;
}
