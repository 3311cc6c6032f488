# summary.cmake: what configuring has decided, and how the rest is had: the last
# lines that a user sees.
#
# SPDX-License-Identifier: MIT

# One line: a part, whether it is built, and why not.
function(moat_summary part built otherwise)
    if(built)
        message(STATUS "  ${part}: yes")
    else()
        message(STATUS "  ${part}: no (${otherwise})")
    endif()
endfunction()

# Why a library that is looked for is not used, in `why`.
function(moat_summary_reason why option debian)
    if(NOT ${option})
        set(${why} "${option}=OFF" PARENT_SCOPE)
    else()
        set(${why} "not found: apt-get install ${debian}" PARENT_SCOPE)
    endif()
endfunction()

message(STATUS "moat ${PROJECT_VERSION}, ${MOAT_ARCH}, ${MOAT_OS}, "
    "switch: ${MOAT_SWITCH}, "
    "installed below ${CMAKE_INSTALL_PREFIX}")
foreach(row IN ITEMS
        "LIBUNWIND=backtraces (libunwind)=libunwind-dev"
        "LIBDW=lines in backtraces (libdw)=libdw-dev"
        "VALGRIND=stacks announced to Valgrind=valgrind")
    string(REPLACE "=" ";" row "${row}")
    list(GET row 0 name)
    list(GET row 1 part)
    list(GET row 2 debian)
    moat_summary_reason(why MOAT_WITH_${name} ${debian})
    moat_summary("${part}" ${MOAT_HAVE_${name}} "${why}")
endforeach()
moat_summary("moat-sched, tasks and generators" ${MOAT_BUILD_SCHED}
    "-DMOAT_BUILD_SCHED=ON")
moat_summary_reason(why MOAT_WITH_UV libuv1-dev)
if(NOT MOAT_BUILD_SCHED)
    set(why "-DMOAT_BUILD_SCHED=ON")
endif()
moat_summary("moat-uv, tasks in a loop of libuv" ${MOAT_HAVE_UV} "${why}")
set(why "-DMOAT_WITH_MALLOC=ON")
if(MOAT_WITH_MALLOC)
    set(why "it has no port to this CPU, or MOAT_SANITIZE=${MOAT_SANITIZE}")
endif()
moat_summary("moat-malloc, malloc for guests" ${MOAT_HAVE_MALLOC} "${why}")
moat_summary_reason(why MOAT_WITH_SIGSEGV libsigsegv-dev)
moat_summary("moat-sigsegv, on libsigsegv (GPL)" ${MOAT_HAVE_SIGSEGV} "${why}")
moat_summary("the command moat" ${MOAT_BUILD_HOST} "-DMOAT_BUILD_HOST=ON")
moat_summary("examples" ${MOAT_BUILD_EXAMPLES} "-DMOAT_BUILD_EXAMPLES=ON")
moat_summary("tests" ${MOAT_BUILD_TESTS} "-DMOAT_BUILD_TESTS=ON")
moat_summary("benchmarks" ${MOAT_BUILD_BENCH} "-DMOAT_BUILD_BENCH=ON")
