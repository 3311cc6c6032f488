/*
 * personality.c: ends exceptions at a coroutine's root frame.
 *
 * An exception must not cross the border: the resumer's frames may belong to
 * another language, and an inline switch cannot be unwound through. It ends
 * here and becomes an event for the resumer. A forced unwind (pthread_exit,
 * thread cancellation) cannot be ended: it fails, and the code that started it
 * aborts, which is a trap of the guest.
 *
 * Source: the C++ ABI for Itanium, Exception Handling, 1.6 (personality
 * routine).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <unwind.h>

#include "arch/arch.h"

/* DWARF number of rax, in which moat_root_catch expects the exception. */
#define REGISTER_RAX 0

extern const char moat_root_catch[]; /* root.S */

/* Only the root frame's unwind information refers to it. */
__attribute__((visibility("hidden"))) _Unwind_Reason_Code
moat_root_personality(int version, _Unwind_Action actions,
                      _Unwind_Exception_Class exception_class,
                      struct _Unwind_Exception *exception,
                      struct _Unwind_Context *context);

_Unwind_Reason_Code
moat_root_personality(int version, _Unwind_Action actions,
                      _Unwind_Exception_Class exception_class,
                      struct _Unwind_Exception *exception,
                      struct _Unwind_Context *context)
{
    (void)exception_class;
    if (version != 1)
        return _URC_FATAL_PHASE1_ERROR;
    if (actions & _UA_SEARCH_PHASE)
        return _URC_HANDLER_FOUND;
    if (actions & _UA_FORCE_UNWIND)
        return _URC_FATAL_PHASE2_ERROR;
    _Unwind_SetGR(context, REGISTER_RAX, (_Unwind_Word)(uintptr_t)exception);
    _Unwind_SetIP(context, (_Unwind_Ptr)moat_root_catch);
    return _URC_INSTALL_CONTEXT;
}
