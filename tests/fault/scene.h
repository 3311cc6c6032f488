/*
 * scene.h: commits a crime in a coroutine and checks everything around it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_SCENE_H
#define TESTS_FAULT_SCENE_H

#include <stdbool.h>

#include "crimes.h"

/*
 * Runs `crime` twice in one coroutine on this thread, called from the host or
 * from a coroutine. After each trap it checks the event, the record, the CPU's
 * state, the signal mask, the alternate stack, errno, and a bystander whose
 * stack must be intact. Then it resets the coroutine and runs it to its end.
 */
void scene_play(const struct crime *crime, const char *place);

/* Initialises the engine, with SS_AUTODISARM if `autodisarm` is true or the
 * environment's MOAT_TEST_ALTSTACK is "autodisarm". Returns whether it did. */
bool scene_init_engine(bool autodisarm);

/* Returns why a crime cannot be played on this machine or under the tool that
 * runs this test, or NULL if it can. The first call probes in a child: it must
 * come before the first coroutine and the first thread. */
const char *scene_cannot_be_played(const struct crime *crime);

/* Prints the crimes that cannot be played, each with the reason. */
void scene_name_left_out(void);

#endif
