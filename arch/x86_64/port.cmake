# port.cmake: the port's sources.
#
# SPDX-License-Identifier: MIT
set(moat_arch_switches native ucontext sigaltstack threads) # the default first
set(moat_arch_knows_registers ON)
set(moat_arch_native_sources
    arch/x86_64/switch.S
    arch/x86_64/switching.c)
set(moat_arch_portable_sources # for the other backends
    arch/x86_64/enter.S)
set(moat_arch_quick_sigaltstack # the usual way of that one
    arch/x86_64/jumps.S)
set(moat_arch_quick_sigaltstack_room 1808)
set(moat_arch_threads_sources # for the backend threads besides
    arch/x86_64/system_call_${MOAT_OS}.c)
set(moat_arch_sources
    arch/x86_64/root.S
    arch/x86_64/calls.S
    arch/x86_64/capture.S
    arch/x86_64/peek.S
    arch/x86_64/preempt.S
    arch/x86_64/filter.S
    arch/x86_64/load.c
    arch/x86_64/instruction.c
    arch/x86_64/swap.c
    arch/x86_64/frame.c
    arch/x86_64/register_table.c
    arch/x86_64/personality.c
    arch/x86_64/context_${MOAT_OS}.c
    arch/x86_64/preempt_${MOAT_OS}.c
    arch/x86_64/land_${MOAT_OS}.c
    arch/x86_64/frame_${MOAT_OS}.c
    arch/x86_64/filter_${MOAT_OS}.c
    arch/x86_64/syscall_names.c
    arch/x86_64/core.c)
