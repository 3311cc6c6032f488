# warnings.cmake: the project's warnings, for the targets that ask for them.
#
# SPDX-License-Identifier: MIT
function(moat_target_warnings target)
    set(both -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef
        -Wwrite-strings -Wpointer-arith -Wvla -Wcast-align
        -Wmissing-declarations)
    set(c_only -Wstrict-prototypes -Wmissing-prototypes)
    target_compile_options(${target} PRIVATE
        "$<$<COMPILE_LANGUAGE:C,CXX>:${both}>"
        "$<$<COMPILE_LANGUAGE:C>:${c_only}>"
        "$<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<BOOL:${MOAT_WERROR}>>:-Werror>")
endfunction()
