# One static library per folder of src/. The dependencies stated here are the only arrows that
# dev/check_layers allows between folders; ARCHITECTURE.md draws them.

add_library(ekiden_options INTERFACE)
target_compile_options(ekiden_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough
  -Werror=unused-result -Werror=return-type -Werror=dangling -Wno-missing-field-initializers
  -fstack-protector-strong
  # ccache can only share precompiled headers that carry no time stamp
  "SHELL:-Xclang -fno-pch-timestamp")
target_compile_definitions(ekiden_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_ERROR_CODE_HEADER_ONLY
  FMT_HEADER_ONLY=0 _FILE_OFFSET_BITS=64)
target_include_directories(ekiden_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

# ekiden_library(<folder> DEPENDS <folders> LINK <imported targets> [NO_PCH])
function(ekiden_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()
  add_library(ekiden_${name} STATIC ${sources})
  target_link_libraries(ekiden_${name} PUBLIC ekiden_options ${ARG_LINK})
  foreach(dep IN LISTS ARG_DEPENDS)
    target_link_libraries(ekiden_${name} PUBLIC ekiden_${dep})
  endforeach()
  if(name STREQUAL "base")
    target_precompile_headers(ekiden_base PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)
  elseif(NOT ARG_NO_PCH)
    target_precompile_headers(ekiden_${name} REUSE_FROM ekiden_base)
  endif()
endfunction()
