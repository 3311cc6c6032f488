/*
 * jit.c: a very small code generator.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jit.h"

#include <string.h>
#include <sys/mman.h>

#include "../support/fixture.h"

#define PAGE ((size_t)4096)

void jit_begin(struct jit *jit)
{
    jit->code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(jit->code != MAP_FAILED);
    jit->used = 0;
    jit->id = 0;
}

void jit_bytes(struct jit *jit, const void *bytes, size_t count)
{
    REQUIRE(jit->used + count <= PAGE);
    memcpy(jit->code + jit->used, bytes, count);
    jit->used += count;
}

void jit_call(struct jit *jit, uintptr_t callee)
{
    static const unsigned char before[] = {
        0x57,       /* push %rdi        */
        0x48, 0xb8, /* movabs ..., %rax */
    };
    static const unsigned char after[] = {
        0xff, 0xd0, /* call *%rax       */
        0x5f,       /* pop %rdi         */
    };

    jit_bytes(jit, before, sizeof(before));
    jit_bytes(jit, &callee, sizeof(callee));
    jit_bytes(jit, after, sizeof(after));
}

void jit_write_null(struct jit *jit)
{
    /* movl $1, 0 */
    static const unsigned char code[] = {0xc7, 0x04, 0x25, 0, 0, 0,
                                         0,    1,    0,    0, 0};

    jit_bytes(jit, code, sizeof(code));
}

void jit_loop(struct jit *jit)
{
    jit_bytes(jit, "\xf3\x90\xeb\xfc", 4); /* pause; jmp to it */
}

void jit_return(struct jit *jit)
{
    jit_bytes(jit, "\x48\x89\xf8\xc3", 4); /* mov %rdi, %rax; ret */
}

jit_function jit_end(struct jit *jit)
{
    void *code = jit->code;
    jit_function function;

    REQUIRE(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
    memcpy(&function, &code, sizeof(function));
    return function;
}

void jit_register(struct jit *jit, const char *name)
{
    jit_register_unwindable(jit, name, MOAT_CODE_UNWIND_NONE, 0);
}

void jit_register_unwindable(struct jit *jit, const char *name,
                             moat_code_unwind unwind, size_t frame_bytes)
{
    moat_code code = MOAT_CODE_INIT;

    code.start = jit->code;
    code.size = jit->used;
    code.name = name;
    code.unwind = unwind;
    code.frame_bytes = frame_bytes;
    REQUIRE(moat_code_register(&code, &jit->id) == MOAT_OK);
}

void jit_free(struct jit *jit)
{
    if (jit->id != 0)
        EXPECT_EQ(moat_code_unregister(jit->id), MOAT_OK);
    (void)munmap(jit->code, PAGE);
}
