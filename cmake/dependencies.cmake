# dependencies.cmake: the libraries that moat stands on, as one target,
# moat_system, and the answers MOAT_HAVE_LIBUNWIND, _LIBDW, _VALGRIND.
#
# Two rules are kept here for every program that links moat:
#
# libgcc_s comes before libunwind. Both define _Unwind_RaiseException and its
# family; whichever is found first serves every C++ exception of the program,
# and libunwind's cannot cross a coroutine's border. The linker flags are one
# word so that nothing that sorts or merges link lines can take them apart, and
# --no-as-needed keeps libgcc_s even where nothing calls it yet.
#
# A program linked with -static has no libgcc_s; it sets its target property
# MOAT_FULLY_STATIC, and libgcc_eh takes its place and what the static libraries
# need is added.
#
# SPDX-License-Identifier: MIT
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# Looks for one package; `wanted` is AUTO, ON or OFF.
function(moat_find_package prefix module wanted debian)
    set(MOAT_HAVE_${prefix} OFF PARENT_SCOPE)
    if(wanted STREQUAL "OFF")
        return()
    endif()
    pkg_check_modules(${prefix} QUIET ${module})
    if(${prefix}_FOUND)
        set(MOAT_HAVE_${prefix} ON PARENT_SCOPE)
        set(${prefix}_LIBRARIES ${${prefix}_LIBRARIES} PARENT_SCOPE)
        set(${prefix}_LIBRARY_DIRS ${${prefix}_LIBRARY_DIRS} PARENT_SCOPE)
        set(${prefix}_INCLUDE_DIRS ${${prefix}_INCLUDE_DIRS} PARENT_SCOPE)
        set(${prefix}_STATIC_LIBRARIES ${${prefix}_STATIC_LIBRARIES}
            PARENT_SCOPE)
    elseif(NOT wanted STREQUAL "AUTO")
        message(FATAL_ERROR
            "moat needs ${module}, which pkg-config does not know. "
            "On Debian: apt-get install ${debian}. "
            "Leave it out by -DMOAT_WITH_${prefix}=OFF. "
            "Or run tools/setup, which installs all packages.")
    endif()
endfunction()

# What a part of the tree needs: PREFIX as for pkg_check_modules.
function(moat_require prefix module debian option)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${prefix}_FOUND)
        message(FATAL_ERROR
            "${option} needs ${module}, which pkg-config does not know. "
            "On Debian: apt-get install ${debian}. "
            "Leave it out by -D${option}=OFF. "
            "Or run tools/setup, which installs all packages.")
    endif()
endfunction()

# A walk starts from registers that the port must know.
set(moat_with_libunwind ${MOAT_WITH_LIBUNWIND})
if(NOT moat_arch_knows_registers)
    set(moat_with_libunwind OFF)
endif()
moat_find_package(LIBUNWIND libunwind ${moat_with_libunwind} libunwind-dev)
moat_find_package(LIBDW libdw ${MOAT_WITH_LIBDW} libdw-dev)
moat_find_package(VALGRIND valgrind ${MOAT_WITH_VALGRIND} valgrind)

# For the library moat-uv only.
set(MOAT_HAVE_UV OFF)
if(MOAT_BUILD_SCHED)
    moat_find_package(UV libuv ${MOAT_WITH_UV} libuv1-dev)
elseif(NOT MOAT_WITH_UV MATCHES "^(AUTO|OFF)$")
    message(FATAL_ERROR "MOAT_WITH_UV=${MOAT_WITH_UV}: moat-uv stands on "
        "moat-sched, so it needs MOAT_BUILD_SCHED=ON.")
endif()

# libsigsegv has no pkg-config file. It is the library moat-sigsegv's only: never
# a part of moat_system.
set(MOAT_HAVE_SIGSEGV OFF)
if(NOT MOAT_WITH_SIGSEGV STREQUAL "OFF")
    find_path(MOAT_SIGSEGV_INCLUDE_DIR sigsegv.h)
    find_library(MOAT_SIGSEGV_LIBRARY sigsegv)
    mark_as_advanced(MOAT_SIGSEGV_INCLUDE_DIR MOAT_SIGSEGV_LIBRARY)
    if(MOAT_SIGSEGV_INCLUDE_DIR AND MOAT_SIGSEGV_LIBRARY)
        set(MOAT_HAVE_SIGSEGV ON)
    elseif(NOT MOAT_WITH_SIGSEGV STREQUAL "AUTO")
        message(FATAL_ERROR "moat-sigsegv needs libsigsegv. "
            "On Debian: apt-get install libsigsegv-dev. "
            "Leave it out by -DMOAT_WITH_SIGSEGV=OFF. "
            "Or run tools/setup, which installs all packages.")
    endif()
endif()

add_library(moat_system INTERFACE)
set(moat_pc_requires "")
set(moat_unwinder_first
    "-Wl,--push-state,--no-as-needed,-lgcc_s,--pop-state")
set(moat_fully_static
    "$<BOOL:$<TARGET_PROPERTY:MOAT_FULLY_STATIC>>")
target_link_libraries(moat_system INTERFACE
    "$<${moat_fully_static}:-lgcc_eh>"
    "$<$<NOT:${moat_fully_static}>:${moat_unwinder_first}>")

foreach(pair IN ITEMS LIBUNWIND=libunwind LIBDW=libdw)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 prefix)
    list(GET pair 1 module)
    if(MOAT_HAVE_${prefix})
        target_include_directories(moat_system SYSTEM INTERFACE
            $<BUILD_INTERFACE:${${prefix}_INCLUDE_DIRS}>)
        target_link_directories(moat_system INTERFACE
            ${${prefix}_LIBRARY_DIRS})
        # By name, not by path: with -static the linker then takes the .a.
        target_link_libraries(moat_system INTERFACE ${${prefix}_LIBRARIES}
            "$<${moat_fully_static}:${${prefix}_STATIC_LIBRARIES}>")
        list(APPEND moat_pc_requires ${module})
    endif()
endforeach()
if(MOAT_HAVE_VALGRIND)
    target_include_directories(moat_system SYSTEM INTERFACE
        $<BUILD_INTERFACE:${VALGRIND_INCLUDE_DIRS}>)
endif()
target_link_libraries(moat_system INTERFACE
    Threads::Threads ${CMAKE_DL_LIBS})
list(JOIN moat_pc_requires ", " moat_pc_requires)
