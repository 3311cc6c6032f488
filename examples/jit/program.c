/*
 * program.c: maps memory for code and arrays, and registers the code with moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES ((size_t)4096)

/* The reach of a 32-bit index. It takes address space, not memory. */
#define REACH_BYTES (((size_t)1 << 32) * sizeof(int64_t))

/* --- arrays -------------------------------------------------------------- */

static size_t array_bytes(const struct array *array)
{
    return (array->count * sizeof(int64_t) + PAGE_BYTES - 1) &
           ~(PAGE_BYTES - 1);
}

/* Memory without access begins right after the last element. */
static bool map_array(struct array *array)
{
    size_t bytes = array_bytes(array);
    unsigned char *memory =
        mmap(NULL, bytes + REACH_BYTES, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    array->elements = (int64_t *)(void *)(memory + bytes) - array->count;
    return mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0;
}

static void unmap_array(struct array *array)
{
    size_t bytes = array_bytes(array);
    unsigned char *end = (unsigned char *)(array->elements + array->count);

    if (array->elements != NULL)
        (void)munmap(end - bytes, bytes + REACH_BYTES);
}

struct element program_element_at(const struct program *program,
                                  uintptr_t address)
{
    struct element found = {NULL, 0};

    for (unsigned i = 0; i < program->script.array_count; i++) {
        const struct array *array = &program->script.arrays[i];
        uintptr_t distance = address - (uintptr_t)array->elements;

        if (distance < REACH_BYTES) {
            found.array = array;
            found.index = distance / sizeof(int64_t);
        }
    }
    return found;
}

/* --- code ---------------------------------------------------------------- */

static bool map_code(struct program *program, struct emitter *e)
{
    void *memory = mmap(NULL, e->code.used, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    program->code = memory;
    program->code_bytes = e->code.used;
    memcpy(memory, e->code.at, e->code.used);
    emit_place(e, memory);
    memcpy(&program->entry, &memory, sizeof program->entry);
    return mprotect(memory, e->code.used, PROT_READ | PROT_EXEC) == 0;
}

static moat_status register_piece(struct program *program,
                                  const struct emitter *e,
                                  const struct piece *piece, const char *file)
{
    moat_code code = MOAT_CODE_INIT;

    code.start = program->code + piece->start;
    code.size = piece->size;
    code.name = piece->name;
    code.file = file;
    code.lines = (const moat_code_line *)(void *)e->lines.at + piece->line;
    code.line_count = piece->lines;
    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = e->eh_frame.at + piece->frame;
    code.eh_frame_bytes = piece->frames;
    return moat_code_register(&code, &program->ids[program->id_count]);
}

/* Returns NULL, or the reason of a failure. */
static const char *install(struct program *program, struct emitter *e,
                           const char *file)
{
    size_t count;
    const struct piece *pieces = emit_pieces(e, &count);

    program->ids = calloc(count, sizeof *program->ids);
    if (program->ids == NULL || !map_code(program, e))
        return "out of memory";
    for (; program->id_count < count; program->id_count++) {
        moat_status status =
            register_piece(program, e, &pieces[program->id_count], file);

        if (status != MOAT_OK)
            return moat_status_str(status);
    }
    return NULL;
}

static const char *build(struct program *program, const char *file,
                         compile_printer *print)
{
    struct script *script = &program->script;
    const struct runtime runtime = {print, &program->generators};
    struct emitter e;
    const char *failure = "out of memory";

    for (unsigned i = 0; i < script->array_count; i++)
        if (!map_array(&script->arrays[i]))
            return failure;
    emit_begin(&e);
    if (compile_script(&e, script, &runtime))
        failure = install(program, &e, file);
    emit_end(&e);
    return failure;
}

bool program_load(struct program *out, const char *file, const char *text,
                  compile_printer *print, struct parse_error *error)
{
    const char *failure;

    memset(out, 0, sizeof *out);
    if (!script_parse(&out->script, text, error))
        return false;
    failure = build(out, file, print);
    if (failure == NULL)
        return true;
    error->line = 0;
    (void)snprintf(error->text, sizeof error->text, "%s", failure);
    program_unload(out);
    return false;
}

void program_unload(struct program *program)
{
    generators_free(&program->generators);
    for (size_t i = 0; i < program->id_count; i++)
        (void)moat_code_unregister(program->ids[i]);
    free(program->ids);
    if (program->code != NULL)
        (void)munmap(program->code, program->code_bytes);
    for (unsigned i = 0; i < program->script.array_count; i++)
        unmap_array(&program->script.arrays[i]);
    script_free(&program->script);
}
