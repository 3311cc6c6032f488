# platform.cmake: which port to build. The names are those of folders in arch/
# and of file suffixes (context_linux.c).
#
# SPDX-License-Identifier: MIT
set(MOAT_ARCH "" CACHE STRING
    "The port: a folder in arch/, by default that of the target's CPU")

if(MOAT_ARCH)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/arch/${MOAT_ARCH}/port.cmake)
        message(FATAL_ERROR "moat has no port named '${MOAT_ARCH}'.")
    endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$"
       AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(MOAT_ARCH x86_64)
elseif(CMAKE_SIZEOF_VOID_P EQUAL 8
       AND CMAKE_C_BYTE_ORDER STREQUAL "LITTLE_ENDIAN")
    set(MOAT_ARCH generic) # no port of its own (docs/porting.md)
else()
    message(FATAL_ERROR
        "moat has no port for the CPU '${CMAKE_SYSTEM_PROCESSOR}' with "
        "${CMAKE_SIZEOF_VOID_P}-byte pointers, ${CMAKE_C_BYTE_ORDER}. It runs "
        "on CPUs with 64 bits, LITTLE_ENDIAN.")
endif()

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(MOAT_OS linux)
else()
    message(FATAL_ERROR
        "moat has no port for '${CMAKE_SYSTEM_NAME}'. It runs on: Linux.")
endif()
