# man.cmake: the manual pages in the build tree, man/man1, man3 and man7. Those
# of section 3 are made from the public headers; docs/man has the others.
#
# SPDX-License-Identifier: MIT
set(moat_man_dir ${CMAKE_CURRENT_BINARY_DIR}/man)
configure_file(docs/man/moat.1 man/man1/moat.1 COPYONLY)
configure_file(docs/man/moat.7 man/man7/moat.7 COPYONLY)

find_package(Python3 3.8 COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
    message(STATUS "No manual pages of section 3: there is no python3")
    return()
endif()

set(moat_man_headers ${moat_headers})
if(MOAT_BUILD_SCHED)
    file(GLOB moat_sched_headers CONFIGURE_DEPENDS
        ${CMAKE_CURRENT_SOURCE_DIR}/sched/include/moat/*.h)
    list(APPEND moat_man_headers ${moat_sched_headers})
    set(moat_sched_examples ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/examples/sched)
endif()
if(MOAT_HAVE_UV)
    list(APPEND moat_man_headers uv/include/moat/uv.h)
endif()
if(MOAT_HAVE_SIGSEGV)
    list(APPEND moat_man_headers sigsegv/include/moat/sigsegv.h)
endif()
if(MOAT_HAVE_MALLOC)
    list(APPEND moat_man_headers malloc/include/moat/malloc.h)
endif()
file(GLOB moat_man_inputs CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/examples/*.c
    ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/examples/sched/*.c
    ${CMAKE_CURRENT_SOURCE_DIR}/tools/manual/*.py)
add_custom_command(OUTPUT man.stamp
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/man.py
        --version ${PROJECT_VERSION}
        --examples ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/examples
            ${moat_sched_examples}
        --output ${moat_man_dir}/man3
        ${moat_man_headers}
    COMMAND ${CMAKE_COMMAND} -E copy docs/man/moat.hpp.3 ${moat_man_dir}/man3
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_CURRENT_BINARY_DIR}/man.stamp
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    DEPENDS tools/man.py docs/man/moat.hpp.3 ${moat_man_headers} ${moat_man_inputs}
    COMMENT "Writing the manual pages"
    VERBATIM)
add_custom_target(moat_man ALL DEPENDS man.stamp)
