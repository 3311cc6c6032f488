/*
 * root.c: the root frame of a coroutine, its end, and where exceptions end.
 *
 * An exception must not cross the border. When it reaches the root frame, all
 * frames below have been cleaned up, and the personality routine leaves the
 * coroutine.
 *
 * Source: the C++ ABI for Itanium, Exception Handling, 1.6 (personality
 * routine).
 *
 * SPDX-License-Identifier: MIT
 */
#include <unwind.h>

#include "arch/generic/port.h"

/* The assembler's directive attaches the personality routine, which C has no
 * words for. Without it the unwinder finds the end of the stack, and an
 * exception ends in std::terminate. */
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
#    define END_EXCEPTIONS() \
        __asm__ volatile(".cfi_personality 0x1b, moat_root_personality")
#else
#    define END_EXCEPTIONS() ((void)0)
#endif

/* Restores the record and the words at the stack's top to what
 * moat_arch_first_frame writes: the inline create then reuses the coroutine
 * without further work. If any flag is set, the end needs more than the inline
 * resume does. The guest may have overwritten its frames, so the record is the
 * one that the thread's word names. */
MOAT_NORETURN static void end(void *value, uint64_t kind)
{
    moat_co *co = (moat_co *)(MOAT_TLS_READ(MOAT_TLS_CURRENT) & ~(uint64_t)1);

    moat_arch_first_frame(co, co->root_sp + MOAT_ARCH_FIRST_FRAME_BYTES);
    if (co->flags != 0)
        kind |= MOAT_SWITCH_SLOW;
    *(volatile uint64_t *)&co->state = MOAT_MARK_DONE;
    moat_transfer_body(co, NULL, value, kind, NULL);
    __builtin_unreachable();
}

void moat_arch_enter_root(moat_co *co, void *input)
{
    END_EXCEPTIONS();
    end(co->entry(co, input), MOAT_EVENT_RETURN);
}

/* Only the root frame's unwind information refers to it. */
__attribute__((visibility("hidden"))) _Unwind_Reason_Code
moat_root_personality(int version, _Unwind_Action actions,
                      _Unwind_Exception_Class exception_class,
                      struct _Unwind_Exception *exception,
                      struct _Unwind_Context *context);

/* A forced unwind cannot be ended: it fails, and the code that started it
 * aborts, which is a trap of the guest. */
_Unwind_Reason_Code
moat_root_personality(int version, _Unwind_Action actions,
                      _Unwind_Exception_Class exception_class,
                      struct _Unwind_Exception *exception,
                      struct _Unwind_Context *context)
{
    (void)exception_class;
    (void)context;
    if (version != 1)
        return _URC_FATAL_PHASE1_ERROR;
    if (actions & _UA_SEARCH_PHASE)
        return _URC_HANDLER_FOUND;
    if (actions & _UA_FORCE_UNWIND)
        return _URC_FATAL_PHASE2_ERROR;
    end(exception, MOAT_EVENT_PANIC);
}
