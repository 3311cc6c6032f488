/*
 * entries.S: the names of the functions that the injection replaces.
 *
 * SPDX-License-Identifier: MIT
 */
#include "corpus/entry.S"

        entry   malloc
        entry   calloc
        entry   realloc
        entry   free

        .section .note.GNU-stack, "", @progbits
