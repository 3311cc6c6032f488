/*
 * words.c: the words of a file, as a generator.
 *
 * Shows: a loop over the items; a loop that is left early, after which the
 * body's cleanup code has run; how a sequence ends that is not complete.
 * Run: build/debug/examples/words
 * Prints: the words up to the fourth; what has become of the file; a trap
 * (expected/words.txt).
 * Try: moat_co_print_report(moat_gen_co(words), 1) after the trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <moat/gen.h>

static void close_file(FILE **file)
{
    fclose(*file);
    puts("(closed)");
}

/* Yields the words of a text, as a file. */
static void read_words(moat_gen *gen, void *text)
{
    __attribute__((cleanup(close_file))) FILE *file =
        fmemopen(text, strlen(text), "r");
    char word[32];

    while (fscanf(file, "%31s", word) == 1)
        moat_gen_yield(gen, word);
}

static void print_words(char *text)
{
    moat_gen *words;
    int count = 0;

    if (moat_gen_create(&words, read_words, text, NULL) != MOAT_OK)
        return;
    MOAT_FOR_EACH(word, words)
    {
        puts(word);
        if (++count == 4)
            break;
    }
    if (moat_gen_status(words) != MOAT_OK)
        printf("not complete: %s\n", moat_status_str(moat_gen_status(words)));
    moat_gen_destroy(words);
}

int main(void)
{
    char text[] = "a loop that is left early";

    print_words(text);
    print_words(NULL);
    return 0;
}
