/*
 * maps.h: the mappings of this process, its arguments and its auxiliary vector.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_MAPS_H
#define MOAT_SYS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

struct moat_map {
    uintptr_t start, end;
    uintptr_t offset; /* in the file */
    bool readable, writable, executable, private;
    const char *path; /* "": anonymous; valid until the next mapping */
};

/* Shows each mapping to `see`, upwards. The buffer has room for a path of the
 * greatest length and some words. On MOAT_E_SYSTEM errno has the reason. */
moat_status moat_maps_visit(char *buffer, size_t size,
                            void (*see)(const struct moat_map *, void *),
                            void *arg);

/* The program's arguments, each with its 0; as many as there is room for. */
moat_status moat_process_arguments(char *buffer, size_t size, size_t *bytes);

/* The vector of values that the kernel gave the program at its start, as a core
 * file has it. */
moat_status moat_process_vector(char *buffer, size_t size, size_t *bytes);

#endif
