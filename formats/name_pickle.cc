#include "formats/name_pickle.h"

#include <string_view>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/pickle_machine.h"
#include "formats/utf8.h"

namespace vq {
namespace {

// Opcodes of protocol 0, each with what belongs to it up to the end of its line.
class TextPickle {
 public:
  TextPickle(std::string_view rest, const std::string& where) : rest_(rest), where_(where) {}

  std::vector<std::string> names() {
    if (!take("(l")) fail("is not a list of names");
    std::vector<std::string> names;
    std::string name;
    bool waiting = false;  // is a name read that the list has not got?
    while (!take(".")) {
      if (take("p")) {
        line();  // a number under which Python would find the value again
      } else if (!waiting && (take("S") || take("V"))) {
        name = text(line());
        waiting = true;
      } else if (waiting && take("a")) {
        names.push_back(std::move(name));
        waiting = false;
      } else {
        fail(rest_.empty() ? "ends within the list of names" : "holds something besides names");
      }
    }
    if (waiting || !rest_.empty()) fail("holds something besides names");
    return names;
  }

 private:
  [[noreturn]] void fail(const char* what) const { throw Error(where_, what); }

  bool take(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }

  std::string_view line() {
    const size_t end = rest_.find('\n');
    if (end == rest_.npos) fail("ends within the list of names");
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }

  // 'name' or "name" behind S, name itself behind V; an escape stands for no character of a name.
  std::string text(std::string_view line) const {
    const bool quoted = line.size() >= 2 && (line[0] == '\'' || line[0] == '"');
    if (quoted && line.back() != line[0]) fail("holds a name without its end");
    if (quoted) line = line.substr(1, line.size() - 2);
    if (line.find('\\') != line.npos) fail("holds a name with an escape");
    if (!is_utf8(line)) fail("holds a name that is not UTF-8");
    return std::string(line);
  }

  std::string_view rest_;
  const std::string& where_;
};

}  // namespace

std::vector<std::string> read_name_pickle(std::span<const uint8_t> bytes,
                                          const std::string& where) {
  if (as_text(bytes).starts_with("(l")) return TextPickle(as_text(bytes), where).names();
  const Pickle pickle = read_pickle(bytes, where);
  const PickleValue& list = pickle[pickle.root];
  using Kind = PickleValue::Kind;
  if (!list.is(Kind::list) && !list.is(Kind::tuple)) throw Error(where, "is not a list of names");
  std::vector<std::string> names;
  names.reserve(list.items().size());
  for (const PickleId id : list.items()) {
    const PickleValue& name = pickle[id];
    if (!name.is(Kind::text) && !name.is(Kind::bytes)) {
      throw Error(where, "holds something besides names");
    }
    if (!is_utf8(name.text())) throw Error(where, "holds a name that is not UTF-8");
    names.emplace_back(name.text());
  }
  return names;
}

}  // namespace vq
