/*
 * cfi_form.c: writes and searches unwind rules in moat's own form.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cfi_form.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "sys/refusal.h"
#include "unwind/bytes.h"
#include "unwind/dwarf.h"

/* --- writing ------------------------------------------------------------- */

/* Zeros, with which it is aligned, are DW_CFA_nop. */
static void end_entry(struct moat_bytes *to, size_t begin,
                      const struct moat_span *instructions)
{
    moat_put(to, instructions->begin,
             (size_t)(instructions->end - instructions->begin));
    moat_put_align(to);
    moat_put_end(to, begin);
}

static void put_cie(struct moat_bytes *to, struct moat_cfi_cie *cie)
{
    bool lsda = cie->lsda_encoding != DW_EH_PE_omit;

    cie->written_at = moat_put_begin(to);
    moat_put_word(to, 0);
    moat_put_byte(to, 1); /* version */
    moat_put(to, "zR", 2);
    moat_put(to, "P", cie->has_personality);
    moat_put(to, "L", lsda);
    moat_put(to, "S", cie->interrupted);
    moat_put_byte(to, 0);
    moat_put_uleb(to, cie->code_unit);
    moat_put_sleb(to, cie->data_unit);
    moat_put_byte(to, MOAT_ARCH_DWARF_PC);
    moat_put_uleb(to, 1u + (cie->has_personality ? 9u : 0u) + (lsda ? 1u : 0u));
    moat_put_byte(to, DW_EH_PE_absptr);
    if (cie->has_personality) {
        moat_put_byte(to, DW_EH_PE_absptr);
        moat_put_address(to, cie->personality);
    }
    if (lsda)
        moat_put_byte(to, DW_EH_PE_absptr);
    end_entry(to, cie->written_at, &cie->instructions);
}

static void put_fde(struct moat_bytes *to, const struct moat_cfi_fde *fde,
                    const struct moat_cfi_cie *cie)
{
    size_t begin = moat_put_begin(to);

    moat_put_word(to, (uint32_t)(to->used - cie->written_at));
    moat_put_address(to, fde->begin);
    moat_put_address(to, fde->size);
    if (cie->lsda_encoding != DW_EH_PE_omit) {
        moat_put_uleb(to, sizeof fde->lsda);
        moat_put_address(to, fde->lsda);
    } else {
        moat_put_uleb(to, 0);
    }
    end_entry(to, begin, &fde->instructions);
}

static void put_rules(struct moat_bytes *to, const struct moat_cfi_rules *rules)
{
    for (size_t i = 0; i < rules->cie_count; i++)
        put_cie(to, &rules->cies[i]);
    for (size_t i = 0; i < rules->fde_count; i++)
        put_fde(to, &rules->fdes[i], &rules->cies[rules->fdes[i].cie]);
    moat_put_address(to, 0); /* the terminator */
}

moat_status moat_cfi_write(const struct moat_cfi_rules *rules,
                           struct moat_cfi *out)
{
    struct moat_bytes to = {NULL, 0};

    put_rules(&to, rules);
    if (to.used > UINT32_MAX)
        return moat_refuse(MOAT_E_INVAL, "code->eh_frame_bytes is too large");
    to.to = malloc(to.used);
    if (to.to == NULL)
        return MOAT_E_NOMEM;
    to.used = 0;
    put_rules(&to, rules);
    out->bytes = to.to;
    out->size = to.used;
    return MOAT_OK;
}

/* --- searching ----------------------------------------------------------- */

static const struct moat_fde *after(const struct moat_fde *entry)
{
    const void *next = (const char *)&entry->to_cie + entry->length;

    return next;
}

static const struct moat_fde *skip_cies(const struct moat_fde *entry)
{
    while (entry->length != 0 && entry->to_cie == 0)
        entry = after(entry);
    return entry->length != 0 ? entry : NULL;
}

const struct moat_fde *moat_cfi_first(const void *bytes)
{
    return bytes != NULL ? skip_cies(bytes) : NULL;
}

const struct moat_fde *moat_cfi_next(const struct moat_fde *fde)
{
    return skip_cies(after(fde));
}
