// The one exception of this project: where something went wrong, what is wrong, and what to do.
//
// Library code throws it and never prints; a tool's main frame (tools/cli/run.h) catches it once
// and shows it as `program: where: what`, followed by at most one line `program: hint: ...`.
//
//   where   the file, option, record or tensor as the user knows it ("cub.vqt: record 118"), or ""
//   what    one lower-case sentence without a full stop: what was found, what was expected
//   hint    what to do about it; may be empty
//   kind    usage (exit status 2, nothing was read or written) or failed (exit status 1)
#pragma once

#include <stdexcept>
#include <string>

namespace vq {

class Error : public std::runtime_error {
 public:
  enum class Kind { usage, failed };

  Error(std::string where, std::string what, std::string hint = {}, Kind kind = Kind::failed);

  // A mistake in how the program was called, found before anything was read or written.
  static Error usage(std::string where, std::string what, std::string hint = {});

  // `what` followed by the text of the current errno: "cannot open: No such file or directory".
  static Error from_errno(std::string where, const std::string& what);

  // The same error seen from further out: "outer: where".
  Error within(const std::string& outer) const;

  const std::string& where() const { return where_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  Kind kind() const { return kind_; }

 private:
  std::string where_, message_, hint_;
  Kind kind_;
};

}  // namespace vq
