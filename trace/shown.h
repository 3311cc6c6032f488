/*
 * shown.h: names as they are shown. They come from files, hosts and guests, and
 * may hold any bytes; in a text they stay on their line and do nothing to a
 * terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_SHOWN_H
#define MOAT_TRACE_SHOWN_H

/* Returns the length of the UTF-8 sequence that begins at s; 0: it is not valid
 * (RFC 3629, section 4: no longer forms, no surrogates, nothing above
 * U+10FFFF).
 */
unsigned moat_utf8_length(const char *s);

/* Returns the length of the character at s, if it is shown as it is. 0: bytes
 * that are not UTF-8 and characters that control how others are shown are
 * written as \xNN, byte by byte: moat_utf8_length of them, at least one. */
unsigned moat_shown_char(const char *s);

#endif
