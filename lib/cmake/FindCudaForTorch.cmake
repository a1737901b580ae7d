# What libvq_cuda.so is built with: a CUDA compiler, and the CUDA parts of the LibTorch that was found.
#
#   CudaForTorch_FOUND   the language CUDA is enabled, and these exist:
#   LibTorch::cuda       libtorch_cuda and libc10_cuda
#   LibTorch::cudart     the very libcudart that they use, so that both mean the same streams and devices
#                        by the same calls; a second one, linked in, would keep account of its own
#   CudaForTorch_REASON  else, why not
#
# CUDACXX or CMAKE_CUDA_COMPILER name the compiler; else nvcc of PATH, CUDA_HOME or /usr/local/cuda.

set(CudaForTorch_FOUND FALSE)
set(CudaForTorch_REASON)

# Sets LIBRARY to the libcudart that libtorch_cuda names, and MAJOR to its version.
function(_cudart_of_torch LIBRARY MAJOR)
  find_program(CMAKE_READELF NAMES readelf llvm-readelf)
  if(NOT CMAKE_READELF)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C
                          ${CMAKE_READELF} -d ${LibTorch_LIB_DIR}/libtorch_cuda.so
                  OUTPUT_VARIABLE dynamic ERROR_QUIET)
  if(NOT dynamic MATCHES "\\[(libcudart[^]\n]*\\.so\\.([0-9]+)[^]\n]*)\\]")
    return()
  endif()
  set(name ${CMAKE_MATCH_1})
  set(${MAJOR} ${CMAKE_MATCH_2} PARENT_SCOPE)
  string(REGEX MATCH "R(UN)?PATH[^\n]*\\[([^]\n]*)\\]" _ "${dynamic}")
  string(REPLACE "$ORIGIN" "${LibTorch_LIB_DIR}" folders "${CMAKE_MATCH_2}")
  string(REPLACE ":" ";" folders "${folders}")
  find_library(VQ_CUDART NAMES ${name} PATHS ${folders} ${LibTorch_LIB_DIR} NO_DEFAULT_PATH)
  find_library(VQ_CUDART NAMES ${name} PATHS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES})
  mark_as_advanced(VQ_CUDART)
  set(${LIBRARY} ${VQ_CUDART} PARENT_SCOPE)
endfunction()

if(NOT LibTorch_CUDA OR NOT EXISTS ${LibTorch_LIB_DIR}/libc10_cuda.so)
  set(CudaForTorch_REASON "this LibTorch has no CUDA part")
else()
  if(NOT DEFINED CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(VQ_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
    mark_as_advanced(VQ_NVCC)
    if(VQ_NVCC)
      set(ENV{CUDACXX} ${VQ_NVCC})
    endif()
  endif()
  # Ampere and Hopper as they are, and what later ones compile for themselves.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPUs that libvq_cuda.so is compiled for")
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(CudaForTorch_REASON "no CUDA compiler that works")
  else()
    enable_language(CUDA)
    _cudart_of_torch(_cudart _major)
    string(REGEX MATCH "^[0-9]+" _compiler "${CMAKE_CUDA_COMPILER_VERSION}")
    if(NOT _cudart)
      set(CudaForTorch_REASON "the libcudart of libtorch_cuda.so is not here")
    elseif(NOT _compiler EQUAL _major)
      set(CudaForTorch_REASON "nvcc is of CUDA ${_compiler} and LibTorch of ${_major}")
    else()
      set(CudaForTorch_FOUND TRUE)
    endif()
  endif()
endif()

if(CudaForTorch_FOUND AND NOT TARGET LibTorch::cuda)
  add_library(LibTorch::c10_cuda SHARED IMPORTED)
  set_target_properties(LibTorch::c10_cuda PROPERTIES
                        IMPORTED_LOCATION ${LibTorch_LIB_DIR}/libc10_cuda.so)
  add_library(LibTorch::cudart SHARED IMPORTED)
  set_target_properties(LibTorch::cudart PROPERTIES
    IMPORTED_LOCATION ${_cudart}
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}")
  add_library(LibTorch::cuda SHARED IMPORTED)
  set_target_properties(LibTorch::cuda PROPERTIES
    IMPORTED_LOCATION ${LibTorch_LIB_DIR}/libtorch_cuda.so
    INTERFACE_LINK_LIBRARIES "LibTorch::c10_cuda;LibTorch::cudart;LibTorch::cpu")
endif()

foreach(_name cudart major compiler)
  unset(_${_name})
endforeach()
