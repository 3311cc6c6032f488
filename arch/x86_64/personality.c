/*
 * personality.c: what an exception meets at a coroutine's root frame.
 *
 * An exception must not cross the border: behind it are frames that another
 * language may own, and an inline switch is no place to unwind through. It ends
 * here and becomes an event at the resumer. A forced unwind (pthread_exit,
 * thread cancellation) cannot be ended so: whoever started it is told that it
 * failed, and aborts, which is a trap of the guest.
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

/* Named by the root frame's unwind information alone. */
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
