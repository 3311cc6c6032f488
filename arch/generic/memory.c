/*
 * memory.c: loads that may fail, and what can be said of memory without knowing
 * the CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>

#include "arch/generic/port.h"
#include "sys/readable.h"

/* The system is asked; another thread may take the memory away before the load,
 * which is then a fault like any other. */
bool moat_arch_peek(uintptr_t address, uintptr_t *out)
{
    if (!moat_memory_can_read(address))
        return false;
    __builtin_memcpy(out, (const void *)address, sizeof *out);
    return true;
}

bool moat_arch_fix_peek(void *ucontext)
{
    (void)ucontext;
    return false;
}

/* What is not known to be unused is in use: the fault is then the host's. */
bool moat_arch_is_stack_in_use(uintptr_t sp)
{
    (void)sp;
    return true;
}

bool moat_arch_is_canonical(uintptr_t address)
{
    (void)address;
    return true;
}

/* The linker's symbol for the header of the file that this code is in. */
extern const Elf64_Ehdr __ehdr_start
    __attribute__((weak, visibility("hidden")));

uint16_t moat_arch_elf_machine(void)
{
    return &__ehdr_start != NULL ? __ehdr_start.e_machine : EM_NONE;
}
