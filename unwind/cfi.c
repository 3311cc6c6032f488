/*
 * cfi.c: brings unwind rules into moat's form.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cfi.h"

#include <stdlib.h>
#include <string.h>

#include "unwind/bytes.h"

enum {
    PE_ABSPTR = 0x00,
    PE_UDATA4 = 0x03,
    PE_UDATA8 = 0x04,
    PE_SDATA4 = 0x0b,
    PE_SDATA8 = 0x0c,
    PE_FORMAT = 0x0f,
    PE_PCREL = 0x10,
    PE_INDIRECT = 0x80,
    PE_OMIT = 0xff
};

enum { DW_RBP = 6, DW_RSP = 7, DW_RA = 16 };

/* What a CIE says, and what its FDEs need of it. */
struct cie {
    size_t place, copy; /* where it begins, from the blob's and ours     */
    bool augmented, interrupted;
    unsigned char code_encoding, lsda_encoding;
    bool has_personality;
    uint64_t personality;
    uint64_t code_unit;
    int64_t data_unit;
    struct moat_cfi_reader instructions;
};

struct fde {
    size_t cie; /* its number */
    uint64_t begin, size, lsda;
    struct moat_cfi_reader instructions;
};

/* The blob as read. */
struct rules {
    const unsigned char *blob;
    uint64_t begin, end; /* of the code */
    struct cie *cies;
    struct fde *fdes;
    size_t cie_count, cie_room, fde_count, fde_room;
};

/* --- writing ------------------------------------------------------------- */

static void end_entry(struct moat_bytes *to, size_t begin)
{
    moat_put_align(to); /* DW_CFA_nop */
    moat_put_end(to, begin);
}

static void put_instructions(struct moat_bytes *to,
                             const struct moat_cfi_reader *instructions)
{
    moat_put(to, instructions->at,
             (size_t)(instructions->end - instructions->at));
}

static void put_cie(struct moat_bytes *to, struct cie *cie)
{
    bool lsda = cie->lsda_encoding != PE_OMIT;

    cie->copy = moat_put_begin(to);
    moat_put_word(to, 0);
    moat_put_byte(to, 1); /* version */
    moat_put(to, "zR", 2);
    moat_put(to, "P", cie->has_personality);
    moat_put(to, "L", lsda);
    moat_put(to, "S", cie->interrupted);
    moat_put_byte(to, 0);
    moat_put_uleb(to, cie->code_unit);
    moat_put_sleb(to, cie->data_unit);
    moat_put_byte(to, DW_RA);
    moat_put_uleb(to, 1u + (cie->has_personality ? 9u : 0u) + (lsda ? 1u : 0u));
    moat_put_byte(to, PE_ABSPTR);
    if (cie->has_personality) {
        moat_put_byte(to, PE_ABSPTR);
        moat_put_address(to, cie->personality);
    }
    if (lsda)
        moat_put_byte(to, PE_ABSPTR);
    put_instructions(to, &cie->instructions);
    end_entry(to, cie->copy);
}

static void put_fde(struct moat_bytes *to, const struct fde *fde,
                    const struct cie *cie)
{
    size_t begin = moat_put_begin(to);

    moat_put_word(to, (uint32_t)(to->used - cie->copy));
    moat_put_address(to, fde->begin);
    moat_put_address(to, fde->size);
    if (cie->lsda_encoding != PE_OMIT) {
        moat_put_uleb(to, sizeof fde->lsda);
        moat_put_address(to, fde->lsda);
    } else {
        moat_put_uleb(to, 0);
    }
    put_instructions(to, &fde->instructions);
    end_entry(to, begin);
}

static void put_rules(struct moat_bytes *to, const struct rules *rules)
{
    for (size_t i = 0; i < rules->cie_count; i++)
        put_cie(to, &rules->cies[i]);
    for (size_t i = 0; i < rules->fde_count; i++)
        put_fde(to, &rules->fdes[i], &rules->cies[rules->fdes[i].cie]);
    moat_put_address(to, 0); /* the terminator */
}

static moat_status write(const struct rules *rules, struct moat_cfi *out)
{
    struct moat_bytes to = {NULL, 0};

    put_rules(&to, rules);
    if (to.used > UINT32_MAX)
        return MOAT_E_INVAL;
    to.to = malloc(to.used);
    if (to.to == NULL)
        return MOAT_E_NOMEM;
    to.used = 0;
    put_rules(&to, rules);
    out->bytes = to.to;
    out->size = to.used;
    return MOAT_OK;
}

/* --- reading ------------------------------------------------------------- */

/* A pointer of this encoding, but for what it is relative to. */
static uint64_t read_plain(struct moat_cfi_reader *reader, unsigned encoding)
{
    switch (encoding & PE_FORMAT) {
    case PE_UDATA4:
        return moat_cfi_read(reader, 4);
    case PE_SDATA4:
        return (uint64_t)(int64_t)(int32_t)moat_cfi_read(reader, 4);
    case PE_ABSPTR:
    case PE_UDATA8:
    case PE_SDATA8:
        return moat_cfi_read(reader, 8);
    default:
        reader->bad = true;
        return 0;
    }
}

