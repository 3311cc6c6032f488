/*
 * cfi.c: reads the unwind rules that a caller hands over, or makes rules for
 * plain frames.
 *
 * The caller's .eh_frame may be anything. It is read once, from first entry to
 * last: every number is checked against the bounds, the instructions against
 * what unwinders can run, and the FDEs against the code that is registered.
 * The rules that pass are written anew in moat's form.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cfi.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "sys/refusal.h"
#include "sys/search.h"
#include "unwind/bytes.h"
#include "unwind/cfi_instructions.h"
#include "unwind/dwarf.h"
#include "unwind/eh_frame.h"

#define CIE_STRIDE MOAT_KEY_STRIDE(struct moat_cfi_cie)
_Static_assert(sizeof(struct moat_cfi_cie) == CIE_STRIDE * sizeof(uintptr_t),
               "the keys of the CIEs are not whole words apart");

/* The blob, and what has been read of it. */
struct source {
    const unsigned char *blob;
    uint64_t begin, end; /* of the code */
    struct moat_cfi_rules rules;
    size_t cie_room, fde_room;
};

/* --- reading ------------------------------------------------------------- */

static struct moat_span span_of(const struct moat_reader *reader)
{
    return (struct moat_span){reader->at, reader->end};
}

/* Reads a value of four or eight bytes, without its base. */
static uint64_t read_plain(struct moat_reader *reader, unsigned encoding)
{
    unsigned format = encoding & DW_EH_PE_format_mask;

    if (format == DW_EH_PE_udata2 || format == DW_EH_PE_sdata2)
        moat_reader_spoil(reader);
    return moat_eh_read_format(reader, format);
}

/* As libgcc reads it: 0 stays 0, also where it is relative. */
static uint64_t read_pointer(struct moat_reader *reader, unsigned encoding)
{
    uint64_t here = (uintptr_t)reader->at;
    uint64_t value = read_plain(reader, encoding);

    if ((encoding & ~(unsigned)(DW_EH_PE_format_mask | DW_EH_PE_pcrel)) != 0)
        reader->bad = true;
    if (value != 0 && (encoding & DW_EH_PE_pcrel) != 0)
        value += here;
    return value;
}

/* An indirect one is read from where the bytes say, which may be anywhere. */
static uint64_t read_personality(struct moat_reader *reader, unsigned encoding)
{
    uint64_t value =
        read_pointer(reader, encoding & ~(unsigned)DW_EH_PE_indirect);
    uintptr_t routine = 0;

    if ((encoding & DW_EH_PE_indirect) == 0 || value == 0 || reader->bad)
        return value;
    if (!moat_arch_peek(value, &routine))
        reader->bad = true;
    return routine;
}

static bool read_cie(const struct moat_reader *reader, struct moat_cfi_cie *cie)
{
    struct moat_eh_cie read;

    if (!moat_eh_read_cie(*reader, &read))
        return false;
    cie->augmented = read.augmented;
    cie->interrupted = read.signal_frame;
    cie->code_encoding = read.pointer_encoding;
    cie->lsda_encoding = read.lsda_encoding;
    cie->code_unit = read.code_unit;
    cie->data_unit = read.data_unit;
    if (read.personality_encoding != DW_EH_PE_omit)
        cie->personality =
            read_personality(&read.personality, read.personality_encoding);
    cie->has_personality = cie->personality != 0;
    cie->instructions = span_of(&read.program);
    return !read.personality.bad && moat_cfi_are_instructions(read.program);
}

static bool read_fde(const struct source *source, struct moat_reader *reader,
                     struct moat_cfi_fde *fde)
{
    const struct moat_cfi_cie *cie = &source->rules.cies[fde->cie];
    struct moat_reader data;

    fde->begin = read_pointer(reader, cie->code_encoding);
    fde->size = read_plain(reader, cie->code_encoding);
    if (cie->augmented) {
        data = moat_reader_part(reader, moat_cfi_leb(reader, false));
        if (cie->lsda_encoding != DW_EH_PE_omit)
            fde->lsda = read_pointer(&data, cie->lsda_encoding);
        reader->bad |= data.bad;
    }
    fde->instructions = span_of(reader);
    return !reader->bad && fde->begin >= source->begin && fde->size > 0 &&
           fde->begin < source->end && fde->size <= source->end - fde->begin &&
           moat_cfi_are_instructions(*reader);
}

/* Appends an element of zeros; NULL: no memory. */
static void *extend(void **array, size_t *count, size_t *room, size_t bytes)
{
    if (*count == *room) {
        size_t more = *room > 0 ? 2 * *room : 2;
        void *moved = realloc(*array, more * bytes);

        if (moved == NULL)
            return NULL;
        *array = moved;
        *room = more;
    }
    return memset((char *)*array + (*count)++ * bytes, 0, bytes);
}

static moat_status refuse_entry(const char *what, size_t offset)
{
    return moat_refuse_values(
        MOAT_E_INVAL,
        "code->eh_frame: the %s at offset %u is damaged, or not of this code",
        moat_refusal_text(what), offset);
}

static moat_status add_cie(struct source *source, size_t offset,
                           struct moat_reader *body)
{
    struct moat_cfi_rules *rules = &source->rules;
    void *array = rules->cies;
    struct moat_cfi_cie *cie =
        extend(&array, &rules->cie_count, &source->cie_room, sizeof *cie);

    rules->cies = array;
    if (cie == NULL)
        return MOAT_E_NOMEM;
    cie->read_at = offset;
    return read_cie(body, cie) ? MOAT_OK : refuse_entry("CIE", offset);
}

/* Returns the number of the CIE at the offset; cie_count: there is none. They
 * are read in ascending order. */
