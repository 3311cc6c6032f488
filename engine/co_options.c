/*
 * co_options.c: a coroutine's options, checked: sizes and flags, limits,
 * script.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/co_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/heaps.h"
#include "engine/options.h"
#include "sys/size.h"

#define MAX_BYTES ((size_t)64 << 30)
/* A shorter slice would hardly let a guest run between two signals. */
#define MIN_SLICE_NS UINT64_C(20000)
#define FLAGS_KNOWN                                         \
    ((uint64_t)(MOAT_CO_SCRUB_MASK | MOAT_CO_RECOVER_MASK | \
                MOAT_CO_FORK_RETURNS | MOAT_CO_EXACT_USAGE))

/* --- sizes and flags ------------------------------------------------------ */

static moat_status resolve_size(size_t *bytes, size_t if_zero)
{
    if (*bytes == 0)
        *bytes = if_zero;
    if (*bytes > MAX_BYTES || !moat_size_to_pages(*bytes, bytes))
        return MOAT_E_INVAL;
    return MOAT_OK;
}

moat_status moat_co_options_resolve(const moat_co_options *asked,
                                    moat_co_options *out)
{
    static const moat_co_options defaults = MOAT_CO_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    if (asked == NULL)
        asked = &defaults;
    if (asked->struct_size == sizeof *out)
        *out = *asked;
    else
        status = moat_options_copy(out, sizeof *out, asked,
                                   offsetof(moat_co_options, heap));
    if (status != MOAT_OK)
        return status;
    if ((out->flags & ~FLAGS_KNOWN) != 0 ||
        (out->flags & MOAT_CO_SCRUB_MASK) == MOAT_CO_SCRUB_MASK ||
        (out->flags & MOAT_CO_RECOVER_MASK) == MOAT_CO_RECOVER_MASK ||
        (out->stack_bytes != 0 && out->stack_bytes < moat_page_bytes()))
        return MOAT_E_INVAL;
    status = resolve_size(&out->stack_bytes, MOAT_DEFAULT_STACK_BYTES);
    if (status != MOAT_OK)
        return status;
    return resolve_size(&out->guard_bytes, MOAT_DEFAULT_GUARD_BYTES);
}

/* --- limits and script ---------------------------------------------------- */

static moat_status check_limits(const moat_limits *asked, moat_limits *out)
{
    moat_status status = moat_options_copy(
        out, sizeof *out, asked, offsetof(moat_limits, total_wall_ns));
    if (status != MOAT_OK)
        return status;
    if (out->slice_ns != 0 && !moat_arch_can_preempt())
        return MOAT_E_UNSUPPORTED;
    if (out->slice_ns != 0 && out->slice_ns < MIN_SLICE_NS)
        return MOAT_E_INVAL;
    if (out->resume_cpu_ns == 0 && out->wall_ns == 0 &&
        out->total_cpu_ns == 0 && out->total_wall_ns == 0 && out->slice_ns == 0)
        return MOAT_OK;
    return moat_engine_need_deadlines();
}

static moat_status check_script(const moat_script *asked, moat_script *out)
{
    moat_status status =
        moat_options_copy(out, sizeof *out, asked, sizeof *asked);

    if (status == MOAT_OK && out->walk == NULL)
        status = MOAT_E_INVAL;
    return status;
}

void moat_script_set(struct co *co, const moat_script *script)
{
    const char *language =
        script->language != NULL ? script->language : "script";
    struct co_cold *cold = cold_of(co);

    co->traits |= CO_SCRIPTED;
    cold->script = *script;
    (void)strncpy(cold->language, language, sizeof cold->language - 1);
    cold->language[sizeof cold->language - 1] = '\0';
}

/* --- all, with copies ----------------------------------------------------- */

static moat_status fill_limits(struct spec *spec)
{
    moat_status status = check_limits(spec->options.limits, &spec->limits);

    spec->options.limits = &spec->limits;
    return status;
}

static moat_status fill_script(struct spec *spec)
{
    moat_status status = check_script(spec->options.script, &spec->script);
    const char *language = spec->script.language;

    if (status != MOAT_OK)
        return status;
    if (language != NULL) {
        (void)strncpy(spec->language, language, sizeof spec->language - 1);
        spec->script.language = spec->language;
    }
    spec->options.script = &spec->script;
    return MOAT_OK;
}

/* Last, so that nothing has to be freed if another check fails. */
static moat_status fill_name(struct spec *spec)
{
    spec->name = strdup(spec->options.name);
    spec->options.name = spec->name;
    return spec->name != NULL ? MOAT_OK : MOAT_E_NOMEM;
}

moat_status moat_spec_fill(struct spec *spec, const moat_co_options *asked)
{
    moat_co_options *options = &spec->options;
    moat_status status;

    memset(spec, 0, sizeof *spec);
    status = moat_co_options_resolve(asked, options);
    if (status != MOAT_OK)
        return status;
    options->struct_size = sizeof *options;
    options->user = NULL;
    if (asked != NULL) {
        spec->stack_bytes = asked->stack_bytes;
        spec->guard_bytes = asked->guard_bytes;
    }
    if (options->limits != NULL)
        status = fill_limits(spec);
    if (status == MOAT_OK)
        status = moat_co_heap_check(options->heap, spec->limits.memory_bytes);
    if (status == MOAT_OK && options->script != NULL)
        status = fill_script(spec);
    if (status == MOAT_OK && options->name != NULL)
        status = fill_name(spec);
    return status;
}