/* As libgcc reads it: 0 stays 0, wherever it stands. */
static uint64_t read_pointer(struct moat_cfi_reader *reader, unsigned encoding)
{
    uint64_t place = (uintptr_t)reader->at;
    uint64_t value = read_plain(reader, encoding);

    if ((encoding & ~(unsigned)(PE_FORMAT | PE_PCREL)) != 0)
        reader->bad = true;
    if (value != 0 && (encoding & PE_PCREL) != 0)
        value += place;
    return value;
}

static uint64_t read_personality(struct moat_cfi_reader *reader,
                                 unsigned encoding)
{
    uint64_t value = read_pointer(reader, encoding & ~(unsigned)PE_INDIRECT);

    if ((encoding & PE_INDIRECT) != 0 && value != 0 && !reader->bad)
        memcpy(&value, (const void *)(uintptr_t)value, sizeof value);
    return value;
}

static void read_augmentation(struct moat_cfi_reader *reader, const char *kinds,
                              struct cie *cie)
{
    struct moat_cfi_reader data;
    unsigned encoding;

    if (*kinds == '\0')
        return;
    cie->augmented = *kinds == 'z';
    data = moat_cfi_part(reader, moat_cfi_uleb(reader));
    data.bad |= !cie->augmented;
    for (kinds++; *kinds != '\0' && !data.bad; kinds++) {
        if (*kinds == 'S') {
            cie->interrupted = true;
            continue;
        }
        encoding = (unsigned char)moat_cfi_read(&data, 1);
        if (*kinds == 'R') {
            cie->code_encoding = (unsigned char)encoding;
        } else if (*kinds == 'L') {
            cie->lsda_encoding = (unsigned char)encoding;
        } else if (*kinds != 'P') {
            data.bad = true;
        } else if (encoding != PE_OMIT) {
            cie->personality = read_personality(&data, encoding);
            cie->has_personality = cie->personality != 0;
        }
    }
    reader->bad |= data.bad;
}

/* The string that begins here. */
static const char *read_string(struct moat_cfi_reader *reader)
{
    const char *string = (const char *)reader->at;

    while (moat_cfi_read(reader, 1) != 0)
        continue;
    return reader->bad ? "" : string;
}

static bool read_cie(struct moat_cfi_reader *reader, struct cie *cie)
{
    uint64_t version = moat_cfi_read(reader, 1);
    const char *kinds = read_string(reader);

    cie->lsda_encoding = PE_OMIT;
    cie->code_unit = moat_cfi_uleb(reader);
    cie->data_unit = moat_cfi_sleb(reader);
    if ((version == 1 ? moat_cfi_read(reader, 1) : moat_cfi_uleb(reader)) !=
        DW_RA)
        return false;
    read_augmentation(reader, kinds, cie);
    cie->instructions = *reader;
    return (version == 1 || version == 3) && !reader->bad &&
           moat_cfi_are_instructions(*reader);
}

static bool read_fde(const struct rules *rules, struct moat_cfi_reader *reader,
                     struct fde *fde)
{
    const struct cie *cie = &rules->cies[fde->cie];
    struct moat_cfi_reader data;

    fde->begin = read_pointer(reader, cie->code_encoding);
    fde->size = read_plain(reader, cie->code_encoding);
    if (cie->augmented) {
        data = moat_cfi_part(reader, moat_cfi_uleb(reader));
        if (cie->lsda_encoding != PE_OMIT)
            fde->lsda = read_pointer(&data, cie->lsda_encoding);
        reader->bad |= data.bad;
    }
    fde->instructions = *reader;
    return !reader->bad && fde->begin >= rules->begin && fde->size > 0 &&
           fde->begin < rules->end && fde->size <= rules->end - fde->begin &&
           moat_cfi_are_instructions(*reader);
}

/* One more at the end, of zeros; NULL: no memory. */
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

static moat_status add_cie(struct rules *rules, size_t place,
                           struct moat_cfi_reader *body)
{
    void *array = rules->cies;
    struct cie *cie =
        extend(&array, &rules->cie_count, &rules->cie_room, sizeof *cie);

    rules->cies = array;
    if (cie == NULL)
        return MOAT_E_NOMEM;
    cie->place = place;
    return read_cie(body, cie) ? MOAT_OK : MOAT_E_INVAL;
}

