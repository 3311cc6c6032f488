# sanitize.cmake: MOAT_SANITIZE builds every target with a sanitizer, so that
# the tests and the guests in them are instrumented like the library.
#
# SPDX-License-Identifier: MIT
if(MOAT_SANITIZE)
    if(NOT MOAT_SANITIZE MATCHES "^(address|undefined|thread)$")
        message(FATAL_ERROR "MOAT_SANITIZE is '${MOAT_SANITIZE}'; it can be: "
            "address, undefined, thread.")
    endif()
    # The first finding ends the program, so that a test goes red.
    add_compile_options(
        $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${MOAT_SANITIZE}>
        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>
        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>)
    add_link_options(-fsanitize=${MOAT_SANITIZE})
endif()
