/*
 * natives.c: the native method of Host.java.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jni.h>

#include "../traps.h"

JNIEXPORT jint JNICALL Java_Host_traps(JNIEnv *env, jclass host, jint count)
{
    (void)env;
    (void)host;
    return traps_run(count, NULL);
}
