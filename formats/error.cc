#include "formats/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace vq {
namespace {

std::string one_line(const std::string& where, const std::string& what) {
  return where.empty() ? what : where + ": " + what;
}

}  // namespace

Error::Error(std::string where, std::string what, std::string hint, Kind kind)
    : std::runtime_error(one_line(where, what)),
      where_(std::move(where)),
      message_(std::move(what)),
      hint_(std::move(hint)),
      kind_(kind) {}

Error Error::usage(std::string where, std::string what, std::string hint) {
  return Error(std::move(where), std::move(what), std::move(hint), Kind::usage);
}

Error Error::from_errno(std::string where, const std::string& what) {
  // Read before anything else can change it; the category's message() is safe in threads.
  const std::string reason = std::generic_category().message(errno);
  return Error(std::move(where), what.empty() ? reason : what + ": " + reason);
}

Error Error::within(const std::string& outer) const {
  if (outer.empty()) return *this;
  return Error(where_.empty() ? outer : outer + ": " + where_, message_, hint_, kind_);
}

}  // namespace vq
