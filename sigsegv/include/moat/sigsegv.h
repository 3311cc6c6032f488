/*
 * sigsegv.h: the source that receives page faults through libsigsegv.
 *
 * In the library moat-sigsegv, beside moat. libsigsegv is free software under
 * the GNU General Public License, version 2 or later: a program that links
 * moat-sigsegv must be distributable under it. moat itself never links it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SIGSEGV_H
#define MOAT_SIGSEGV_H

#include <moat/engine.h>
#include <moat/export.h>

MOAT_BEGIN_DECLS

/**
 * The source, for moat_engine_options.source. Linking the library also makes
 * the environment's MOAT_TRAP_SOURCE=sigsegv work.
 *
 * libsigsegv has one handler per process, and from moat_engine_init on it is
 * this source's: a host must not call sigsegv_install_handler itself.
 * moat_engine_init then returns MOAT_E_STATE if libsigsegv's handler was in
 * place before, and the host's function is lost to it.
 *
 * Ownership: static storage. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const moat_source *moat_sigsegv_source(void);

MOAT_END_DECLS

#endif
