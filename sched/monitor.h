/*
 * monitor.h: monitors, as runs have them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_MONITOR_H
#define SCHED_MONITOR_H

#include "sched/run.h"

/* Gives the run its workers, from the monitor if there is one. MOAT_E_STATE: it
 * has another run. */
moat_status moat_monitor_enter(moat_monitor *monitor, struct sched *run);
/* The run can be asked for dumps. */
void moat_monitor_open(moat_monitor *monitor, struct sched *run);
/* It can no longer. */
void moat_monitor_shut(moat_monitor *monitor);
/* Takes the workers back; what they have counted stays. */
void moat_monitor_leave(moat_monitor *monitor, struct sched *run);

#endif
