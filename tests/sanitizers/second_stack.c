/*
 * second_stack.c: initialises the engine in a program that may be linked with
 * SafeStack.
 *
 *   second_stack STATUS    the status that is expected
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <moat/moat.h>

int main(int argc, char **argv)
{
    const char *init = moat_status_name(moat_engine_init(NULL));

    if (argc == 2 && strcmp(init, argv[1]) == 0)
        return 0;
    printf("moat_engine_init: %s\n", init);
    return 1;
}
