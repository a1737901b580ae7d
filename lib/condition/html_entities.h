// The named characters of HTML: "&eacute;" is U+00E9. Names in lower case only, which is what is
// left of them in a caption that was put into lower case.
#pragma once

#include <string>
#include <string_view>

namespace vq {

// What a name without "&" stands for, with its ";" or, for the few old ones, without; null when
// there is no such name.
const std::u32string* html_entity(std::string_view name);

}  // namespace vq
