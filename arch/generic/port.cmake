# port.cmake: the port's sources.
#
# SPDX-License-Identifier: MIT
set(moat_arch_switches ucontext) # the default first
set(moat_arch_knows_registers OFF) # of unwind information
set(moat_arch_native_sources "")
set(moat_arch_portable_sources
    arch/generic/root.c)
set(moat_arch_sources
    arch/generic/frame.c
    arch/generic/calls.c
    arch/generic/landing.c
    arch/generic/context.c
    arch/generic/context_words.c
    arch/generic/memory.c
    arch/generic/unknown.c)
