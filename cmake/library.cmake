# library.cmake: what moat's library and those beside it have in common.
#
# SPDX-License-Identifier: MIT

# Sets on TARGET, which is compiled into one of the libraries, what holds for
# the sources of all of them.
function(moat_library_objects target)
    target_include_directories(${target} PRIVATE
        ${PROJECT_SOURCE_DIR}/include
        ${PROJECT_BINARY_DIR}/include)
    target_compile_definitions(${target} PRIVATE
        _GNU_SOURCE) # registers in ucontext_t, dladdr, MAP_..., MADV_...
    target_compile_options(${target} PRIVATE
        # Backtraces start at any instruction, in a build of any kind.
        -fasynchronous-unwind-tables
        # No path of the building machine in the objects.
        -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
        -ffile-prefix-map=${PROJECT_BINARY_DIR}=.)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11
        C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON)
    moat_target_warnings(${target})
endfunction()

# Sets on the shared library TARGET its name, its version and its exported
# symbols, those of the version script MAP.
function(moat_shared_library target name map)
    moat_library_name(${target} ${name})
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${map})
    target_link_options(${target} PRIVATE
        LINKER:--version-script=${map}
        $<$<NOT:$<BOOL:${MOAT_SANITIZE}>>:LINKER:-z,defs>)
endfunction()

function(moat_library_name target name)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name}
        LINKER_LANGUAGE C
        VERSION ${PROJECT_VERSION}
        # Before 1.0 each minor version may break the ABI.
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

# Makes TARGET_static and TARGET_shared of the objects TARGET_objects, as
# lib<NAME>, and the alias moat::<NAME> of the kind that BUILD_SHARED_LIBS asks
# for. HEADERS are public ones below include/.
function(moat_library target name map)
    cmake_parse_arguments(library "" "" "HEADERS;CXX_HEADERS;HEADER_DIRS"
        ${ARGN})
    add_library(${target}_static STATIC $<TARGET_OBJECTS:${target}_objects>)
    add_library(${target}_shared SHARED $<TARGET_OBJECTS:${target}_objects>)
    foreach(kind IN ITEMS ${target}_static ${target}_shared)
        add_library(moat::${kind} ALIAS ${kind})
        target_sources(${kind} PUBLIC FILE_SET HEADERS
            BASE_DIRS include ${library_HEADER_DIRS}
            FILES ${library_HEADERS})
        if(library_CXX_HEADERS)
            target_sources(${kind} PUBLIC FILE_SET cxx_headers TYPE HEADERS
                BASE_DIRS include
                FILES ${library_CXX_HEADERS})
        endif()
        target_compile_features(${kind} INTERFACE c_std_11)
    endforeach()
    moat_library_name(${target}_static ${name})
    set_target_properties(${target}_static PROPERTIES
        VERIFY_INTERFACE_HEADER_SETS ON
        INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
    moat_shared_library(${target}_shared ${name} ${map})
    if(BUILD_SHARED_LIBS)
        add_library(moat::${name} ALIAS ${target}_shared)
    else()
        add_library(moat::${name} ALIAS ${target}_static)
    endif()
endfunction()
