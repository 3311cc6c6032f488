/*
 * sigsegv.h: a source that receives page faults through libsigsegv.
 *
 * It is in the library moat-sigsegv. libsigsegv is under the GNU General Public
 * License, version 2 or later, so a program that links moat-sigsegv must be
 * distributable under that licence. moat itself never links libsigsegv.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SIGSEGV_H
#define MOAT_SIGSEGV_H

#include <moat/engine.h>
#include <moat/export.h>

MOAT_BEGIN_DECLS

/**
 * Returns the source that receives page faults through libsigsegv.
 *
 * Pass it as moat_engine_options.source. Linking the library moat-sigsegv also
 * makes MOAT_TRAP_SOURCE=sigsegv work in the environment.
 *
 * libsigsegv has one handler per process, which belongs to this source from
 * moat_engine_init on: a host must not call sigsegv_install_handler itself. If
 * the host has installed its own handler with libsigsegv before,
 * moat_engine_init returns MOAT_E_STATE, and libsigsegv no longer calls that
 * handler.
 *
 * @return the source
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 * See also:      moat_engine_init, moat_engine_options
 */
MOAT_API const moat_source *moat_sigsegv_source(void);

/**
 * Returns the same source, under the name by which moat looks for it.
 *
 * moat refers to this name weakly. If the program links a library that defines
 * it, MOAT_TRAP_SOURCE=sigsegv selects that library's source.
 *
 * @return the source
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const moat_source *moat_source_linked(void);

MOAT_END_DECLS

#endif
