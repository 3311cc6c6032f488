/*
 * host.c: a host in C that creates a JVM; guests trap on its threads before,
 * while and after they are attached to the JVM.
 *
 *   host LIBJVM CLASSPATH COUNT
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <jni.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../traps.h"

#define THREADS 4
#define BATCH   10

static JavaVM *vm;
static jclass host_class;
static jmethodID null_pointers, overflows;
static atomic_int traps, exceptions;
static int share;

static JNIEnv *create(const char *file, const char *class_path)
{
    void *library = dlopen(file, RTLD_NOW);
    jint (*create_vm)(JavaVM **, void **, void *);
    char option[4096];
    JavaVMOption options[] = {{option, NULL},
                              {"-XX:TieredStopAtLevel=1", NULL}};
    JavaVMInitArgs arguments = {JNI_VERSION_10, 2, options, JNI_FALSE};
    void *env;

    if (library == NULL)
        return NULL;
    *(void **)&create_vm = dlsym(library, "JNI_CreateJavaVM");
    (void)snprintf(option, sizeof(option), "-Djava.class.path=%s", class_path);
    if (create_vm == NULL || create_vm(&vm, &env, &arguments) != JNI_OK)
        return NULL;
    return env;
}

static int find(JNIEnv *env)
{
    jclass found = (*env)->FindClass(env, "Host");

    if (found == NULL)
        return 0;
    host_class = (*env)->NewGlobalRef(env, found);
    null_pointers =
        (*env)->GetStaticMethodID(env, host_class, "nullPointers", "(I)I");
    overflows = (*env)->GetStaticMethodID(env, host_class, "overflows", "(I)I");
    return null_pointers != NULL && overflows != NULL;
}

static void *work(void *unused)
{
    void *env;

    (void)unused;
    (void)atomic_fetch_add(&traps, traps_run(BATCH, NULL));
    if ((*vm)->AttachCurrentThread(vm, &env, NULL) != JNI_OK)
        return NULL;
    for (int done = 2 * BATCH; done < share; done += BATCH) {
        JNIEnv *e = env;

        (void)atomic_fetch_add(&traps, traps_run(BATCH, NULL));
        (void)atomic_fetch_add(
            &exceptions,
            (*e)->CallStaticIntMethod(e, host_class, null_pointers, BATCH));
        if (done % 1000 == 0)
            (void)(*e)->CallStaticIntMethod(e, host_class, overflows, 1);
    }
    (void)(*vm)->DetachCurrentThread(vm);
    (void)atomic_fetch_add(&traps, traps_run(BATCH, NULL));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    JNIEnv *env;

    if (argc != 4)
        return 2;
    share = atoi(argv[3]) / THREADS / BATCH * BATCH;
    /* The JVM's handlers have no SA_ONSTACK: moat's must stand over them. */
    env = create(argv[1], argv[2]);
    if (env == NULL || !find(env) || traps_install() != 0)
        return 1;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)printf("c: %d traps, %d exceptions\n", atomic_load(&traps),
                 atomic_load(&exceptions));
    return atomic_load(&traps) == THREADS * share &&
                   atomic_load(&exceptions) == THREADS * (share - 2 * BATCH) &&
                   traps_check() == 0
               ? 0
               : 1;
}
