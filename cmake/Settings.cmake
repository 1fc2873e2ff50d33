# Compiler settings of the whole tree: C11, warnings as errors, sanitizers by option.
option(FED_WERROR "Warnings are errors" ON)
option(FED_FUZZ "Build the fuzz targets (needs clang)" OFF)
set(FED_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
option(FED_COVERAGE "Count executed lines" OFF)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# -ffp-contract=off and no -ffast-math: a result is the same from build to build.
add_library(fed_settings INTERFACE)
target_compile_definitions(fed_settings INTERFACE _GNU_SOURCE FED_BUILD FED_VERSION="${PROJECT_VERSION}")
target_include_directories(fed_settings INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_include_directories(fed_settings SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/generated)
target_compile_options(fed_settings INTERFACE -ffp-contract=off -fno-math-errno -fstack-protector-strong)
target_link_libraries(fed_settings INTERFACE m pthread ${CMAKE_DL_LIBS})
# A program is linked from whole folders and keeps what it uses (src/programs/CMakeLists.txt; not in
# tests: binutils 2.40 aborts where all uses of a function of several widths go).
target_compile_options(fed_settings INTERFACE -ffunction-sections -fdata-sections)
if(FED_SANITIZE)
  target_compile_options(fed_settings INTERFACE -fsanitize=${FED_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(fed_settings INTERFACE -fsanitize=${FED_SANITIZE})
endif()
if(FED_FUZZ)
  target_compile_options(fed_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(FED_COVERAGE)
  target_compile_options(fed_settings INTERFACE --coverage)
  target_link_options(fed_settings INTERFACE --coverage)
endif()

# The project's own code also gets the warnings; generated code does not. Sanitizers' checks in
# the code mislead those warnings of GCC that follow values, so there they are no errors.
add_library(fed_warnings INTERFACE)
target_compile_options(fed_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef
  -Wno-missing-field-initializers $<$<BOOL:${FED_WERROR}>:-Werror>)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang") # it looks into the macros of generated headers, too
  target_compile_options(fed_warnings INTERFACE -Wno-cast-qual)
endif()
if(FED_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(fed_warnings INTERFACE -Wno-error=format-truncation
    -Wno-error=maybe-uninitialized -Wno-error=stringop-overread -Wno-error=stringop-overflow)
endif()
