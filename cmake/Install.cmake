# What is installed and packaged: the library (shared and static, pkg-config, CMake package), its
# headers, the programs, man pages, completion, systemd units; and the .deb files made of them.
include(CMakePackageConfigHelpers)

# The folders that define what include/fed declares (rules/symbols checks that none is forgotten).
set(FED_LIBRARY_FOLDERS base tensor train data)

fed_objects(library_objects ${FED_LIBRARY_FOLDERS})
set(private_libraries -lm -lpthread)
foreach(folder ${FED_LIBRARY_FOLDERS})
  if(NOT TARGET fed_${folder})
    continue()
  endif()
  get_target_property(links fed_${folder} LINK_LIBRARIES)
  foreach(link ${links})
    if(link MATCHES "^PkgConfig::(PKG_.+)$")
      list(APPEND library_packages ${link})
      list(TRANSFORM ${CMAKE_MATCH_1}_LIBRARIES PREPEND -l OUTPUT_VARIABLE flags)
      list(PREPEND private_libraries ${flags})
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES private_libraries)
list(JOIN private_libraries " " FED_PRIVATE_LIBRARIES)

# The library: libfed.so.0 exports what the headers mark FED_API, and the map lets nothing else by.
set(FED_MAP ${PROJECT_SOURCE_DIR}/packaging/libfed.map)
add_library(fed SHARED ${library_objects})
add_library(fed-static STATIC ${library_objects})
set_target_properties(fed fed-static PROPERTIES OUTPUT_NAME fed LINKER_LANGUAGE C)
set_target_properties(fed PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                      LINK_DEPENDS ${FED_MAP})
target_link_libraries(fed PRIVATE fed_settings ${library_packages})
target_link_options(fed PRIVATE -Wl,--version-script=${FED_MAP} -Wl,--as-needed)
if(NOT FED_SANITIZE) # the sanitizers' functions come with the program
  target_link_options(fed PRIVATE -Wl,--no-undefined)
endif()
add_custom_command(TARGET fed-static POST_BUILD
  COMMAND ${PROJECT_SOURCE_DIR}/packaging/own_symbols.sh ${CMAKE_NM} ${CMAKE_OBJCOPY}
          $<TARGET_FILE:fed-static> VERBATIM)
target_include_directories(fed INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

file(RELATIVE_PATH FED_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" FED_PREFIX_FROM_PC ${FED_PREFIX_FROM_PC}) # works under any prefix
configure_file(packaging/fed.pc.in packaging/fed.pc @ONLY)
write_basic_package_version_file(packaging/fed-config-version.cmake COMPATIBILITY SameMinorVersion)
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/fed)
install(TARGETS fed EXPORT fed-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS fed-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/fed DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/packaging/fed.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(EXPORT fed-targets NAMESPACE fed:: DESTINATION ${config_folder} COMPONENT development)
install(DIRECTORY examples/embed DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libfed-dev/examples
        COMPONENT development)
install(FILES packaging/fed-config.cmake ${PROJECT_BINARY_DIR}/packaging/fed-config-version.cmake
        DESTINATION ${config_folder} COMPONENT development)

# Manual pages and completion are printed by the programs, from the same tables that parse the
# command line. fed_install_printed(TARGET COMMAND FILE DESTINATION COMPONENT)
function(fed_install_printed target command file destination component)
  set(made ${PROJECT_BINARY_DIR}/packaging/${file})
  string(REGEX REPLACE "\\.gz$" "" plain ${made})
  add_custom_command(OUTPUT ${plain} COMMAND ${target} ${command} > ${plain}
                     DEPENDS ${target} VERBATIM)
  if(NOT plain STREQUAL made)
    add_custom_command(OUTPUT ${made} COMMAND gzip -9nkf ${plain} DEPENDS ${plain} VERBATIM)
  endif()
  add_custom_target(${target}-${command} ALL DEPENDS ${made})
  install(FILES ${made} DESTINATION ${CMAKE_INSTALL_DATADIR}/${destination} COMPONENT ${component})
endfunction()

# The programs, each with its manual page, completion, unit and user.
# fed_install_program(TARGET NAME COMPONENT)
function(fed_install_program target name component)
  install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
  fed_install_printed(${target} manual ${name}.1.gz man/man1 ${component})
  fed_install_printed(${target} completion completion/${name} bash-completion/completions
                      ${component})
  configure_file(packaging/systemd/${component}.service.in packaging/${component}.service @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/packaging/${component}.service
          DESTINATION lib/systemd/system COMPONENT ${component})
  install(FILES packaging/sysusers/${component}.conf DESTINATION lib/sysusers.d
          COMPONENT ${component})
  install(FILES packaging/default/${component} DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/default
          COMPONENT ${component})
endfunction()

function(fed_install_page page component)
  get_filename_component(name ${page} NAME)
  string(REGEX MATCH "[1-8]$" section ${name})
  configure_file(${page} packaging/${name} COPYONLY)
  execute_process(COMMAND gzip -9nkf ${PROJECT_BINARY_DIR}/packaging/${name}
                  COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${PROJECT_BINARY_DIR}/packaging/${name}.gz
          DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
endfunction()

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/packaging/completion)
if(TARGET fed-program)
  fed_install_program(fed-program fed fed-server)
  fed_install_page(docs/man/fed-job.5 fed-server)
  fed_install_page(docs/man/fed-export.1 fed-server)
  set(python ${CMAKE_INSTALL_DATADIR}/fed/python) # to import, and to run by the link fed-export
  install(PROGRAMS python/fed_export.py DESTINATION ${python} COMPONENT fed-server)
  install(FILES python/fed_answers.py DESTINATION ${python} COMPONENT fed-server)
  file(RELATIVE_PATH target ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_DATADIR}/fed/python/fed_export.py)
  file(CREATE_LINK ${target} ${PROJECT_BINARY_DIR}/packaging/fed-export SYMBOLIC)
  install(FILES ${PROJECT_BINARY_DIR}/packaging/fed-export DESTINATION ${CMAKE_INSTALL_BINDIR}
          COMPONENT fed-server)
  install(FILES packaging/lintian/fed-server DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
          COMPONENT fed-server)
  install(DIRECTORY examples/fashion examples/heart examples/external-numpy # `fed demo` reads them
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fed/examples COMPONENT fed-server)
endif()
if(TARGET fed-mpi)
  install(TARGETS fed-mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/fed COMPONENT mpi)
endif()
if(TARGET fed-agent)
  fed_install_program(fed-agent fed-agent fed-agent)
  fed_install_page(docs/man/fed-policy.5 fed-agent)
endif()

include(cmake/Packages.cmake)

if(EXISTS ${PROJECT_SOURCE_DIR}/tests/packaging AND packaging IN_LIST FED_SUITES)
  add_subdirectory(tests/packaging)
endif()
