# port.cmake: the port's sources.
#
# SPDX-License-Identifier: MIT
set(moat_arch_switches native) # the default first
set(moat_arch_knows_registers ON)
set(moat_arch_native_sources "")
set(moat_arch_portable_sources "")
set(moat_arch_threads_sources "")
set(moat_arch_sources
    arch/stub/stub.c)
