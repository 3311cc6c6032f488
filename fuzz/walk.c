/*
 * walk.c: the target `walk`: a guest's dead stack and registers, filled by the
 * input. Every walk must end, and the reports must lead to main.
 *
 * The guest runs code that is registered with unwind information of the input's
 * as well, so that hostile rules meet a hostile stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "hostile.h"
#include "reports.h"
#include "target.h"

#define FRAMES      64u
#define STACK_BYTES ((size_t)64 << 10)
#define RULES_BYTES 96u

static struct input in;
static uintptr_t caller_of_target;

/* --- the stack ------------------------------------------------------------ */

/* Functions with unwind information of many forms. */
static uintptr_t any_code(void)
{
    static const uintptr_t functions[] = {
        (uintptr_t)moat_co_resume_n,   (uintptr_t)moat_call_on_parent,
        (uintptr_t)moat_notrap_call,   (uintptr_t)moat_co_switch_to,
        (uintptr_t)snprintf,           (uintptr_t)LLVMFuzzerTestOneInput,
        (uintptr_t)moat_co_settle,     (uintptr_t)json_loadb,
        (uintptr_t)moat_co_yield_slow, (uintptr_t)moat_co_unwind};

    uintptr_t function = functions[input_below(&in, 10)];

    return function + input_u8(&in);
}

static uintptr_t any_word(void)
{
    switch (input_below(&in, 4)) {
    case 0:
        return any_code();
    case 1:
        return (uintptr_t)hostile_places.code + input_u8(&in);
    default:
        return hostile_address(&in);
    }
}

/* The guest never runs again. The sanitizer must not object: it has red zones
 * there. */
__attribute__((no_sanitize("address"))) static void
fill(volatile uintptr_t *from, const volatile uintptr_t *to)
{
    for (; from < to && input_left(&in) > 0; from++)
        *from = any_word();
}

/* Overwrites the stack from `sp` upwards, or up to its base. */
static void fill_stack(uintptr_t sp)
{
    uintptr_t base = hostile_places.stack.base & ~(uintptr_t)7;
    uintptr_t words = input_u8(&in), from = sp & ~(uintptr_t)7;

    if (sp < hostile_places.stack.limit || from >= base)
        from = base - words * sizeof(uintptr_t);
    fill((volatile uintptr_t *)from, (const volatile uintptr_t *)base);
}

/* --- registered code ------------------------------------------------------ */

/* A CIE and an FDE for the page of code, whose instructions are the input's. */
static size_t make_rules(unsigned char *out)
{
    static const unsigned char common[] = {20, 0,    0,   0, 0,    0,    0,  0,
                                           1,  'z',  'R', 0, 1,    0x78, 16, 1,
                                           0,  0x0c, 7,   8, 0x90, 1,    0,  0};
    const uint64_t range[2] = {(uintptr_t)hostile_places.code, 4096};
    uint32_t count = input_below(&in, RULES_BYTES - 64);
    uint32_t head[2] = {4 + sizeof range + 1 + count, sizeof common + 4};
    unsigned char *at = out;

    memcpy(at, common, sizeof common);
    at += sizeof common;
    memcpy(at, head, sizeof head);
    at += sizeof head;
    memcpy(at, range, sizeof range);
    at += sizeof range;
    *at++ = 0;
    (void)input_bytes(&in, at, count);
    return (size_t)(at - out) + count;
}

static moat_code_id register_code(void)
{
    unsigned char rules[RULES_BYTES];
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;
    moat_status status;

    code.start = hostile_places.code;
    code.size = 4096;
    code.name = "hostile";
    code.unwind = (moat_code_unwind)input_below(&in, 4);
    if (code.unwind == MOAT_CODE_UNWIND_FIXED)
        code.frame_bytes = 8 * (size_t)input_u8(&in);
    if (code.unwind == MOAT_CODE_UNWIND_CFI) {
        code.eh_frame = rules;
        code.eh_frame_bytes = make_rules(rules);
    }
    status = moat_code_register(&code, &id);
    TARGET_CHECK(status == MOAT_OK || (status == MOAT_E_INVAL &&
                                       code.unwind == MOAT_CODE_UNWIND_CFI));
    return id;
}

