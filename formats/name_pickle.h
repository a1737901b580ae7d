// A list of names as Python pickled it, read without Python and without running anything: the
// filenames.pickle by which CUB-200-2011 is split where people train on it.
//
// Protocols 1 to 5 go through pickle_machine.h. Protocol 0, which Python 2 writes by default and
// whose opcodes are text, is read here as far as such lists need it:
//   (lp0\n S'001.Albatross/A_1'\n p1\n a S'001.Albatross/A_2'\n p2\n a .
//
// Laws: any bytes are a list of texts in UTF-8 or a vq::Error; what the pickle calls is never
// called, and refused.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace vq {

// WHERE names it in messages.
std::vector<std::string> read_name_pickle(std::span<const uint8_t> bytes, const std::string& where);

}  // namespace vq
