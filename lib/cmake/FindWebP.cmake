# WebP as Debian packages it: its libraries and their headers, without a CMake package.
#
#   WebP::demux   reads; includes WebP::webp
#   WebP::mux     puts files together, for tests

find_path(WEBP_INCLUDE_DIR webp/decode.h)
find_library(WEBP_LIBRARY webp)
find_library(WEBP_DEMUX_LIBRARY webpdemux)
find_library(WEBP_MUX_LIBRARY webpmux)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(WebP REQUIRED_VARS WEBP_LIBRARY WEBP_DEMUX_LIBRARY
                                  WEBP_MUX_LIBRARY WEBP_INCLUDE_DIR
                                  REASON_FAILURE_MESSAGE "install libwebp-dev")
mark_as_advanced(WEBP_INCLUDE_DIR WEBP_LIBRARY WEBP_DEMUX_LIBRARY WEBP_MUX_LIBRARY)

if(WebP_FOUND AND NOT TARGET WebP::webp)
  add_library(WebP::webp UNKNOWN IMPORTED)
  set_target_properties(WebP::webp PROPERTIES IMPORTED_LOCATION "${WEBP_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${WEBP_INCLUDE_DIR}")
  add_library(WebP::demux UNKNOWN IMPORTED)
  set_target_properties(WebP::demux PROPERTIES IMPORTED_LOCATION "${WEBP_DEMUX_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${WEBP_INCLUDE_DIR}"
                        INTERFACE_LINK_LIBRARIES WebP::webp)
  add_library(WebP::mux UNKNOWN IMPORTED)
  set_target_properties(WebP::mux PROPERTIES IMPORTED_LOCATION "${WEBP_MUX_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${WEBP_INCLUDE_DIR}"
                        INTERFACE_LINK_LIBRARIES WebP::webp)
endif()