/* --- the guest ------------------------------------------------------------ */

#define HOSTS_BYTES ((uintptr_t)64 << 20)

/* A stack pointer in the host's stack may be taken for a fault of the host's.
 */
static bool is_hosts(uintptr_t sp)
{
    return sp - hostile_places.other + HOSTS_BYTES < 2 * HOSTS_BYTES;
}

static void make_offer(struct hostile_offer *offer)
{
    greg_t *g = offer->context.uc_mcontext.gregs;
    unsigned how = input_below(&in, 4);

    offer->info.si_code = 1;
    offer->info.si_addr = (void *)hostile_address(&in);
    g[REG_TRAPNO] = 14;
    g[REG_ERR] = input_u8(&in) & 31;
    if (how > 0) {
        g[REG_RBP] = (greg_t)any_word();
        g[REG_RSP] = (greg_t)(hostile_places.stack.base - 8 * input_u8(&in));
        g[REG_RIP] = (greg_t)any_word();
    }
    if (how == 1)
        hostile_registers(&in, &offer->context);
    if (is_hosts((uintptr_t)g[REG_RSP]))
        g[REG_RSP] = (greg_t)hostile_places.stack.limit;
    fill_stack((uintptr_t)g[REG_RSP]);
}

static void *guest(moat_co *self, void *input)
{
    (void)self;
    hostile_offer(make_offer);
    target_fail("the guest's stack is gone, but it was not claimed");
    return input;
}

/* --- the walks ------------------------------------------------------------ */

static void check_frames(const moat_co *co)
{
    moat_frame frames[FRAMES];
    bool reached = false, root = false;
    size_t count;
    moat_status status = moat_co_backtrace(co, frames, FRAMES, &count);
    char line[512];

    TARGET_CHECK(status == MOAT_OK || status == MOAT_E_FULL);
    TARGET_CHECK(count > 0 && count <= FRAMES);
    for (size_t i = 0; i < count; i++) {
        reached |= frames[i].pc == caller_of_target && frames[i].co == NULL;
        root |= (frames[i].flags & MOAT_FRAME_ROOT) && frames[i].co == co;
        TARGET_CHECK(moat_frame_describe(&frames[i], line, sizeof line) ==
                     MOAT_OK);
    }
    if (status == MOAT_OK && !(reached && root))
        target_fail("the backtrace does not lead to the host");
}

static void check_described(const moat_co *co)
{
    static moat_described_frame frames[FRAMES];
    size_t count;
    moat_status status = moat_co_describe(co, frames, FRAMES, &count);

    TARGET_CHECK(status == MOAT_OK || status == MOAT_E_FULL);
    TARGET_CHECK(count > 0);
}

static void check_json(const moat_co *co)
{
    json_t *report = reports_json(co), *frames, *frame;
    bool reached = false, root = false;
    char pc[32];

    (void)snprintf(pc, sizeof pc, "0x%zx", (size_t)caller_of_target);
    frames = json_object_get(report, "frames");
    for (size_t i = 0; i < json_array_size(frames); i++) {
        frame = json_array_get(frames, i);
        reached |=
            strcmp(json_string_value(json_object_get(frame, "pc")), pc) == 0;
        root |= json_is_true(json_object_get(frame, "root"));
    }
    json_decref(report);
    if (!reached || !root)
        target_fail("the JSON does not lead to the host");
}

static void check_walks(const moat_co *co)
{
    const char *lock;

    check_frames(co);
    check_described(co);
    check_json(co);
    (void)reports_text(co);
    TARGET_CHECK(moat_co_lock_function(co, &lock) == MOAT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_code_id id;
    moat_event event;
    moat_co *co;

    hostile_begin();
    in = (struct input){data, data + size};
    caller_of_target = (uintptr_t)__builtin_return_address(0);
    id = register_code();
    options.stack_bytes = STACK_BYTES;
    TARGET_CHECK(moat_co_create(&co, guest, &options) == MOAT_OK);
    TARGET_CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    TARGET_CHECK(event.kind == MOAT_EVENT_TRAP);
    check_walks(co);
    moat_co_destroy(co);
    if (id != 0)
        TARGET_CHECK(moat_code_unregister(id) == MOAT_OK);
    return 0;
}
