# The .deb files, made by tools/package: libfed0, libfed-dev, fed-server, fed-mpi, fed-agent.
set(FED_MAINTAINER "fed developers <fed@localhost.localdomain>" CACHE STRING
    "Who built the packages")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "fed developers")
set(CPACK_PACKAGE_CONTACT ${FED_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENTS_ALL library development)

# fed_package(COMPONENT NAME SECTION SUMMARY): the first line, then the paragraph below it.
function(fed_package component name section summary text)
  string(TOUPPER ${component} key)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_DESCRIPTION "${summary}\n${text}" PARENT_SCOPE)
endfunction()

set(about "fed trains one model on data that several parties hold,\nwithout moving the data.")
fed_package(library libfed0 libs "federated learning (shared library)"
            "${about}\nThis is the library: tensors, model files, training.")
fed_package(development libfed-dev libdevel "federated learning (development files)"
            "${about}\nThese are the headers and the static library.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libfed0 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/deb/triggers)
if(TARGET fed-program)
  list(APPEND CPACK_COMPONENTS_ALL fed-server)
  fed_package(fed-server fed-server science "federated learning (server and operator's program)"
              "${about}\nThis is the program fed: server, jobs, models, enrolment, evaluation.")
endif()
if(TARGET fed-mpi)
  list(APPEND CPACK_COMPONENTS_ALL mpi)
  fed_package(mpi fed-mpi science "federated learning (simulations by several processes)"
              "${about}\nWith this module mpirun runs `fed simulate` on several processors and machines.")
  set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "fed-server (= ${PROJECT_VERSION}), openmpi-bin")
endif()
if(TARGET fed-agent)
  list(APPEND CPACK_COMPONENTS_ALL fed-agent)
  fed_package(fed-agent fed-agent science "federated learning (agent of a data holder)"
              "${about}\nThe agent runs beside the data, trains there and sends updates only.")
endif()
# Loaded at run time, so that no dependency is found; without it training is slow but works.
foreach(key LIBRARY FED-SERVER FED-AGENT)
  set(CPACK_DEBIAN_${key}_PACKAGE_RECOMMENDS libdnnl2)
endforeach()
set(CPACK_DEBIAN_FED-SERVER_PACKAGE_SUGGESTS # for `fed demo`; for fed-export
    "fed-agent, fed-mpi, dataset-fashion-mnist, python3")

# Debian's own files of a package: licence, change log, scripts that run at installation.
configure_file(packaging/deb/changelog.in packaging/changelog @ONLY)
execute_process(COMMAND gzip -9nkf ${PROJECT_BINARY_DIR}/packaging/changelog
                COMMAND_ERROR_IS_FATAL ANY)
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} key)
  install(FILES packaging/deb/copyright ${PROJECT_BINARY_DIR}/packaging/changelog.gz
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${key}_PACKAGE_NAME}
          COMPONENT ${component})
  if(component MATCHES "^fed-")
    file(CONFIGURE OUTPUT packaging/${component}/conffiles CONTENT "/etc/default/${component}\n")
    set(control ${PROJECT_BINARY_DIR}/packaging/${component}/conffiles)
    foreach(script postinst prerm postrm)
      list(APPEND control ${PROJECT_SOURCE_DIR}/packaging/deb/${script})
    endforeach()
    set(CPACK_DEBIAN_${key}_PACKAGE_CONTROL_EXTRA ${control})
    set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS "systemd | systemd-sysusers")
  endif()
endforeach()
include(CPack)
