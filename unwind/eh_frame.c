/*
 * eh_frame.c: reads entries of a section .eh_frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/eh_frame.h"

#include "arch/arch.h"
#include "unwind/dwarf.h"

/* Returns the contents of the entry at `at`, after its length. */
static struct moat_reader open_entry(const struct moat_span *bytes,
                                     const unsigned char *at)
{
    struct moat_reader entry = {at, bytes->end, false};
    uint64_t length;

    if (at < bytes->begin || at > bytes->end)
        entry = (struct moat_reader){bytes->end, bytes->end, true};
    length = moat_read(&entry, 4);
    /* 0 ends a section; all ones begin a form for four gigabytes and more. */
    if (length == 0 || length > moat_reader_left(&entry))
        moat_reader_spoil(&entry);
    else
        entry.end = entry.at + length;
    return entry;
}

uint64_t moat_eh_read_format(struct moat_reader *reader, unsigned encoding)
{
    switch (encoding & DW_EH_PE_format_mask) {
    case DW_EH_PE_udata2:
        return moat_read(reader, 2);
    case DW_EH_PE_udata4:
        return moat_read(reader, 4);
    case DW_EH_PE_sdata2:
        return (uint64_t)(int16_t)moat_read(reader, 2);
    case DW_EH_PE_sdata4:
        return (uint64_t)(int32_t)moat_read(reader, 4);
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        return moat_read(reader, 8);
    default:
        moat_reader_spoil(reader);
        return 0;
    }
}

uintptr_t moat_eh_read_pointer(struct moat_reader *reader, unsigned encoding)
{
    uintptr_t here = (uintptr_t)reader->at;
    uint64_t value = moat_eh_read_format(reader, encoding);

    if ((encoding & DW_EH_PE_base_mask) == DW_EH_PE_pcrel)
        return here + value;
    if ((encoding & DW_EH_PE_base_mask) != DW_EH_PE_absptr)
        moat_reader_spoil(reader);
    return value;
}

/* Reads what the letters after 'z' stand for; each has data of its own. */
static void read_augmentation(struct moat_reader *entry, const char *letters,
                              struct moat_eh_cie *out)
{
    uint64_t bytes = moat_read_uleb(entry);
    struct moat_reader data = moat_reader_part(entry, bytes);

    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'R':
            out->pointer_encoding = moat_read_u8(&data);
            break;
        case 'P':
            out->personality_encoding = moat_read_u8(&data);
            out->personality = data;
            if (out->personality_encoding != DW_EH_PE_omit)
                (void)moat_eh_read_format(&data, out->personality_encoding);
            break;
        case 'L':
            out->lsda_encoding = moat_read_u8(&data);
            break;
        case 'S':
            out->signal_frame = true;
            break;
        default: /* 'B' is another CPU's */
            moat_reader_spoil(entry);
            return;
        }
    }
    if (data.bad)
        moat_reader_spoil(entry);
}

bool moat_eh_read_cie(struct moat_reader entry, struct moat_eh_cie *out)
{
    uint8_t version = moat_read_u8(&entry);
    const char *letters = (const char *)entry.at;
    size_t room = moat_reader_left(&entry), length = strnlen(letters, room);
    uint64_t pc_register;

    if (entry.bad || length == room || (version != 1 && version != 3) ||
        (letters[0] != 'z' && letters[0] != '\0'))
        return false;
    moat_reader_skip(&entry, length + 1);
    *out = (struct moat_eh_cie){.pointer_encoding = DW_EH_PE_absptr,
                                .lsda_encoding = DW_EH_PE_omit,
                                .personality_encoding = DW_EH_PE_omit,
                                .augmented = letters[0] == 'z'};
    out->code_unit = moat_read_uleb(&entry);
    out->data_unit = moat_read_sleb(&entry);
    pc_register = version == 1 ? moat_read_u8(&entry) : moat_read_uleb(&entry);
    if (out->augmented)
        read_augmentation(&entry, letters + 1, out);
    out->program = entry;
    return !entry.bad && pc_register == MOAT_ARCH_DWARF_PC;
}

static bool read_cie_at(const struct moat_span *bytes, const unsigned char *at,
                        struct moat_eh_cie *out)
{
    struct moat_reader entry = open_entry(bytes, at);

    return moat_read(&entry, 4) == 0 && !entry.bad &&
           moat_eh_read_cie(entry, out);
}

/* The CIE is found by its distance back from the field that names it. */
static const unsigned char *find_cie(const struct moat_span *bytes,
                                     struct moat_reader *entry)
{
    const unsigned char *here = entry->at;
    uint64_t back = moat_read(entry, 4);

    if (entry->bad || back == 0 || back > (size_t)(here - bytes->begin))
        return NULL;
    return here - back;
}

bool moat_eh_read(const struct moat_span *bytes, const unsigned char *at,
                  struct moat_eh_fde *out)
{
    struct moat_reader entry = open_entry(bytes, at);
    const unsigned char *cie = find_cie(bytes, &entry);

    if (cie == NULL || !read_cie_at(bytes, cie, &out->cie))
        return false;
    out->start = moat_eh_read_pointer(&entry, out->cie.pointer_encoding);
    out->bytes = moat_eh_read_format(&entry, out->cie.pointer_encoding);
    if (out->cie.augmented)
        moat_reader_skip(&entry, moat_read_uleb(&entry));
    out->program = entry;
    return !entry.bad;
}

const unsigned char *moat_eh_next(const struct moat_span *bytes,
                                  const unsigned char *at)
{
    struct moat_reader entry = open_entry(bytes, at);

    return entry.bad ? NULL : entry.end;
}

/* --- fingerprints -------------------------------------------------------- */

/* The sum of all words, each times an odd factor of its own: a change of one
 * word always changes the sum, and the products do not wait for each other. */
#define FIRST_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define NEXT_FACTOR  UINT64_C(0xd6e8feb86659fd92)

struct sum {
    uint64_t value, factor;
};

static void add_bytes(struct sum *sum, const unsigned char *at,
                      const unsigned char *end)
{
    uint64_t word;

    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        sum->value += word * sum->factor;
        sum->factor += NEXT_FACTOR;
    }
    word = (uint64_t)(end - at);
    for (; at < end; at++)
        word = word << 8 | *at;
    sum->value += word * sum->factor;
    sum->factor += NEXT_FACTOR;
}

bool moat_eh_fingerprint(const struct moat_span *bytes, const unsigned char *at,
                         uint64_t *out)
{
    struct moat_reader own = open_entry(bytes, at), common;
    struct sum sum = {0, FIRST_FACTOR};
    const unsigned char *begin = own.at;
    const unsigned char *cie = find_cie(bytes, &own);

    if (cie == NULL)
        return false;
    common = open_entry(bytes, cie);
    if (common.bad)
        return false;
    add_bytes(&sum, begin, own.end);
    add_bytes(&sum, common.at, common.end);
    *out = sum.value;
    return true;
}
