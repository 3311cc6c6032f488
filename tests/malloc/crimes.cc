/*
 * crimes.cc: a plugin that knows nothing of moat and does what ends a process.
 * A host loads it and calls plugin_run in a guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include <pthread.h>
#include <unistd.h>

extern "C" int plugin_run(const char *crime, std::jmp_buf *out);

namespace
{

/* Opaque to the compiler. */
void *volatile kept;

void free_twice()
{
    void *block = std::malloc(100);

    kept = block;
    std::free(block);
    std::free(kept);
}

void overflow_then_free()
{
    char *first = static_cast<char *>(std::malloc(100));
    void *second = std::malloc(100);

    kept = first;
    std::memset(kept, 'x', 300);
    std::free(second);
    std::free(first);
}

void take_for_ever()
{
    for (;;) {
        kept = std::malloc(1 << 20);
        if (kept != nullptr)
            std::memset(kept, 1, 1 << 20);
    }
}

void *fault(void *arg)
{
    *static_cast<volatile int *>(arg) = 1;
    return arg;
}

void start_faulting_thread()
{
    pthread_t thread;

    if (pthread_create(&thread, nullptr, fault, nullptr) == 0)
        pthread_join(thread, nullptr);
}

} // namespace

extern "C" int plugin_run(const char *crime, std::jmp_buf *out)
{
    const std::string name = crime;

    if (name == "double free")
        free_twice();
    else if (name == "heap overflow, free")
        overflow_then_free();
    else if (name == "endless malloc")
        take_for_ever();
    else if (name == "exit")
        std::exit(1);
    else if (name == "raise(SIGTERM)")
        (void)std::raise(SIGTERM);
    else if (name == "faulting thread")
        start_faulting_thread();
    else if (name == "fork")
        return fork() == 0 ? 1 : 2;
    else if (name == "longjmp out")
        std::longjmp(*out, 1);
    else if (name == "throw")
        throw std::runtime_error("nobody catches it");
    return 0;
}
