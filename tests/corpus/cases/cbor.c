/*
 * cbor.c: libcbor, which recurses into what it copies and frees. One case per
 * build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <cbor.h>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_decref
static cbor_item_t *tree;

int hcase_setup(long n)
{
    long depth = n != 0 ? n : 20000;
    cbor_item_t *innermost = cbor_new_definite_array(1);

    tree = innermost;
    for (long i = 0; i < depth; i++) {
        cbor_item_t *inner = cbor_new_definite_array(1);

        (void)!cbor_array_push(innermost, inner);
        cbor_decref(&inner);
        innermost = cbor_array_handle(innermost)[0];
    }
    return tree == NULL;
}

int hcase_run(void)
{
    cbor_decref(&tree);
    return 0;
}
#elif defined CASE_load
static unsigned char *input;
static size_t length;

int hcase_setup(long n)
{
    length = n != 0 ? (size_t)n : 2000;
    input = malloc(length + 1);
    if (input == NULL)
        return 1;
    memset(input, 0x81, length);
    input[length++] = 1;
    return 0;
}

int hcase_run(void)
{
    struct cbor_load_result result;
    cbor_item_t *tree = cbor_load(input, length, &result);
    cbor_item_t *copy;

    if (tree == NULL)
        return 1;
    copy = cbor_copy(tree);
    cbor_decref(&copy);
    cbor_decref(&tree);
    return 0;
}
#endif
