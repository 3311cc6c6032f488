/*
 * cfi.h: the unwind rules of registered code, brought into moat's form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_CFI_H
#define MOAT_UNWIND_CFI_H

#include <moat/code.h>

#include "unwind/cfi_form.h"

/* Makes the rules of the code: rewritten from its eh_frame, or made for frame
 * records and fixed frames. MOAT_E_INVAL, MOAT_E_NOMEM. */
moat_status moat_cfi_make(const moat_code *code, struct moat_cfi *out);

#endif
