# find_package(fed) gives the target fed::fed, the shared library.
include(${CMAKE_CURRENT_LIST_DIR}/fed-targets.cmake)
