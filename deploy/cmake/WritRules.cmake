# How rooms, tests and fuzzers are built. A room is one static library; its headers are included
# by room name ("log/store.h"). tests/layer proves what this file only makes convenient.
#
#   writ_room(NAME log PURE SOURCES store.c segment.c USES base wire LIBS zlib)
#   writ_test(NAME log_store SOURCES test_store.c USES log LIBS ...)      # cmocka, run by ctest
#   writ_fuzzer(NAME wire_frame SOURCES fuzz_frame.c USES wire)          # libFuzzer, preset "fuzz"
#
# USES names rooms, LIBS names pkg-config modules.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(WRIT_SANITIZE "" CACHE STRING "Sanitizers for the whole build, as in -fsanitize=")
option(WRIT_FUZZ "Build the libFuzzer targets (needs clang)" OFF)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_compile_definitions(_GNU_SOURCE WRIT_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror
                    -fno-strict-aliasing -fno-common -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # clang does not know the warning
  add_compile_options(-Wno-format-truncation) # messages are cut to their field on purpose
endif()
# x86-64 with SSE4.2 is the floor: CRC32C has an instruction there.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-msse4.2)
endif()
if(WRIT_SANITIZE)
  add_compile_options(-fsanitize=${WRIT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WRIT_SANITIZE})
endif()
if(WRIT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

set_property(GLOBAL PROPERTY WRIT_PURE_ROOMS "")

function(writ_link target)
  cmake_parse_arguments(A "" "" "USES;LIBS" ${ARGN})
  foreach(room IN LISTS A_USES)
    target_link_libraries(${target} PUBLIC writ_${room})
  endforeach()
  foreach(lib IN LISTS A_LIBS)
    string(MAKE_C_IDENTIFIER "PC_${lib}" var)
    pkg_check_modules(${var} REQUIRED IMPORTED_TARGET GLOBAL ${lib})
    target_link_libraries(${target} PUBLIC PkgConfig::${var})
  endforeach()
endfunction()

function(writ_room)
  cmake_parse_arguments(A "PURE" "NAME" "SOURCES;USES;LIBS" ${ARGN})
  add_library(writ_${A_NAME} STATIC ${A_SOURCES})
  get_filename_component(wing ${CMAKE_CURRENT_SOURCE_DIR} DIRECTORY)
  target_include_directories(writ_${A_NAME} PUBLIC ${wing})
  writ_link(writ_${A_NAME} USES ${A_USES} LIBS ${A_LIBS})
  if(A_PURE)
    set_property(GLOBAL APPEND PROPERTY WRIT_PURE_ROOMS ${A_NAME})
  endif()
endfunction()

function(writ_test)
  cmake_parse_arguments(A "" "NAME;TIMEOUT" "SOURCES;USES;LIBS;ARGS;LABELS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  add_executable(test_${A_NAME} ${A_SOURCES})
  writ_link(test_${A_NAME} USES ${A_USES} LIBS cmocka ${A_LIBS})
  target_link_libraries(test_${A_NAME} PUBLIC Threads::Threads)
  add_test(NAME ${A_NAME} COMMAND test_${A_NAME} ${A_ARGS}
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${A_NAME} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "unit;${A_LABELS}")
endfunction()

function(writ_fuzzer)
  cmake_parse_arguments(A "" "NAME" "SOURCES;USES;LIBS" ${ARGN})
  if(NOT WRIT_FUZZ)
    return()
  endif()
  add_executable(fuzz_${A_NAME} ${A_SOURCES})
  writ_link(fuzz_${A_NAME} USES ${A_USES} LIBS ${A_LIBS})
  target_link_options(fuzz_${A_NAME} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY WRIT_FUZZERS ${A_NAME})
endfunction()

# Adds every sub-folder of the calling folder that has a CMakeLists.txt, in the order given first,
# so that a new room needs no edit of a shared file.
function(writ_add_rooms)
  foreach(name IN LISTS ARGN)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/CMakeLists.txt)
      add_subdirectory(${name})
    endif()
  endforeach()
endfunction()

# writ_document(docs/verdicts.md policy_docs verdicts): the document holds what the program prints,
# whole or between "<!-- generated ... -->" and "<!-- end of generated -->". tests/layer compares;
# the target "docs" rewrites.
function(writ_document document program)
  list(JOIN ARGN " " arguments)
  set_property(GLOBAL APPEND PROPERTY WRIT_DOCUMENTS
               "${document} $<TARGET_FILE:${program}> ${arguments}")
endfunction()

# Called once, after all folders: the list that tests/layer reads.
function(writ_finish)
  get_property(documents GLOBAL PROPERTY WRIT_DOCUMENTS)
  list(JOIN documents "\n" text)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated-documents.txt CONTENT "${text}\n")
  get_property(fuzzers GLOBAL PROPERTY WRIT_FUZZERS)
  set(text "")
  foreach(name IN LISTS fuzzers)
    get_target_property(folder fuzz_${name} SOURCE_DIR)
    string(APPEND text "${name} $<TARGET_FILE:fuzz_${name}> ${folder}/corpus\n")
  endforeach()
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/fuzzers.txt CONTENT "${text}")
endfunction()
