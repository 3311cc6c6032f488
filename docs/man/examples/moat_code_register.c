/*
 * moat_code_register.c: A function is made at run time, registered and called.
 * The bytes are x86-64.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

/* mov $42, %eax; ret. The return address is on top of the stack throughout. */
static const unsigned char bytes[] = {0xb8, 42, 0, 0, 0, 0xc3};

static void *make(void)
{
    void *memory = mmap(NULL, sizeof bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    memcpy(memory, bytes, sizeof bytes);
    if (mprotect(memory, sizeof bytes, PROT_READ | PROT_EXEC) != 0)
        return NULL;
    return memory;
}

int main(void)
{
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id;
    void *start = make();
    int (*answer)(void);

    if (start == NULL)
        return 1;
    code.start = start;
    code.size = sizeof bytes;
    code.name = "answer";
    code.unwind = MOAT_CODE_UNWIND_FIXED;
    code.frame_bytes = 0;
    if (moat_code_register(&code, &id) != MOAT_OK)
        return 1;
    memcpy(&answer, &start, sizeof answer);
    printf("%d\n", answer());
    return moat_code_unregister(id) != MOAT_OK ||
           munmap(start, sizeof bytes) != 0;
}
