/*
 * leave.h: a guest that ends the process ends itself only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_LEAVE_H
#define CORPUS_LEAVE_H

/* The code with which a guest traps that calls exit or a function like it. */
#define LEAVE_CODE 0x65786974

#endif
