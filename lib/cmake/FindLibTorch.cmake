# LibTorch, whichever way it came: the PyPI wheel, a Python environment that has it, or the official zip.
#
#   LibTorch::cpu       what programs link: headers, libtorch_cpu and libc10, nothing of CUDA
#   LibTorch_VERSION    such as 2.11.0
#   LibTorch_LIB_DIR    the folder of its libraries, for run paths
#   LibTorch_CUDA       libtorch_cuda lies beside them (loaded at run time, never linked)
#
# Looked for, first hit wins: LIBTORCH (cache, then environment), Torch_DIR (both), CMAKE_PREFIX_PATH (both),
# then build/libtorch, which `sh tests/run.sh` fills. Each may name a site-packages folder, the torch folder
# in it, torch/share/cmake or torch/share/cmake/Torch.
#
# The package's own TorchConfig.cmake is not used: it stops where no CUDA toolkit is installed, and where one
# is, it links every program to all of CUDA.

# ---- where

set(_places)
foreach(_name LIBTORCH Torch_DIR CMAKE_PREFIX_PATH)
  list(APPEND _places ${${_name}})
  if(DEFINED ENV{${_name}})
    string(REPLACE ":" ";" _list "$ENV{${_name}}")
    list(APPEND _places ${_list})
  endif()
  if(_name STREQUAL "LIBTORCH" AND _places)
    set(_named ${_places})
  endif()
endforeach()
list(APPEND _places ${CMAKE_BINARY_DIR}/libtorch ${CMAKE_SOURCE_DIR}/build/libtorch)

set(_root)
foreach(_place IN LISTS _places)
  foreach(_layout . torch libtorch ../.. ../../..)
    get_filename_component(_folder ${_place}/${_layout} ABSOLUTE)
    if(EXISTS ${_folder}/lib/libtorch_cpu.so AND EXISTS ${_folder}/include/ATen/ATen.h)
      set(_root ${_folder})
      break()
    endif()
  endforeach()
  if(_root)
    break()
  endif()
  if(_place IN_LIST _named)
    message(FATAL_ERROR "LIBTORCH=${_place} holds no LibTorch: neither lib/libtorch_cpu.so with "
                        "include/ATen/ATen.h nor torch/lib/libtorch_cpu.so.")
  endif()
endforeach()

if(NOT _root)
  set(LibTorch_FOUND FALSE)
  if(LibTorch_FIND_REQUIRED)
    message(FATAL_ERROR "No LibTorch. Either `sh tests/run.sh --build-only`, which fetches it, or "
                        "-DLIBTORCH=DIR where DIR holds torch/lib/libtorch_cpu.so or lib/libtorch_cpu.so, "
                        "or -DVQ_TORCH=OFF for the part that needs none.")
  endif()
  return()
endif()

set(LibTorch_LIB_DIR ${_root}/lib)
set(LibTorch_CUDA FALSE)
if(EXISTS ${LibTorch_LIB_DIR}/libtorch_cuda.so)
  set(LibTorch_CUDA TRUE)
endif()

# ---- which version: version.py in wheels, build-version in the zip

set(LibTorch_VERSION 0)
foreach(_file version.py build-version)
  if(EXISTS ${_root}/${_file})
    file(STRINGS ${_root}/${_file} _lines REGEX "^(__version__|[0-9])")
    if(_lines MATCHES "([0-9]+\\.[0-9]+\\.[0-9]+)")
      set(LibTorch_VERSION ${CMAKE_MATCH_1})
      break()
    endif()
  endif()
endforeach()

# ---- which std::string: builds before 2.7 may have the old one, and say so in their own config

set(_abi 1)
set(_config ${_root}/share/cmake/Torch/TorchConfig.cmake)
if(EXISTS ${_config})
  file(STRINGS ${_config} _lines REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(_lines)
    set(_abi 0)
  endif()
endif()
if(_abi EQUAL 0)
  message(FATAL_ERROR "${_root}: this LibTorch has the std::string of before GCC 5; programs that also link "
                      "the system's libraries need the cxx11 build of it (all of 2.7 and later).")
endif()

# ---- libraries that libtorch_cpu itself wants and that its package may lack

# Sets OUT to the names that libtorch_cpu needs and that neither its own run path nor the system offers.
function(_libtorch_missing LIBRARY OUT)
  find_program(CMAKE_READELF NAMES readelf llvm-readelf)
  find_program(LDCONFIG_EXECUTABLE ldconfig PATHS /sbin /usr/sbin)
  mark_as_advanced(LDCONFIG_EXECUTABLE)
  set(missing)
  if(CMAKE_READELF)
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${CMAKE_READELF} -d ${LIBRARY}
                    OUTPUT_VARIABLE dynamic ERROR_QUIET)
    set(cache)
    if(LDCONFIG_EXECUTABLE)
      execute_process(COMMAND ${LDCONFIG_EXECUTABLE} -p OUTPUT_VARIABLE cache ERROR_QUIET)
    endif()
    get_filename_component(origin ${LIBRARY} DIRECTORY)
    string(REGEX MATCH "R(UN)?PATH[^\n]*\\[([^]\n]*)\\]" _ "${dynamic}")
    string(REPLACE "$ORIGIN" "${origin}" folders "${CMAKE_MATCH_2}:$ENV{LD_LIBRARY_PATH}")
    string(REPLACE ":" ";" folders "${folders}")
    string(REGEX MATCHALL "\\[lib(cudart|cupti)[^]\n]*\\]" needed "${dynamic}")
    foreach(name IN LISTS needed)
      string(REGEX REPLACE "[][]" "" name ${name})
      set(found FALSE)
      foreach(folder IN LISTS folders)
        if(folder AND EXISTS ${folder}/${name})
          set(found TRUE)
        endif()
      endforeach()
      string(FIND "${cache}" "${name} " at)
      if(NOT found AND at EQUAL -1)
        list(APPEND missing ${name})
      endif()
    endforeach()
  endif()
  set(${OUT} ${missing} PARENT_SCOPE)
endfunction()

_libtorch_missing(${LibTorch_LIB_DIR}/libtorch_cpu.so _missing)
if(_missing)
  list(JOIN _missing " and " _names)
  get_filename_component(_target ${_root} DIRECTORY)
  message(FATAL_ERROR "${LibTorch_LIB_DIR}/libtorch_cpu.so needs ${_names}, which are not here. They are two small "
                      "wheels (no CUDA toolkit, no device needed):\n"
                      "  python3 -m pip install --no-deps --target ${_target} "
                      "nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85")
endif()

# ---- the target

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_LIB_DIR VERSION_VAR LibTorch_VERSION)

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${LibTorch_LIB_DIR}/libc10.so)
  add_library(LibTorch::cpu SHARED IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION ${LibTorch_LIB_DIR}/libtorch_cpu.so
    INTERFACE_INCLUDE_DIRECTORIES "${_root}/include;${_root}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    INTERFACE_LINK_OPTIONS LINKER:--as-needed)
endif()

foreach(_name places named root place layout folder name list file lines abi config missing names target)
  unset(_${_name})
endforeach()
