/*
 * intrude.h: keeps guests from ending the process and from taking over the
 * signals of faults.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_INTRUDE_H
#define CORPUS_INTRUDE_H

/* The user code of the trap of a guest that calls exit or a similar
 * function. */
#define LEAVE_CODE 0x65786974

#endif
