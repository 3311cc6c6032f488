/*
 * layout.h: offsets in struct moat_co and struct moat_tls for the .S files.
 * frame.c proves them against the structs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_LAYOUT_H
#define MOAT_ARCH_X86_64_LAYOUT_H

#define CO_RESUMER_FP 0
#define CO_RESUMER_PC 8
#define CO_RESUMER_SP 16
#define CO_RESUMER_BX 24
#define CO_FP         32
#define CO_PC         40
#define CO_SP         48
#define CO_BX         56
#define CO_STATE      64
#define CO_TOKEN      72
#define CO_RESUMER    80
#define CO_ENTRY      88
#define CO_MXCSR      96
#define CO_FCW        100
#define CO_FLAGS      102
#define CO_ROOT_SP    104
#define CO_HOME       112
#define CO_USER       120

/* If MOAT_SWITCH_PORTABLE. */
#define CO_POINT         128
#define CO_RESUMER_POINT 136
#define CO_SWITCHING     144

/* struct first_frame */
#define FIRST_RECORD   0
#define FIRST_END      8
#define FIRST_TRACE_FP 120
#define FIRST_TRACE_SP 160
#define FIRST_TRACE_PC 168

#define TLS_CURRENT 0
#define TLS_TOKEN   8
#define TLS_HOME    24
#define TLS_HOMES   32
#define TLS_REACH   40
#define TLS_FUEL    48

#define EVENT_KIND  0
#define EVENT_VALUE 8
#define EVENT_CO    16

#define MARK_RUNNING 2
#define KIND_YIELD   1
#define KIND_RETURN  2
#define KIND_PANIC   5
#define KIND_SLOW    8
#define MARK_DONE    3

#define COMMAND_NONE   0
#define COMMAND_UNWIND 1

/* struct moat_switched */
#define SWITCHED_VALUE 0
#define SWITCHED_KIND  8
#define SWITCHED_CO    16

/* struct moat_resumed */
#define RESUMED_SELF    0
#define RESUMED_INPUT   8
#define RESUMED_COMMAND 16

/* struct moat_arch_preempted */
#define PREEMPTED_BX      0
#define PREEMPTED_PC      8
#define PREEMPTED_SP      16
#define PREEMPTED_FLAGS   24
#define PREEMPTED_USED    32
#define PREEMPTED_UNUSED  40
#define PREEMPTED_BYTES   48
#define PREEMPTED_CO      56
#define PREEMPTED_SUSPEND 64
#define PREEMPTED_INITIAL 72

/* struct moat_arch_filtered */
#define FILTERED_BX       0
#define FILTERED_PC       8
#define FILTERED_SP       16
#define FILTERED_SELECTOR 24

/* moat_syscall */
#define CALL_NUMBER 0
#define CALL_ARGS   8

/* struct moat_arch_border */
#define BORDER_FP      0
#define BORDER_PC      8
#define BORDER_SP      16
#define BORDER_BX      24
#define BORDER_REACHED 32

/* struct moat_regs */
#define REGS_PC    0
#define REGS_SP    8
#define REGS_FP    16
#define REGS_RAX   24
#define REGS_RBX   32
#define REGS_RCX   40
#define REGS_RDX   48
#define REGS_RSI   56
#define REGS_RDI   64
#define REGS_R8    72
#define REGS_R9    80
#define REGS_R10   88
#define REGS_R11   96
#define REGS_R12   104
#define REGS_R13   112
#define REGS_R14   120
#define REGS_R15   128
#define REGS_FLAGS 136
#define REGS_MXCSR 144
#define REGS_FCW   148
#define REGS_FSW   150

#endif
