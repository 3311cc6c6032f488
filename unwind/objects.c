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

#include "unwind/row.h"
#include "unwind/reader.h"

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

/* The segment that `at` lies in, by the program headers, which stand behind the
 * file's header where its first page is mapped. */
static bool find_segment(uintptr_t map_start, uintptr_t at,
                         struct moat_span *out)
{
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)map_start;
    const ElfW(Phdr) * header;
    uintptr_t bias = 0;
    bool biased = false;

    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 ||
        file->e_phentsize != sizeof *header || file->e_phoff > 4096 ||
        file->e_phoff + file->e_phnum * sizeof *header > 4096)
        return false;
    header = (const ElfW(Phdr) *)(map_start + file->e_phoff);
    for (unsigned i = 0; i < file->e_phnum; i++) {
        if (header[i].p_type != PT_LOAD)
            continue;
        if (!biased)
            bias = map_start - (header[i].p_vaddr & ~(uintptr_t)4095);
        biased = true;
        if (at - (bias + header[i].p_vaddr) < header[i].p_filesz) {
            out->begin = (const unsigned char *)(bias + header[i].p_vaddr);
            out->end = out->begin + header[i].p_filesz;
            return true;
        }
    }
    return false;
}

bool moat_object_find(uintptr_t pc, struct moat_object *out)
{
    struct dl_find_object object;

    if (_dl_find_object((void *)pc, &object) != 0 ||
        object.dlfo_eh_frame == NULL || object.dlfo_link_map == NULL)
        return false;
    out->start = (uintptr_t)object.dlfo_map_start;
    out->end = (uintptr_t)object.dlfo_map_end;
    out->hdr = object.dlfo_eh_frame;
    /* The first of the list, and the only one without a name (dlopen(3)). */
    out->stays = object.dlfo_link_map->l_prev == NULL &&
                 object.dlfo_link_map->l_name[0] == '\0';
    return find_segment(out->start, (uintptr_t)out->hdr, &out->bytes);
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
