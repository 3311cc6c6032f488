/*
 * test_gen.c: generators: their items, loops over them, and what is cleaned up
 * when a loop or a generator is left early.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/generators.h"

/* ---- Items ---- */

static void items_come_in_order(const void *arg)
{
    intptr_t three = 3;
    moat_gen *gen = make(count, &three);
    void *item = &three;

    (void)arg;
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    for (intptr_t i = 1; i <= 3; i++)
        EXPECT_EQ(next(gen), i);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    EXPECT_EQ(cleaned, 0);
    for (int i = 0; i < 3; i++) {
        EXPECT(!moat_gen_next(gen, &item));
        EXPECT(item == &three);
        EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    }
    EXPECT_EQ(cleaned, 1);
    EXPECT_EQ(moat_co_get_state(moat_gen_co(gen)), MOAT_CO_DONE);
    EXPECT(moat_gen_take_exception(gen) == NULL);
    moat_gen_destroy(gen);
}

static void yield_nulls(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, NULL);
    moat_gen_yield(gen, NULL);
}

static void null_is_an_item(const void *arg)
{
    moat_gen *gen = make(yield_nulls, NULL);
    int items = 0;

    (void)arg;
    MOAT_FOR_EACH(item, gen)
    {
        EXPECT(item == NULL);
        items++;
    }
    EXPECT_EQ(items, 2);
    moat_gen_destroy(gen);
}

static void a_million_items(const void *arg)
{
    intptr_t million = 1000000;
    moat_gen *gen = make(count, &million);

    (void)arg;
    EXPECT_EQ(sum_of(gen), million * (million + 1) / 2);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    moat_gen_destroy(gen);
}

struct node {
    struct node *left, *right;
    intptr_t key;
};

static void walk(moat_gen *gen, const struct node *node)
{
    if (node == NULL)
        return;
    walk(gen, node->left);
    moat_gen_yield(gen, (void *)node->key);
    walk(gen, node->right);
}

static void walk_from(moat_gen *gen, void *root)
{
    walk(gen, root);
}

/* One generator per node, which takes its items from those of its children. */
static void walk_by_generators(moat_gen *gen, void *root)
{
    const struct node *node = root;
    moat_gen *left, *right;

    if (node == NULL)
        return;
    left = make(walk_by_generators, node->left);
    right = make(walk_by_generators, node->right);
    MOAT_FOR_EACH(item, left)
    moat_gen_yield(gen, item);
    moat_gen_yield(gen, (void *)node->key);
    MOAT_FOR_EACH(item, right)
    moat_gen_yield(gen, item);
    moat_gen_destroy(left);
    moat_gen_destroy(right);
}

#define NODES 127

/* Builds a tree whose keys, in order, are 1 to NODES. */
static struct node *build(struct node *nodes, size_t number, intptr_t *last)
{
    struct node *node = &nodes[number];

    if (number > NODES)
        return NULL;
    node->left = build(nodes, 2 * number, last);
    node->key = ++*last;
    node->right = build(nodes, 2 * number + 1, last);
    return node;
}

static void a_tree_is_walked_in_order(const void *arg)
{
    static struct node nodes[NODES + 1];
    static const moat_gen_body bodies[] = {walk_from, walk_by_generators};
    intptr_t last = 0;

    (void)arg;
    (void)build(nodes, 1, &last);
    for (size_t i = 0; i < 2; i++) {
        moat_gen *gen = make(bodies[i], &nodes[1]);
        intptr_t expected = 1;

        MOAT_FOR_EACH(item, gen)
        EXPECT_EQ(item, expected++);
        EXPECT_EQ(expected, NODES + 1);
        EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
        moat_gen_destroy(gen);
    }
}

struct filter {
    moat_gen *from;
    intptr_t divisor;
};

/* Passes those that the divisor does not divide. */
static void sieve(moat_gen *gen, void *arg)
{
    const struct filter *filter = arg;

    MOAT_FOR_EACH(item, filter->from)
    if ((intptr_t)item % filter->divisor != 0)
        moat_gen_yield(gen, item);
}

static void a_chain_of_generators(const void *arg)
{
    static const intptr_t divisors[] = {2, 3, 5, 7};
    struct filter filters[4];
    moat_gen *gens[5];
    intptr_t limit = 120, primes = 0;

    (void)arg;
    gens[0] = make(count, &limit);
    for (size_t i = 0; i < 4; i++) {
        filters[i] = (struct filter){gens[i], divisors[i]};
        gens[i + 1] = make(sieve, &filters[i]);
    }
    MOAT_FOR_EACH(item, gens[4])
    primes++;
    EXPECT_EQ(primes, 27); /* 1 and the primes from 11 to 113 */
    EXPECT_EQ(cleaned, 1);
    for (size_t i = 0; i < 5; i++)
        moat_gen_destroy(gens[i]);
}

/* ---- Loops ---- */

