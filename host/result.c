/*
 * result.c: what became of a script, in words; and its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "script.h"

static const char *const verdict_texts[VERDICT_COUNT] = {
#define VERDICT_TEXT(name, text) [name] = (text),
    VERDICT_MAP(VERDICT_TEXT)
#undef VERDICT_TEXT
};

const char *verdict_text(const struct result *result)
{
    if (result->verdict == VERDICT_FAULT && result->kind != MOAT_TRAP_NONE)
        return moat_trap_kind_str(result->kind);
    return verdict_texts[result->verdict];
}

void result_free(struct result *result)
{
    free(result->message);
    free(result->output);
    free(result->report);
    free(result->core);
    json_decref(result->trap);
}
