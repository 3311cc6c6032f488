# install.cmake: what goes where. The installed tree may be moved: neither the
# pkg-config files nor the CMake package knows its prefix.
#
# Components: lib (the shared library), dev (headers, static library, files for
# build systems), doc (manual pages, licence), bin (the command; host/).
#
# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)

set(moat_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/moat)

install(TARGETS moat_static moat_shared moat_system EXPORT moatTargets
    ARCHIVE COMPONENT dev
    LIBRARY COMPONENT lib NAMELINK_COMPONENT dev
    FILE_SET HEADERS COMPONENT dev
    FILE_SET cxx_headers COMPONENT dev)
if(MOAT_BUILD_SCHED)
    install(TARGETS moat_sched_static moat_sched_shared EXPORT moatTargets
        ARCHIVE COMPONENT dev
        LIBRARY COMPONENT lib NAMELINK_COMPONENT dev
        FILE_SET HEADERS COMPONENT dev
        FILE_SET cxx_headers COMPONENT dev)
endif()
if(MOAT_HAVE_UV)
    install(TARGETS moat_uv_static moat_uv_shared EXPORT moatTargets
        ARCHIVE COMPONENT dev
        LIBRARY COMPONENT lib NAMELINK_COMPONENT dev
        FILE_SET HEADERS COMPONENT dev)
endif()
if(MOAT_HAVE_SIGSEGV)
    install(TARGETS moat_sigsegv_static moat_sigsegv_shared EXPORT moatTargets
        ARCHIVE COMPONENT dev
        LIBRARY COMPONENT lib NAMELINK_COMPONENT dev
        FILE_SET HEADERS COMPONENT dev)
endif()
if(MOAT_HAVE_MALLOC)
    install(TARGETS moat_malloc_shared EXPORT moatTargets
        LIBRARY COMPONENT lib NAMELINK_COMPONENT dev
        FILE_SET HEADERS COMPONENT dev)
endif()
install(EXPORT moatTargets NAMESPACE moat:: COMPONENT dev
    DESTINATION ${moat_cmake_dir})

configure_package_config_file(cmake/moatConfig.cmake.in moatConfig.cmake
    INSTALL_DESTINATION ${moat_cmake_dir})
write_basic_package_version_file(moatConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/moatConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/moatConfigVersion.cmake
    COMPONENT dev DESTINATION ${moat_cmake_dir})

# The way from the .pc file up to the prefix and down again. An absolute
# directory (some distributions configure one) is taken as it is.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR moat_fixed_libdir)
if(moat_fixed_libdir)
    set(moat_pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(moat_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
        BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
        OUTPUT_VARIABLE moat_pc_up)
    set(moat_pc_prefix "\${pcfiledir}/${moat_pc_up}")
    set(moat_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_INCLUDEDIR moat_fixed_includedir)
if(moat_fixed_includedir)
    set(moat_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(moat_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(name IN ITEMS moat moat-static)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

if(MOAT_BUILD_SCHED)
    configure_file(sched/moat-sched.pc.in moat-sched.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moat-sched.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(MOAT_HAVE_UV)
    configure_file(uv/moat-uv.pc.in moat-uv.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moat-uv.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(MOAT_HAVE_SIGSEGV)
    configure_file(sigsegv/moat-sigsegv.pc.in moat-sigsegv.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moat-sigsegv.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(MOAT_HAVE_MALLOC)
    configure_file(malloc/moat-malloc.pc.in moat-malloc.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moat-malloc.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

# What gdb and lldb load. gdb looks for the script of a library below
# share/gdb/auto-load, by the library's whole path, which is known only when it
# is installed.
set(moat_debugger_dir ${CMAKE_INSTALL_DATADIR}/moat/debugger)
install(FILES
    debugger/moat_table.py
    debugger/moat_tasks.py
    debugger/moat_gdb.py
    debugger/moat_lldb.py
    debugger/moat_lldb_threads.py
    COMPONENT dev DESTINATION ${moat_debugger_dir})
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}
    OUTPUT_VARIABLE moat_up)
set(moat_debugger_from_lib ${moat_up}/${moat_debugger_dir})
if(moat_fixed_libdir)
    set(moat_debugger_from_lib ${CMAKE_INSTALL_PREFIX}/${moat_debugger_dir})
    set(moat_autoload_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    set(moat_autoload_libdir "\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}")
endif()
configure_file(debugger/autoload.py.in autoload.py @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/autoload.py
    COMPONENT dev RENAME libmoat.so.${PROJECT_VERSION}-gdb.py
    DESTINATION
        ${CMAKE_INSTALL_DATADIR}/gdb/auto-load/${moat_autoload_libdir})

# The documents, with what they link to at the same places below the folder;
# the headers name them as docs/... and examples/...
install(FILES LICENSE README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md
    COMPONENT doc DESTINATION ${CMAKE_INSTALL_DOCDIR})
file(GLOB moat_documents CONFIGURE_DEPENDS docs/*.md)
install(FILES ${moat_documents} COMPONENT doc
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
foreach(file IN ITEMS docs/man/moat.7 debian/control tools/packages.txt
        tests/corpus/README.md tests/fault/valgrind.c)
    cmake_path(GET file PARENT_PATH folder)
    install(FILES ${file} COMPONENT doc
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/${folder})
endforeach()
install(DIRECTORY examples COMPONENT doc DESTINATION ${CMAKE_INSTALL_DOCDIR}
    USE_SOURCE_PERMISSIONS
    PATTERN demo EXCLUDE)
# Links to headers lead to where they are installed.
foreach(folder IN ITEMS "" docs)
    cmake_path(APPEND CMAKE_INSTALL_FULL_DOCDIR "${folder}"
        OUTPUT_VARIABLE moat_from)
    cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR
        BASE_DIRECTORY ${moat_from} OUTPUT_VARIABLE moat_to_headers${folder})
endforeach()
configure_file(cmake/links.cmake.in links.cmake @ONLY)
install(SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/links.cmake COMPONENT doc)
install(DIRECTORY ${moat_man_dir}/ COMPONENT doc
    DESTINATION ${CMAKE_INSTALL_MANDIR})
