/*
 * eh_frame.c: unwind rules in the form in which a JIT compiler registers them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eh_frame.h"

#include <string.h>

static void put(struct eh_frame *eh, const void *bytes, size_t count)
{
    memcpy(eh->bytes + eh->used, bytes, count);
    eh->used += count;
}

static void put_word(struct eh_frame *eh, uint32_t word)
{
    put(eh, &word, sizeof word);
}

static void end(struct eh_frame *eh, size_t begin)
{
    uint32_t length;

    while (eh->used % 4 != 0)
        eh->bytes[eh->used++] = 0;
    length = (uint32_t)(eh->used - begin - sizeof length);
    memcpy(eh->bytes + begin, &length, sizeof length);
}

void eh_cie(struct eh_frame *eh, unsigned char encoding)
{
    static const unsigned char before[] = {
        1, 'z', 'R', 0, 1, 0x78, 0x10, 1}; /* version ... size */
    static const unsigned char behind[] = {0x0c, 7, 8, 0x90, 1};

    eh->cie = eh->used;
    eh->encoding = encoding;
    put_word(eh, 0);
    put_word(eh, 0);
    put(eh, before, sizeof before);
    put(eh, &encoding, 1);
    put(eh, behind, sizeof behind);
    end(eh, eh->cie);
}

void eh_fde(struct eh_frame *eh, const void *start, size_t size,
            const void *instructions, size_t count)
{
    uint64_t begin = (uintptr_t)start, bytes = size;
    size_t width = eh->encoding == EH_ABSPTR ? 8 : 4;

    eh->fde = eh->used;
    put_word(eh, 0);
    eh->to_cie = eh->used;
    put_word(eh, (uint32_t)(eh->used - eh->cie));
    eh->begin = eh->used;
    if (eh->encoding == EH_PCREL_SDATA4)
        begin -= (uintptr_t)(eh->bytes + eh->used);
    put(eh, &begin, width);
    put(eh, &bytes, width);
    eh->bytes[eh->used++] = 0; /* length of augmentation data */
    put(eh, instructions, count);
    end(eh, eh->fde);
}
