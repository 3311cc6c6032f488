/*
 * entries.S: the names of the functions that the runner replaces.
 *
 * SPDX-License-Identifier: MIT
 */
#include "entry.S"

        entry   malloc
        entry   calloc
        entry   realloc
        entry   reallocarray
        entry   free
        entry   memalign
        entry   aligned_alloc
        entry   posix_memalign
        entry   valloc
        entry   pvalloc
        entry   exit
        entry   quick_exit

        .section .note.GNU-stack, "", @progbits
