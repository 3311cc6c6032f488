/*
 * intrude.h: what a guest must not do to the process: end it, or take over the
 * signals of faults.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_INTRUDE_H
#define CORPUS_INTRUDE_H

/* The code with which a guest traps that calls exit or a function like it. */
#define LEAVE_CODE 0x65786974

#endif
