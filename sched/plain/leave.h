/*
 * leave.h: an ordinary return, on a CPU for which nothing else was tried.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_PLAIN_LEAVE_H
#define SCHED_PLAIN_LEAVE_H

#define LEAVES_BY_JUMP

#endif
