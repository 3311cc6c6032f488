# switch.cmake: which switch backend to build (docs/backends.md).
#
# SPDX-License-Identifier: MIT
list(GET moat_arch_switches 0 moat_switch_default)
set(MOAT_SWITCH ${moat_switch_default} CACHE STRING
    "The switch backend: native, ucontext, sigaltstack, threads")
set(moat_switches native ucontext sigaltstack threads)

if(NOT MOAT_SWITCH IN_LIST moat_switches)
    list(JOIN moat_switches ", " names)
    message(FATAL_ERROR
        "MOAT_SWITCH is '${MOAT_SWITCH}'. It is one of: ${names}.")
endif()

if(NOT MOAT_SWITCH IN_LIST moat_arch_switches)
    list(JOIN moat_arch_switches ", " names)
    message(FATAL_ERROR "MOAT_SWITCH is '${MOAT_SWITCH}', which the port "
        "'${MOAT_ARCH}' does not support. It has: ${names}.")
endif()

set(MOAT_SWITCH_ROOM 0)
if(MOAT_SWITCH STREQUAL "native")
    set(MOAT_SWITCH_PORTABLE 0)
    set(moat_switch_sources ${moat_arch_native_sources})
    set(moat_switch_crews "")
    set(moat_switch_outline "")
    set(moat_switch_headers "")
    return()
endif()

if(MOAT_SANITIZE)
    message(FATAL_ERROR "MOAT_SWITCH is '${MOAT_SWITCH}', whose calls "
        "sanitizers replace. MOAT_SANITIZE=${MOAT_SANITIZE} needs native.")
endif()
set(MOAT_SWITCH_PORTABLE 1)
if(moat_arch_quick_${MOAT_SWITCH})
    set(MOAT_SWITCH_ROOM ${moat_arch_quick_${MOAT_SWITCH}_room})
endif()
set(moat_switch_sources
    ${moat_arch_portable_sources}
    ${moat_arch_quick_${MOAT_SWITCH}}
    switch/portable.c
    switch/${MOAT_SWITCH}.c)
set(moat_switch_crews "")
if(MOAT_SWITCH STREQUAL "ucontext")
    list(APPEND moat_switch_sources switch/context.c)
elseif(MOAT_SWITCH STREQUAL "threads")
    list(APPEND moat_switch_sources
        switch/context.c
        switch/carrier.c
        switch/idle.c
        ${moat_arch_threads_sources})
    set(moat_switch_crews trap/crew.c)
endif()
set(moat_switch_outline engine/outline_switch.c)
set(moat_switch_headers include/moat/switch/portable.h)
configure_file(switch/backend.h.in include/switch/backend.h @ONLY)
