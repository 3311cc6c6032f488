/*
 * lock_functions.S: the addresses of the functions of lock_functions.h.
 *
 * The references are weak: a static program has those functions that it uses,
 * and gets no others. In C, link-time optimisation would merge them with the
 * program's own references and make these weak, too; and a compiler that knows
 * malloc does not let it be declared anew. Assembler is left alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "unwind/lock_functions.h"

#define TABLE(name)                                                            \
    .globl name;                                                               \
    .hidden name;                                                              \
    .type name, @object;                                                       \
    .p2align 3;                                                                \
name:

#define ENTRY(function)                                                        \
    .weak function;                                                            \
    .pushsection .rodata.str1.1, "aMS", @progbits, 1;                          \
1:  .asciz #function;                                                          \
    .popsection;                                                               \
    .quad 1b, function;

    .section .data.rel.ro.moat, "aw"

TABLE(moat_lock_functions)
    MOAT_LOCK_FUNCTION_MAP(ENTRY)
END(moat_lock_functions)

TABLE(moat_lockless_functions)
    MOAT_LOCKLESS_FUNCTION_MAP(ENTRY)
END(moat_lockless_functions)

TABLE(moat_lockless_module)
    .weak   moat_keeps_no_lock
    .quad   moat_keeps_no_lock
END(moat_lockless_module)

TABLE(moat_linker)
    .quad dlopen, dlsym, dlclose
END(moat_linker)

END_OF_FILE
