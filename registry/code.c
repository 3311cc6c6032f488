/*
 * code.c: registered code: its copies, its lookups by address, its lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "registry/code.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "registry/grace.h"
#include "sys/copy.h"
#include "sys/refusal.h"
#include "sys/size.h"

#define MAX_FRAME_BYTES    ((size_t)1 << 30)
#define MAX_EH_FRAME_BYTES ((size_t)1 << 28)

static struct moat_registry codes;

pthread_mutex_t moat_codes_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- readers ------------------------------------------------------------- */

static const moat_code *code_at(uintptr_t pc)
{
    const struct moat_registered *code =
        (const struct moat_registered *)moat_registry_at(&codes, pc);

    return code != NULL ? &code->copy : NULL;
}

bool moat_codes_cover(uintptr_t pc)
{
    moat_code code;

    return moat_codes_describe(pc, &code);
}

bool moat_codes_enter(void)
{
    return moat_ranges_any(&codes.ranges) && moat_grace_enter();
}

bool moat_codes_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    bool entered = moat_grace_enter();
    const moat_code *code = code_at(pc);
    bool named = code != NULL && code->name != NULL;

    if (named) {
        moat_copy_text(name, size, code->name);
        *offset = pc - (uintptr_t)code->start;
    }
    if (entered)
        moat_grace_leave();
    return named;
}