static void a_loop_that_breaks_cleans_up(const void *arg)
{
    moat_gen *gen = make(forever, NULL);
    intptr_t last = 0;

    (void)arg;
    MOAT_FOR_EACH(item, gen)
    {
        if ((intptr_t)item % 2 == 0)
            continue;
        last = (intptr_t)item;
        if (last == 5)
            break;
    }
    EXPECT_EQ(last, 5);
    EXPECT_EQ(cleaned, 1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    EXPECT_EQ(next(gen), -1);
    MOAT_FOR_EACH(item, gen)
    EXPECT(item == NULL);
    moat_gen_destroy(gen);
    EXPECT_EQ(cleaned, 1);
}

static intptr_t first_above(moat_gen *gen, intptr_t bound)
{
    MOAT_FOR_EACH(item, gen)
    if ((intptr_t)item > bound)
        return (intptr_t)item;
    return 0;
}

static void a_loop_that_returns_or_jumps_cleans_up(const void *arg)
{
    moat_gen *returned = make(forever, NULL), *jumped = make(forever, NULL);

    (void)arg;
    EXPECT_EQ(first_above(returned, 6), 7);
    EXPECT_EQ(cleaned, 1);
    MOAT_FOR_EACH(item, jumped)
    if ((intptr_t)item == 3)
        goto out;
out:
    EXPECT_EQ(cleaned, 2);
    moat_gen_destroy(returned);
    moat_gen_destroy(jumped);
    EXPECT_EQ(cleaned, 2);
}

static void loops_nest(const void *arg)
{
    moat_gen *outer = make(forever, NULL);
    intptr_t pairs = 0;

    (void)arg;
    MOAT_FOR_EACH(row, outer)
    {
        moat_gen *inner = make(forever, NULL);

        MOAT_FOR_EACH(column, inner)
        {
            if (column == row)
                break;
            pairs++;
        }
        moat_gen_destroy(inner);
        if ((intptr_t)row == 4)
            break;
    }
    EXPECT_EQ(pairs, 0 + 1 + 2 + 3);
    EXPECT_EQ(cleaned, 5);
    moat_gen_destroy(outer);
}

static void a_part_is_taken_and_the_rest_later(const void *arg)
{
    intptr_t five = 5, sum = 0;
    moat_gen *gen = make(count, &five);

    (void)arg;
    for (int i = 0; i < 3; i++)
        sum += next(gen);
    EXPECT_EQ(sum, 6);
    EXPECT_EQ(cleaned, 0);
    EXPECT_EQ(sum_of(gen), 4 + 5);
    moat_gen_destroy(gen);
}

static void nothing_is_no_item(const void *arg)
{
    (void)arg;
    MOAT_FOR_EACH(item, NULL)
    EXPECT(item == NULL && false);
    EXPECT_EQ(next(NULL), -1);
    EXPECT_EQ(moat_gen_status(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_gen_cancel(NULL), MOAT_E_INVAL);
    EXPECT(moat_gen_co(NULL) == NULL);
    EXPECT(moat_gen_take_exception(NULL) == NULL);
    moat_gen_destroy(NULL);
}

/* ---- Early ends ---- */

static void a_destroy_cleans_up(const void *arg)
{
    moat_gen *fresh = make(forever, NULL), *begun = make(forever, NULL);

    (void)arg;
    EXPECT_EQ(next(begun), 1);
    moat_gen_destroy(fresh);
    EXPECT_EQ(cleaned, 0); /* it has not run */
    moat_gen_destroy(begun);
    EXPECT_EQ(cleaned, 1);
}

/* The consumer of another one, by a loop. */
static void pass_on(moat_gen *gen, void *arg)
{
    CLEANED;

    MOAT_FOR_EACH(item, arg)
    moat_gen_yield(gen, item);
}

static void a_cancel_reaches_what_the_body_consumes(const void *arg)
{
    moat_gen *inner = make(forever, NULL), *outer = make(pass_on, inner);

    (void)arg;
    EXPECT_EQ(next(outer), 1);
    EXPECT_EQ(next(outer), 2);
    EXPECT_EQ(moat_gen_cancel(outer), MOAT_OK);
    EXPECT_EQ(cleaned, 2);
    EXPECT_EQ(next(inner), -1);
    EXPECT_EQ(moat_gen_cancel(outer), MOAT_OK);
    moat_gen_destroy(outer);
    moat_gen_destroy(inner);
}

struct late {
    moat_gen *gen;
};

static void yield_late(const struct late *late)
{
    moat_gen_yield(late->gen, (void *)2);
}

static void yield_while_unwound(moat_gen *gen, void *arg)
{
    CLEANED;
    __attribute__((cleanup(yield_late))) struct late late = {gen};

    (void)arg;
    moat_gen_yield(late.gen, (void *)1);
}

static void a_yield_while_unwound_is_an_error(const void *arg)
{
    moat_gen *gen = make(yield_while_unwound, NULL);

    (void)arg;
    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(moat_gen_cancel(gen), MOAT_E_STATE);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_STATE);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_STATE);
    EXPECT_EQ(moat_co_get_state(moat_gen_co(gen)), MOAT_CO_DONE);
    moat_gen_destroy(gen);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(items_come_in_order),
        CHILD_CASE(null_is_an_item),
        CHILD_CASE(a_million_items),
        CHILD_CASE(a_tree_is_walked_in_order),
        CHILD_CASE(a_chain_of_generators),
        CHILD_CASE(a_loop_that_breaks_cleans_up),
        CHILD_CASE(a_loop_that_returns_or_jumps_cleans_up),
        CHILD_CASE(loops_nest),
        CHILD_CASE(a_part_is_taken_and_the_rest_later),
        CHILD_CASE(nothing_is_no_item),
        CHILD_CASE(a_destroy_cleans_up),
        CHILD_CASE(a_cancel_reaches_what_the_body_consumes),
        CHILD_CASE(a_yield_while_unwound_is_an_error),
    };

    return child_cases_run("sched.gen", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
