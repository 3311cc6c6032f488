/*
 * source_choice.c: which source of page faults is used; and the manual one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/source_choice.h"

#include "arch/arch.h"
#include "sys/environment.h"
#include "sys/refusal.h"

/* --- the manual source ---------------------------------------------------- */

/* The embedder owns the signals and calls moat_trap_handle: there is nothing to
 * install, and nothing whose loss moat could notice. */
static moat_status nothing(void)
{
    return MOAT_OK;
}

const moat_source moat_source_manual = {
    .version = MOAT_SOURCE_VERSION,
    .name = "manual",
    .install = nothing,
    .check = nothing,
    .remove = nothing,
};

/* --- the choice ----------------------------------------------------------- */

/* A library of sources that the program links, as moat-sigsegv is, defines it.
 */
extern const moat_source *moat_source_linked(void) __attribute__((weak));

/* Asks the environment, since the host left the choice open. */
static moat_status environment_choice(const moat_source **out)
{
    enum { AUTO, SIGACTION, MANUAL, LINKED };
    static const char *const words[] = {"auto", "sigaction", "manual",
                                        "sigsegv", NULL};
    int choice;
    moat_status status =
        moat_environment_choose("MOAT_TRAP_SOURCE", words, &choice);

    if (status != MOAT_OK)
        return status;
    if (choice == LINKED && moat_source_linked == NULL)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "the environment has MOAT_TRAP_SOURCE=sigsegv: link "
                           "the program with moat-sigsegv");
    if (choice == LINKED)
        *out = moat_source_linked();
    else
        *out = choice == MANUAL ? &moat_source_manual : &moat_source_sigaction;
    return MOAT_OK;
}

moat_status moat_trap_source_choose(const moat_source *asked,
                                    const moat_source **out)
{
    moat_status status = MOAT_OK;

    if (asked == NULL)
        status = environment_choice(&asked);
    if (status != MOAT_OK)
        return status;
    if (asked->version != MOAT_SOURCE_VERSION)
        return moat_refuse_values(MOAT_E_UNSUPPORTED,
                                  "options->source->version is %u: this moat "
                                  "knows %u",
                                  asked->version, MOAT_SOURCE_VERSION);
    if (asked->reserved != 0 || asked->name == NULL || asked->install == NULL ||
        asked->check == NULL || asked->remove == NULL ||
        (asked->watch == NULL) != (asked->unwatch == NULL))
        return moat_refuse(MOAT_E_INVAL,
                           "options->source: name, install, check and remove "
                           "must be set, watch and unwatch both or neither, "
                           "reserved 0");
    if (!MOAT_ARCH_REDIRECTS && asked != &moat_source_sigaction)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "options->source is not moat_source_sigaction: "
                           "without a port to this CPU a trap leaves the "
                           "handler by a jump, which only moat's own allow");
    *out = asked;
    return MOAT_OK;
}
