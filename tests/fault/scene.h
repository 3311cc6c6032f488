/*
 * scene.h: commits a crime in a coroutine and checks everything around it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_SCENE_H
#define TESTS_FAULT_SCENE_H

#include "crimes.h"

/*
 * Runs `crime` twice in one coroutine on this thread, from the host or from the
 * coroutine that calls. After each trap it expects: the event, the record, the
 * CPU's state, the signal mask, the alternate stack, errno, a bystander whose
 * stack is untouched; then resets the coroutine and runs it to its end.
 */
void scene_play(const struct crime *crime, const char *place);

/* Why a crime cannot be played under the tool that the test runs under; NULL:
 * it can. */
const char *scene_cannot_be_played(const struct crime *crime);

#endif
