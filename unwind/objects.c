/*
 * objects.c: finds the loaded file of a pc, and in its .eh_frame the pc's FDE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/objects.h"

#include <dlfcn.h>
#include <link.h>

#include "sys/size.h"
#include "unwind/dwarf.h"
#include "unwind/eh_frame.h"

/* .eh_frame_hdr as all linkers write it: a table of FDEs, sorted by the start
 * of their code. Both are distances from the header (LSB Core 5.0,
 * 10.6.2). */
struct hdr {
    uint8_t version, eh_frame_encoding, count_encoding, table_encoding;
    int32_t eh_frame;
    uint32_t count;
};

struct hdr_row {
    int32_t start, fde;
};

#define VERSION           1
#define EH_FRAME_ENCODING (DW_EH_PE_sdata4 | DW_EH_PE_pcrel)
#define COUNT_ENCODING    DW_EH_PE_udata4
#define TABLE_ENCODING    (DW_EH_PE_sdata4 | DW_EH_PE_datarel)

struct headers {
    const ElfW(Phdr) * first;
    unsigned count;
    uintptr_t bias; /* of addresses in memory */
};

/* The program headers follow the file's header, in its first page. */
static bool find_headers(uintptr_t map_start, struct headers *out)
{
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)map_start;
    size_t page = moat_page_bytes();

    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
        file->e_phentsize != sizeof *out->first || file->e_phoff > page ||
        file->e_phoff + file->e_phnum * sizeof *out->first > page)
        return false;
    out->first = (const ElfW(Phdr) *)(map_start + file->e_phoff);
    out->count = file->e_phnum;
    for (unsigned i = 0; i < out->count; i++) {
        if (out->first[i].p_type == PT_LOAD) {
            out->bias = map_start - moat_page_of(out->first[i].p_vaddr);
            return true;
        }
    }
    return false;
}

static struct moat_span span_of(const struct headers *headers,
                                const ElfW(Phdr) * header)
{
    const unsigned char *begin =
        (const unsigned char *)(headers->bias + header->p_vaddr);

    return (struct moat_span){begin, begin + header->p_filesz};
}

/* Finds the segment that `at` lies in. */
static bool find_segment(const struct headers *headers, uintptr_t at,
                         struct moat_span *out)
{
    for (unsigned i = 0; i < headers->count; i++) {
        if (headers->first[i].p_type != PT_LOAD)
            continue;
        *out = span_of(headers, &headers->first[i]);
        if (at - (uintptr_t)out->begin < (size_t)(out->end - out->begin))
            return true;
    }
    return false;
}

bool moat_object_find(uintptr_t pc, struct moat_object *out)
{
    struct dl_find_object object;
    struct headers headers;

    if (_dl_find_object((void *)pc, &object) != 0 ||
        object.dlfo_eh_frame == NULL || object.dlfo_link_map == NULL)
        return false;
    out->start = (uintptr_t)object.dlfo_map_start;
    out->end = (uintptr_t)object.dlfo_map_end;
    out->hdr = object.dlfo_eh_frame;
    /* The first of the list, and the only one without a name (dlopen(3)). */
    out->stays = object.dlfo_link_map->l_prev == NULL &&
                 object.dlfo_link_map->l_name[0] == '\0';
    return find_headers(out->start, &headers) &&
           find_segment(&headers, (uintptr_t)out->hdr, &out->bytes);
}

/* {bytes of the name, of the description, type}, the name, the description */
static bool read_build_id(struct moat_reader notes, size_t align, uint64_t *out)
{
    while (moat_reader_left(&notes) > 0) {
        uint64_t name = moat_read(&notes, 4), bytes = moat_read(&notes, 4),
                 type = moat_read(&notes, 4);
        bool found = type == NT_GNU_BUILD_ID && name == 4 &&
                     moat_reader_left(&notes) >= 4 &&
                     memcmp(notes.at, "GNU", 4) == 0;

        moat_reader_skip(&notes, (name + 3) / 4 * 4);
        if (found && bytes <= moat_reader_left(&notes)) {
            for (uint64_t i = 0; i < bytes; i++)
                *out = (*out ^ notes.at[i]) * UINT64_C(0x100000001b3);
            return bytes >= 8;
        }
        moat_reader_skip(&notes, (bytes + align - 1) / align * align);
    }
    return false;
}

bool moat_object_identity(uintptr_t pc, uint64_t *out)
{
    struct dl_find_object object;
    struct headers headers;

    if (_dl_find_object((void *)pc, &object) != 0 ||
        !find_headers((uintptr_t)object.dlfo_map_start, &headers))
        return false;
    *out = (uintptr_t)object.dlfo_map_start;
    for (unsigned i = 0; i < headers.count; i++) {
        const ElfW(Phdr) *header = &headers.first[i];
        struct moat_span span = span_of(&headers, header);

        if (header->p_type == PT_NOTE &&
            read_build_id((struct moat_reader){span.begin, span.end, false},
                          header->p_align == 8 ? 8 : 4, out)) {
            *out |= 1;
            return true;
        }
    }
    return false;
}

const unsigned char *moat_object_fde(const struct moat_object *object,
                                     uintptr_t pc)
{
    const struct hdr *hdr = (const struct hdr *)(const void *)object->hdr;
    const struct hdr_row *rows = (const struct hdr_row *)(hdr + 1);
    size_t room = (size_t)(object->bytes.end - object->hdr), low = 0, high;
    intptr_t wanted = (intptr_t)(pc - (uintptr_t)object->hdr);

    if (room < sizeof *hdr || hdr->version != VERSION ||
        hdr->eh_frame_encoding != EH_FRAME_ENCODING ||
        hdr->count_encoding != COUNT_ENCODING ||
        hdr->table_encoding != TABLE_ENCODING ||
        hdr->count > (room - sizeof *hdr) / sizeof *rows)
        return NULL;
    high = hdr->count;
    while (low < high) { /* the last that starts at or before pc */
        size_t middle = low + (high - low) / 2;

        if (rows[middle].start <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? object->hdr + rows[low - 1].fde : NULL;
}

bool moat_unwind_procedure(uintptr_t pc, uintptr_t *start, uintptr_t *end)
{
    struct moat_object object;
    struct moat_eh_fde entry;
    const unsigned char *fde;

    if (!moat_object_find(pc, &object))
        return false;
    fde = moat_object_fde(&object, pc);
    if (fde == NULL || !moat_eh_read(&object.bytes, fde, &entry) ||
        pc - entry.start >= entry.bytes)
        return false;
    *start = entry.start;
    *end = entry.start + entry.bytes;
    return true;
}