static size_t cie_at(const struct source *source, size_t offset)
{
    const struct moat_cfi_rules *rules = &source->rules;
    size_t up_to = 0;

    if (rules->cie_count > 0)
        up_to = moat_keys_up_to(&rules->cies[0].read_at, CIE_STRIDE,
                                rules->cie_count, offset);
    return up_to > 0 && rules->cies[up_to - 1].read_at == offset
               ? up_to - 1
               : rules->cie_count;
}

static moat_status add_fde(struct source *source, size_t cie_offset,
                           struct moat_reader *body)
{
    struct moat_cfi_rules *rules = &source->rules;
    void *array = rules->fdes;
    struct moat_cfi_fde *fde =
        extend(&array, &rules->fde_count, &source->fde_room, sizeof *fde);

    rules->fdes = array;
    if (fde == NULL)
        return MOAT_E_NOMEM;
    fde->cie = cie_at(source, cie_offset);
    if (fde->cie == rules->cie_count)
        return refuse_entry("CIE of an FDE", cie_offset);
    return read_fde(source, body, fde)
               ? MOAT_OK
               : refuse_entry("FDE before", (size_t)(body->end - source->blob));
}

/* Reads the next entry. *more: there is another. */
static moat_status read_entry(struct source *source, struct moat_reader *reader,
                              bool *more)
{
    size_t offset = (size_t)(reader->at - source->blob);
    uint64_t length = moat_read(reader, 4);
    struct moat_reader body = moat_reader_part(reader, length);
    size_t id_offset = (size_t)(body.at - source->blob);
    uint64_t to_cie;

    *more = false;
    if (reader->bad)
        return refuse_entry("length", offset);
    if (length == 0)
        return MOAT_OK;
    *more = reader->at < reader->end;
    to_cie = moat_read(&body, 4);
    if (body.bad || to_cie > id_offset)
        return refuse_entry("entry", offset);
    return to_cie == 0 ? add_cie(source, offset, &body)
                       : add_fde(source, id_offset - to_cie, &body);
}

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct moat_cfi_fde *)a)->begin;
    uint64_t right = ((const struct moat_cfi_fde *)b)->begin;

    return (left > right) - (left < right);
}

/* Sorts the FDEs. False: some share code, or there is none. */
static bool are_apart(struct moat_cfi_rules *rules)
{
    const struct moat_cfi_fde *fdes = rules->fdes;

    if (rules->fde_count == 0)
        return false;
    qsort(rules->fdes, rules->fde_count, sizeof *fdes, by_address);
    for (size_t i = 1; i < rules->fde_count; i++) {
        if (fdes[i].begin - fdes[i - 1].begin < fdes[i - 1].size)
            return false;
    }
    return true;
}

static moat_status rewrite(const moat_code *code, struct moat_cfi *out)
{
    struct moat_reader reader = {code->eh_frame, code->eh_frame, false};
    struct source source = {.blob = code->eh_frame,
                            .begin = (uintptr_t)code->start,
                            .end = (uintptr_t)code->start + code->size};
    moat_status status = MOAT_OK;
    bool more = true;

    reader.end += code->eh_frame_bytes;
    while (status == MOAT_OK && more)
        status = read_entry(&source, &reader, &more);
    if (status == MOAT_OK && !are_apart(&source.rules))
        status = moat_refuse(MOAT_E_INVAL, "code->eh_frame has no FDE, or two "
                                           "for the same code");
    if (status == MOAT_OK)
        status = moat_cfi_write(&source.rules, out);
    free(source.rules.cies);
    free(source.rules.fdes);
    return status;
}

/* --- made for plain frames ----------------------------------------------- */

/* Makes the same rules for all of the code: the return address lies just below
 * the CFA, and below it, in a frame record, the frame pointer. */
static moat_status make(const moat_code *code, struct moat_cfi *out)
{
    unsigned char instructions[32];
    struct moat_bytes to = {instructions, 0};
    struct moat_cfi_cie cie = {.lsda_encoding = DW_EH_PE_omit,
                               .code_unit = 1,
                               .data_unit = -(int64_t)sizeof(uintptr_t)};
    struct moat_cfi_fde fde = {.begin = (uintptr_t)code->start,
                               .size = code->size};
    struct moat_cfi_rules rules = {
        .cies = &cie, .fdes = &fde, .cie_count = 1, .fde_count = 1};
    bool record = code->unwind == MOAT_CODE_UNWIND_FP;

    moat_put_byte(&to, DW_CFA_def_cfa);
    moat_put_uleb(&to, record ? MOAT_ARCH_DWARF_FP : MOAT_ARCH_DWARF_SP);
    moat_put_uleb(&to, record ? 2 * sizeof(uintptr_t)
                              : code->frame_bytes + sizeof(uintptr_t));
    moat_put_byte(&to, (unsigned)DW_CFA_offset | MOAT_ARCH_DWARF_PC);
    moat_put_uleb(&to, 1);
    if (record) {
        moat_put_byte(&to, (unsigned)DW_CFA_offset | MOAT_ARCH_DWARF_FP);
        moat_put_uleb(&to, 2);
    }
    cie.instructions = (struct moat_span){instructions, instructions + to.used};
    return moat_cfi_write(&rules, out);
}

moat_status moat_cfi_make(const moat_code *code, struct moat_cfi *out)
{
    memset(out, 0, sizeof *out);
    if (code->unwind == MOAT_CODE_UNWIND_NONE)
        return MOAT_OK;
    return code->unwind == MOAT_CODE_UNWIND_CFI ? rewrite(code, out)
                                                : make(code, out);
}