/* Its number, or how many there are. They come in ascending order. */
static size_t cie_at(const struct rules *rules, size_t place)
{
    size_t low = 0, high = rules->cie_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rules->cies[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rules->cie_count && rules->cies[low].place == place
               ? low
               : rules->cie_count;
}

static moat_status add_fde(struct rules *rules, size_t cie_place,
                           struct moat_cfi_reader *body)
{
    void *array = rules->fdes;
    struct fde *fde =
        extend(&array, &rules->fde_count, &rules->fde_room, sizeof *fde);

    rules->fdes = array;
    if (fde == NULL)
        return MOAT_E_NOMEM;
    fde->cie = cie_at(rules, cie_place);
    if (fde->cie == rules->cie_count)
        return MOAT_E_INVAL;
    return read_fde(rules, body, fde) ? MOAT_OK : MOAT_E_INVAL;
}

/* The next entry; *more: is there another? */
static moat_status read_entry(struct rules *rules,
                              struct moat_cfi_reader *reader, bool *more)
{
    size_t place = (size_t)(reader->at - rules->blob);
    uint64_t length = moat_cfi_read(reader, 4);
    struct moat_cfi_reader body = moat_cfi_part(reader, length);
    size_t id_place = (size_t)(body.at - rules->blob);
    uint64_t to_cie;

    *more = false;
    if (reader->bad)
        return MOAT_E_INVAL;
    if (length == 0)
        return MOAT_OK;
    *more = reader->at < reader->end;
    to_cie = moat_cfi_read(&body, 4);
    if (body.bad || to_cie > id_place)
        return MOAT_E_INVAL;
    return to_cie == 0 ? add_cie(rules, place, &body)
                       : add_fde(rules, id_place - to_cie, &body);
}

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct fde *)a)->begin;
    uint64_t right = ((const struct fde *)b)->begin;

    return (left > right) - (left < right);
}

/* Sorts them; false: some share code, or there is none. */
static bool are_apart(struct rules *rules)
{
    const struct fde *fdes = rules->fdes;

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
    struct moat_cfi_reader reader = {code->eh_frame, code->eh_frame, false};
    struct rules rules = {.blob = code->eh_frame,
                          .begin = (uintptr_t)code->start,
                          .end = (uintptr_t)code->start + code->size};
    moat_status status = MOAT_OK;
    bool more = true;

    reader.end += code->eh_frame_bytes;
    while (status == MOAT_OK && more)
        status = read_entry(&rules, &reader, &more);
    if (status == MOAT_OK && !are_apart(&rules))
        status = MOAT_E_INVAL;
    if (status == MOAT_OK)
        status = write(&rules, out);
    free(rules.cies);
    free(rules.fdes);
    return status;
}

/* --- made for plain frames ----------------------------------------------- */

/* The same rules for all of the code. */
static moat_status make(const moat_code *code, struct moat_cfi *out)
{
    unsigned char instructions[32];
    struct moat_bytes to = {instructions, 0};
    struct cie cie = {
        .lsda_encoding = PE_OMIT, .code_unit = 1, .data_unit = -8};
    struct fde fde = {.begin = (uintptr_t)code->start, .size = code->size};
    struct rules rules = {
        .cies = &cie, .fdes = &fde, .cie_count = 1, .fde_count = 1};
    bool record = code->unwind == MOAT_CODE_UNWIND_FP;

    moat_put_byte(&to, 0x0c); /* DW_CFA_def_cfa */
    moat_put_uleb(&to, record ? DW_RBP : DW_RSP);
    moat_put_uleb(&to, record ? 16 : code->frame_bytes + 8);
    moat_put_byte(&to, 0x80 | DW_RA); /* DW_CFA_offset: just below the CFA */
    moat_put_uleb(&to, 1);
    if (record) {
        moat_put_byte(&to, 0x80 | DW_RBP);
        moat_put_uleb(&to, 2);
    }
    cie.instructions.at = instructions;
    cie.instructions.end = instructions + to.used;
    return write(&rules, out);
}

moat_status moat_cfi_make(const moat_code *code, struct moat_cfi *out)
{
    memset(out, 0, sizeof *out);
    switch (code->unwind) {
    case MOAT_CODE_UNWIND_CFI:
        return rewrite(code, out);
    case MOAT_CODE_UNWIND_FP:
    case MOAT_CODE_UNWIND_FIXED:
        return make(code, out);
    default:
        return MOAT_OK;
    }
}

/* --- moat's form --------------------------------------------------------- */

static const struct moat_fde *behind(const struct moat_fde *entry)
{
    const void *next = (const char *)&entry->to_cie + entry->length;

    return next;
}

static const struct moat_fde *skip_cies(const struct moat_fde *entry)
{
    while (entry->length != 0 && entry->to_cie == 0)
        entry = behind(entry);
    return entry->length != 0 ? entry : NULL;
}

const struct moat_fde *moat_cfi_first(const void *bytes)
{
    return bytes != NULL ? skip_cies(bytes) : NULL;
}

const struct moat_fde *moat_cfi_next(const struct moat_fde *fde)
{
    return skip_cies(behind(fde));
}
