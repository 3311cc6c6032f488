/*
 * objects.c: the loaded file that a pc belongs to, and where in its .eh_frame
 * the pc's entry is.
 *
 * Without a lock: _dl_find_object has none. A file may be closed and another
 * take its place between two questions, not while its code is on a stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <link.h>

#include "unwind/reader.h"
#include "unwind/row.h"

/* What all linkers write: a sorted table of two distances from its section's
 * begin, of a code's start and of its entry (LSB Core 5.0, 10.6.2). */
struct hdr {
    uint8_t version, eh_frame_form, count_form, table_form;
    int32_t eh_frame;
    uint32_t count;
};

struct place {
    int32_t start, fde;
};

#define VERSION     1
#define FORM_HERE   0x1b /* 4 bytes, signed, from where it stands         */
#define FORM_COUNT  0x03 /* 4 bytes, unsigned                             */
#define FORM_PLACES 0x3b /* 4 bytes, signed, from the begin of the section */

struct headers {
    const ElfW(Phdr) * first;
    unsigned count;
    uintptr_t bias; /* of addresses in memory */
};

/* The program headers stand behind the file's header, where its first page is
 * mapped. */
static bool find_headers(uintptr_t map_start, struct headers *out)
{
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)map_start;

    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
        file->e_phentsize != sizeof *out->first || file->e_phoff > 4096 ||
        file->e_phoff + file->e_phnum * sizeof *out->first > 4096)
        return false;
    out->first = (const ElfW(Phdr) *)(map_start + file->e_phoff);
    out->count = file->e_phnum;
    for (unsigned i = 0; i < out->count; i++) {
        if (out->first[i].p_type == PT_LOAD) {
            out->bias = map_start - (out->first[i].p_vaddr & ~(uintptr_t)4095);
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

/* The segment that `at` lies in. */
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
        uint32_t name = moat_read_u32(&notes), bytes = moat_read_u32(&notes),
                 type = moat_read_u32(&notes);
        bool found = type == NT_GNU_BUILD_ID && name == 4 &&
                     moat_reader_left(&notes) >= 4 &&
                     memcmp(notes.at, "GNU", 4) == 0;

        moat_reader_skip(&notes, (name + (uint64_t)3) / 4 * 4);
        if (found && bytes <= moat_reader_left(&notes)) {
            for (uint32_t i = 0; i < bytes; i++)
                *out = (*out ^ notes.at[i]) * UINT64_C(0x100000001b3);
            return bytes >= 8;
        }
        moat_reader_skip(&notes, (bytes + (uint64_t)align - 1) / align * align);
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
    const struct place *places = (const struct place *)(hdr + 1);
    size_t room = (size_t)(object->bytes.end - object->hdr), low = 0, high;
    intptr_t wanted = (intptr_t)(pc - (uintptr_t)object->hdr);

    if (room < sizeof *hdr || hdr->version != VERSION ||
        hdr->eh_frame_form != FORM_HERE || hdr->count_form != FORM_COUNT ||
        hdr->table_form != FORM_PLACES ||
        hdr->count > (room - sizeof *hdr) / sizeof *places)
        return NULL;
    high = hdr->count;
    while (low < high) { /* the last one that starts at or before the pc */
        size_t middle = low + (high - low) / 2;

        if (places[middle].start <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? object->hdr + places[low - 1].fde : NULL;
}