/* Returns the line of the code at the offset; 0: none. */
static uint32_t line_at(const moat_code *code, size_t offset)
{
    size_t low = 0, high = code->line_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (code->lines[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? code->lines[low - 1].line : 0;
}

bool moat_codes_line(uintptr_t pc, char *file, size_t size, uint32_t *line)
{
    bool entered = moat_grace_enter();
    const moat_code *code = code_at(pc);
    uint32_t found =
        code != NULL ? line_at(code, pc - (uintptr_t)code->start) : 0;

    if (found != 0) {
        moat_copy_text(file, size, code->file);
        *line = found;
    }
    if (entered)
        moat_grace_leave();
    return found != 0;
}

bool moat_codes_describe(uintptr_t pc, moat_code *out)
{
    const moat_code *code;
    bool entered, found;

    if (!moat_ranges_any(&codes.ranges))
        return false;
    entered = moat_grace_enter();
    code = code_at(pc);
    found = code != NULL;
    memset(out, 0, sizeof *out);
    if (found) {
        *out = *code;
        out->name = out->file = NULL;
        out->lines = NULL;
        out->line_count = 0;
    }
    if (entered)
        moat_grace_leave();
    return found;
}

/* --- writers ------------------------------------------------------------- */

/* Returns whether both ends can be addresses, in the same half of the address
 * space. */
static bool is_one_piece(uintptr_t begin, size_t bytes)
{
    size_t end;

    return bytes != 0 && bytes <= PTRDIFF_MAX &&
           moat_size_add(begin, bytes, &end) && moat_arch_is_canonical(begin) &&
           moat_arch_is_canonical(end - 1);
}

static bool is_unwindable(const moat_code *asked)
{
    bool described = asked->eh_frame != NULL && asked->eh_frame_bytes != 0;
    bool plain = asked->eh_frame == NULL && asked->eh_frame_bytes == 0;

    switch (asked->unwind) {
    case MOAT_CODE_UNWIND_NONE:
    case MOAT_CODE_UNWIND_FP:
        return plain && asked->frame_bytes == 0;
    case MOAT_CODE_UNWIND_FIXED:
        return plain && asked->frame_bytes % sizeof(uintptr_t) == 0 &&
               asked->frame_bytes < MAX_FRAME_BYTES;
    case MOAT_CODE_UNWIND_CFI:
        return described && asked->frame_bytes == 0 &&
               asked->eh_frame_bytes <= MAX_EH_FRAME_BYTES;
    default:
        return false;
    }
}

/* There is at most one line for each byte. */
static bool may_have_lines(const moat_code *asked)
{
    if (asked->line_count == 0)
        return asked->lines == NULL;
    return asked->lines != NULL && asked->file != NULL &&
           asked->line_count <= asked->size &&
           asked->line_count <= SIZE_MAX / 2 / sizeof *asked->lines;
}

moat_status moat_codes_check(const moat_code *asked)
{
    if (asked->start == NULL ||
        !is_one_piece((uintptr_t)asked->start, asked->size))
        return moat_refuse_values(
            MOAT_E_INVAL,
            "code->start is %x and size %u: no range of addresses",
            (uintptr_t)asked->start, asked->size);
    if (!is_unwindable(asked))
        return moat_refuse_values(
            MOAT_E_INVAL,
            "code->unwind is %u, frame_bytes %u: eh_frame is for _CFI alone, "
            "frame_bytes for _FIXED alone, in words",
            asked->unwind, asked->frame_bytes);
    if (!MOAT_ARCH_KNOWS_REGISTERS && asked->unwind == MOAT_CODE_UNWIND_CFI)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "code->unwind is MOAT_CODE_UNWIND_CFI: without a "
                           "port to this CPU its registers are not known");
    if (!may_have_lines(asked))
        return moat_refuse_values(
            MOAT_E_INVAL,
            "code->line_count is %u of %u bytes: lines and file go together, "
            "and at most one line with a byte",
            asked->line_count, asked->size);
    if (asked->flags != 0)
        return moat_refuse_value(
            MOAT_E_INVAL, "code->flags is %x: it must be 0", asked->flags);
    return MOAT_OK;
}

static bool are_lines_of(const moat_code *code)
{
    for (size_t i = 0; i < code->line_count; i++) {
        if (code->lines[i].offset >= code->size ||
            (i > 0 && code->lines[i].offset <= code->lines[i - 1].offset))
            return false;
    }
    return true;
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Returns the copy; NULL: there is nothing to copy. */
static const void *append(unsigned char **to, const void *from, size_t bytes)
{
    unsigned char *copy = *to;

    if (bytes == 0)
        return NULL;
    memcpy(copy, from, bytes);
    *to += bytes;
    return copy;
}

/* The text is terminated where it ended when it was measured, even if another
 * thread has changed it since. */
static const char *append_text(unsigned char **to, const char *from,
                               size_t bytes)
{
    const char *copy = append(to, from, bytes);

    if (bytes > 0)
        (*to)[-1] = '\0';
    return copy;
}

/* Copies in the order of alignment. Returns the end of the copies. */
static unsigned char *copy_all(struct moat_registered *made,
                               const moat_code *asked, size_t name_bytes,
                               size_t file_bytes)
{
    unsigned char *to = (unsigned char *)made->copies;
    moat_code *copy = &made->copy;

    *copy = *asked;
    copy->eh_frame = append(&to, asked->eh_frame, asked->eh_frame_bytes);
    copy->lines =
        append(&to, asked->lines, asked->line_count * sizeof *asked->lines);
    copy->name = append_text(&to, asked->name, name_bytes);
    copy->file = append_text(&to, asked->file, file_bytes);
    return to;
}

/* Rounds up to whole words. */
static size_t to_words(size_t bytes)
{
    return (bytes + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
}

moat_status moat_codes_make(const moat_code *asked, size_t room,
                            struct moat_registered **out)
{
    uintptr_t begin = (uintptr_t)asked->start;
    size_t name_bytes = text_bytes(asked->name);
    size_t file_bytes = text_bytes(asked->file);
    size_t bytes = asked->eh_frame_bytes + name_bytes + file_bytes;
    struct moat_registered *made;

    if (!moat_size_add(bytes, asked->line_count * sizeof *asked->lines,
                       &bytes) ||
        !moat_size_add(bytes, sizeof *made + sizeof(uint64_t), &bytes) ||
        !moat_size_add(bytes, room, &bytes))
        return MOAT_E_NOMEM;
    made = malloc(bytes);
    if (made == NULL)
        return MOAT_E_NOMEM;
    made->entry.range.begin = begin;
    made->entry.range.end = begin + asked->size;
    made->room = (void *)to_words(
        (uintptr_t)copy_all(made, asked, name_bytes, file_bytes));
    if (!are_lines_of(&made->copy)) {
        free(made);
        return moat_refuse(MOAT_E_INVAL,
                           "code->lines: offsets must ascend and be less than "
                           "code->size");
    }
    *out = made;
    return MOAT_OK;
}

moat_status moat_codes_prepare(const struct moat_registered *code)
{
    moat_status status;

    moat_lock(&moat_ranges_lock);
    status = moat_registry_prepare(&codes, &code->entry);
    moat_unlock(&moat_ranges_lock);
    return status;
}

moat_status moat_codes_add(struct moat_registered *code, moat_code_id *out)
{
    moat_status status;

    moat_lock(&moat_ranges_lock);
    status = moat_registry_prepare(&codes, &code->entry);
    if (status == MOAT_OK)
        *out = moat_registry_add(&codes, &code->entry);
    moat_unlock(&moat_ranges_lock);
    return status;
}

struct moat_registered *moat_codes_named(moat_code_id id)
{
    return (struct moat_registered *)moat_registry_named(&codes, id);
}

void moat_codes_remove(struct moat_registered *code)
{
    moat_lock(&moat_ranges_lock);
    moat_registry_remove(&codes, &code->entry);
    moat_unlock(&moat_ranges_lock);
}
