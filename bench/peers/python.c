/*
 * python.c: the generators of Python, with both sides in a script.
 *
 * A plug-in: the interpreter stays out of the process unless it is measured.
 *
 * SPDX-License-Identifier: MIT
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdlib.h>

#include "bench/peers.h"

static const char script[] =
    "def numbers(end):\n"
    "    for i in range(end):\n"
    "        yield i\n"
    "\n"
    "def walk(depth, key):\n"
    "    if depth == 0:\n"
    "        return key\n"
    "    key = yield from walk(depth - 1, key)\n"
    "    yield key\n"
    "    return (yield from walk(depth - 1, key + 1))\n"
    "\n"
    "def one(item):\n"
    "    yield item\n"
    "\n"
    "def run_numbers(count):\n"
    "    sum = 0\n"
    "    for item in numbers(count):\n"
    "        sum += item\n"
    "    return sum\n"
    "\n"
    "def run_tree(count):\n"
    "    sum = 0\n"
    "    while True:\n"
    "        for item in walk(depth, 0):\n"
    "            sum += item\n"
    "            count -= 1\n"
    "            if count == 0:\n"
    "                return sum\n"
    "\n"
    "def run_lives(count):\n"
    "    sum = 0\n"
    "    for i in range(1, count + 1):\n"
    "        for item in one(i):\n"
    "            sum += item\n"
    "    return sum\n";

static PyObject *names;

static void require(bool holds)
{
    if (holds)
        return;
    PyErr_Print();
    exit(1);
}

static void start(void)
{
    PyObject *depth;

    Py_InitializeEx(0);
    names = PyDict_New();
    depth = PyLong_FromLong(TREE_DEPTH);
    require(names != NULL && depth != NULL &&
            PyDict_SetItemString(names, "depth", depth) == 0 &&
            PyRun_String(script, Py_file_input, names, names) != NULL);
}

static uint64_t run(const char *name, size_t count)
{
    PyObject *sum;
    uint64_t value;

    if (names == NULL)
        start();
    sum = PyObject_CallFunction(PyDict_GetItemString(names, name), "n",
                                (Py_ssize_t)count);
    require(sum != NULL);
    value = PyLong_AsUnsignedLongLong(sum);
    Py_DECREF(sum);
    return value;
}

static uint64_t run_numbers(size_t count)
{
    return run("run_numbers", count);
}

static uint64_t run_tree(size_t count)
{
    return run("run_tree", count);
}

static uint64_t run_lives(size_t count)
{
    return run("run_lives", count);
}

const struct bench_peer bench_plugin = {
    .name = "Python",
    .share = 0.1,
    .bodies = {[CASE_ACCUMULATE] = run_numbers,
               [CASE_TREE] = run_tree,
               [CASE_LIFE] = run_lives}};
