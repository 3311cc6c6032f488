/*
 * parse.h: from a script's text to its tree.
 *
 *   script     = { "array" NAME "[" NUMBER "]" ";" | function }
 *   function   = "func" NAME "(" [ NAME { "," NAME } ] ")" block
 *   block      = "{" { statement } "}"
 *   statement  = "let" NAME "=" expression ";"
 *              | NAME [ "[" expression "]" ] "=" expression ";"
 *              | "if" expression block [ "else" ( block | if statement ) ]
 *              | "while" expression block
 *              | ( "return" | "print" ) expression ";"
 *              | expression ";"
 *   expression = "yield" expression | operators, as in C, over
 *                NUMBER, NAME, NAME "[" expression "]", call, "(", and
 *                "start" call | "next" operand [ "with" operand ] |
 *                "value" operand, which bind as the "-" of one operand
 *   call       = NAME "(" [ expression { "," expression } ] ")"
 *
 * "start" makes a call a generator, a coroutine that waits, and gives its
 * number. "next" runs it until it yields, 1, or returns, 0; "with" is what the
 * "yield" gives in which it waits (else 0). "value" is what it has yielded, or
 * returned, last. An error in it is one at the "next".
 *
 * "#" begins a comment. An array is declared before it is used, a function
 * anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_PARSE_H
#define DITCH_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "ast.h"

#define SCRIPT_BYTES_MOST 65536
#define ARRAY_COUNT_MOST  (1 << 20) /* elements of an array */
#define PARAMETERS_MOST   16
#define LOCALS_MOST       200
#define HEIGHT_MOST       200 /* of trees and of what encloses a place */

struct parse_error {
    int line;
    char text[96];
};

/* True: *out is the caller's, to be given to script_free. False: *error says
 * why. */
bool script_parse(struct script *out, const char *text,
                  struct parse_error *error);
void script_free(struct script *script);

#endif
