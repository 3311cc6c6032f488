/*
 * tcc.c: libtcc compiles a program, on the small stack, and calls its function
 * entry. The programs that are one deep nest overflow the compiler, the others
 * themselves. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <libtcc.h>

#include "hcase.h"

const char *hcase_name = NAME;
static char *program;

#define NEST(head, open, times, middle, close, tail) \
    nest(head, tail, hc_nest(open, times, middle, close, times))

__attribute__((unused)) static char *nest(const char *head, const char *tail,
                                          char *middle)
{
    size_t room = strlen(head) + strlen(middle) + strlen(tail) + 1;
    char *text = malloc(room);

    if (text != NULL)
        (void)snprintf(text, room, "%s%s%s", head, middle, tail);
    free(middle);
    return text;
}

static char *make_program(void)
{
    /* clang-format off */
#if defined CASE_nestc
    return NEST("int entry(int x){return ", "(", 20000, "x", ")", ";}\n");
#elif defined CASE_nestblk
    return NEST("int entry(int x){", "{", 20000, "", "}", "return 0;}\n");
#elif defined CASE_nestdecl
    return NEST("int ", "(", 20000, "x", ")", ";\n");
#elif defined CASE_unary
    return NEST("int entry(int x){return ", "!", 50000, "x", "", ";}\n");
#elif defined CASE_nestif
    return NEST("int entry(int x){", "if(x)", 5000, "", "", ";return 0;}\n");
#elif defined CASE_rec
    return strdup("int f(int x) { volatile char b[64]; b[0] = x;"
                  "               return f(x + 1) + b[0]; }\n"
                  "int entry(int x) { return f(x); }\n");
#elif defined CASE_null
    return strdup("int entry(int x) { int *p = (int *)(long)x; return *p; }\n");
#elif defined CASE_div
    return strdup("int entry(int x) { return 5 / x; }\n");
#elif defined CASE_loop
    return strdup("int entry(int x) { for (;;) x++; return x; }\n");
#elif defined CASE_abort
    return strdup("void abort(void);\n"
                  "int entry(int x) { abort(); return 0; }\n");
#elif defined CASE_ud2
    return strdup("int entry(int x) {\n"
                  "    __asm__ volatile(\".byte 0x0f,0x0b\"); return x; }\n");
#elif defined CASE_jmp
    return strdup("int entry(int x) {\n"
                  "    void (*f)(void) = (void (*)(void))0x1000;\n"
                  "    f(); return x; }\n");
#elif defined CASE_smash
    return strdup("int entry(int x) { char b[16]; int i;\n"
                  "    for (i = 0; i < 4000; i++) b[i] = 0x41;\n"
                  "    return b[x]; }\n");
#elif defined CASE_badfree
    return strdup("void *malloc(unsigned long); void free(void*);\n"
                  "int entry(int x) {\n"
                  "    char *p = malloc(100); free(p + 8); return 0; }\n");
#elif defined CASE_badprintf
    return strdup("int printf(const char *, ...);\n"
                  "int entry(int x) {\n"
                  "    char b[8]; return printf(\"%s\", (char *)8L); }\n");
#elif defined CASE_exit
    return strdup("void exit(int);\n"
                  "int entry(int x) { exit(7); return 0; }\n");
#endif
    /* clang-format on */
}

int hcase_setup(long n)
{
    (void)n;
    program = make_program();
    return program == NULL;
}

static void ignore(void *user, const char *message)
{
    (void)user;
    (void)message;
}

int hcase_run(void)
{
    TCCState *tcc = tcc_new();
    int error;

    if (tcc == NULL)
        return 2;
    tcc_set_error_func(tcc, NULL, ignore);
    tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
    error = tcc_compile_string(tcc, program) != 0 ||
            tcc_relocate(tcc, TCC_RELOCATE_AUTO) < 0;
    if (error == 0) {
        int (*entry)(int);

        *(void **)&entry = tcc_get_symbol(tcc, "entry");
        if (entry != NULL)
            (void)entry(0);
    }
    tcc_delete(tcc);
    return error;
}
