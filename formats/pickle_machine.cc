#include "formats/pickle_machine.h"

#include <fmt/format.h>

#include <bit>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/pickle_names.h"
#include "formats/pickle_source.h"
#include "formats/utf8.h"

namespace vq {
namespace {

constexpr uint64_t kMaxOpcodes = 1 << 23, kMaxValues = 1 << 22;
constexpr std::string_view kTextOpcodes = "FILSVPpgdlio";  // known, and not read

using Kind = PickleValue::Kind;
using Items = std::vector<PickleId>;

// The stack machine that pickles are programs of. Opcodes are written by their letters in the
// format's own description (CPython's pickletools).
class Machine {
 public:
  Machine(std::span<const uint8_t> bytes, const std::string& where)
      : where_(where), in_(bytes, where) {
    pickle_.values.resize(3);  // None, False, True: opcodes push them by number
    pickle_.values[1] = {Kind::boolean, int64_t{0}};
    pickle_.values[2] = {Kind::boolean, int64_t{1}};
  }

  Pickle run() {
    uint64_t count = 0;
    for (;;) {
      if (++count > kMaxOpcodes) fail(fmt::format("has more than {} opcodes", kMaxOpcodes));
      const uint8_t op = in_.opcode();
      if (op == '.') break;
      if (!number(op) && !string(op) && !container(op) && !memory(op) && !call(op)) refuse(op);
    }
    pickle_.root = pop();
    return std::move(pickle_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { in_.fail(what); }
  [[noreturn]] void refuse(uint8_t op) const;

  // ---- values and the stack

  template <class T>
  PickleId add(Kind kind, T data) {
    if (pickle_.values.size() >= kMaxValues) {
      fail(fmt::format("holds more than {} values", kMaxValues));
    }
    pickle_.values.push_back({kind, std::move(data)});
    return static_cast<PickleId>(pickle_.values.size() - 1);
  }
  PickleValue& value(PickleId id) { return pickle_.values[id]; }
  Items& items(PickleId id) { return std::get<Items>(value(id).data); }

  bool push(PickleId id) {
    stack_.push_back(id);
    return true;
  }
  template <class T>
  bool push(Kind kind, T data) {
    return push(add(kind, std::move(data)));
  }
  // Nothing is taken from under the last mark.
  PickleId top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("takes from an empty stack");
    return stack_.back();
  }
  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }
  Items pop_to_mark() {
    if (marks_.empty()) fail("has no mark where one is needed");
    const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Items popped(from, stack_.end());
    stack_.erase(from, stack_.end());
    marks_.pop_back();
    return popped;
  }
  bool push_tuple(size_t n) {
    Items popped(n);
    while (n > 0) popped[--n] = pop();
    return push(Kind::tuple, std::move(popped));
  }

  // ---- opcodes by their kind; false: not one of these

  bool number(uint8_t op);
  bool string(uint8_t op);
  bool container(uint8_t op);
  bool memory(uint8_t op);
  bool call(uint8_t op);

  bool push_long(std::span<const uint8_t> digits);
  bool push_text(std::span<const uint8_t> text, bool or_bytes = false);
  PickleId part_of(PickleId object, PickleValue::ObjectPart part, Kind kind);
  bool append(Items values);
  bool set_members(Items pairs);
  bool store(uint64_t index);
  bool recall(uint64_t index);
  PickleId global(PickleId module, PickleId name);
  bool push_call(PickleId callee, PickleId arguments, PickleId keywords);
  bool build();

  const std::string& where_;
  PickleSource in_;
  Pickle pickle_;
  Items stack_, memo_;
  std::vector<size_t> marks_;
};

void Machine::refuse(uint8_t op) const {
  const bool letter = op > 0x20 && op < 0x7F;
  const std::string name =
      letter ? fmt::format("'{}'", static_cast<char>(op)) : fmt::format("0x{:02x}", op);
  if (letter && kTextOpcodes.find(static_cast<char>(op)) != kTextOpcodes.npos) {
    fail(fmt::format("uses opcode {} of protocol 0 or 1, which PyTorch does not write", name));
  }
  if (op >= 0x82 && op <= 0x84) fail("uses the registry of extensions, which only its writer has");
  if (op == 0x97 || op == 0x98) fail("refers to a buffer outside itself");
  fail(fmt::format("has the unknown opcode {}", name));
}

// Little-endian two's complement of any length.
bool Machine::push_long(std::span<const uint8_t> digits) {
  if (digits.size() > 8) return push(Kind::large, as_text(digits));
  uint64_t bits = !digits.empty() && (digits.back() & 0x80) ? UINT64_MAX : 0;
  for (size_t i = digits.size(); i-- > 0;) bits = bits << 8 | digits[i];
  return push(Kind::integer, static_cast<int64_t>(bits));
}

bool Machine::number(uint8_t op) {
  switch (op) {
    case 'N':
      return push(kPickleNone);
    case 0x89:
      return push(PickleId{1});
    case 0x88:
      return push(PickleId{2});
    case 'J':
      return push(Kind::integer, int64_t{static_cast<int32_t>(in_.word())});
    case 'K':
      return push(Kind::integer, int64_t{in_.byte()});
    case 'M':
      return push(Kind::integer, int64_t{in_.half_word()});
    case 0x8A:
      return push_long(in_.take(in_.byte()));
    case 0x8B:
      return push_long(in_.take(in_.word()));
    case 'G': {  // the one number that is big-endian
      uint64_t bits = 0;
      for (const uint8_t b : in_.take(8)) bits = bits << 8 | b;
      return push(Kind::real, std::bit_cast<double>(bits));
    }
    default:
      return false;
  }
}

bool Machine::push_text(std::span<const uint8_t> text, bool or_bytes) {
  const bool good = is_utf8(as_text(text));
  if (!good && !or_bytes) fail("holds a text that is not UTF-8");
  return push(good ? Kind::text : Kind::bytes, as_text(text));
}

bool Machine::string(uint8_t op) {
  switch (op) {
    case 0x8C:
      return push_text(in_.take(in_.byte()));
    case 'X':
      return push_text(in_.take(in_.word()));
    case 0x8D:
      return push_text(in_.take(in_.long_word()));
    case 'U':  // Python 2's str is a text or bytes, as it happens
      return push_text(in_.take(in_.byte()), true);
    case 'T':
      return push_text(in_.take(in_.word()), true);
    case 'C':
      return push(Kind::bytes, as_text(in_.take(in_.byte())));
    case 'B':
      return push(Kind::bytes, as_text(in_.take(in_.word())));
    case 0x8E:
    case 0x96:
      return push(Kind::bytes, as_text(in_.take(in_.long_word())));
    default:
      return false;
  }
}

// The list or dict inside an object that is itself a kind of list or dict.
PickleId Machine::part_of(PickleId object, PickleValue::ObjectPart part, Kind kind) {
  PickleId& id = items(object)[part];
  if (id == kPickleNone) id = add(kind, Items());
  return id;
}

bool Machine::append(Items values) {
  PickleId to = top();
  if (value(to).is(Kind::object)) to = part_of(to, PickleValue::elements, Kind::list);
  if (!value(to).is(Kind::list) && !value(to).is(Kind::set)) {
    fail("appends to what is no list");
  }
  items(to).insert(items(to).end(), values.begin(), values.end());
  return true;
}

bool Machine::set_members(Items pairs) {
  PickleId to = top();
  if (value(to).is(Kind::object)) to = part_of(to, PickleValue::members, Kind::dict);
  if (!value(to).is(Kind::dict)) fail("sets a member of what is no dict");
  if (pairs.size() % 2 != 0) fail("sets a member without a value");
  items(to).insert(items(to).end(), pairs.begin(), pairs.end());
  return true;
}

bool Machine::container(uint8_t op) {
  switch (op) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case ')':
      return push(Kind::tuple, Items());
    case 't':
      return push(Kind::tuple, pop_to_mark());
    case 0x85:
    case 0x86:
    case 0x87:
      return push_tuple(op - 0x84);
    case ']':
      return push(Kind::list, Items());
    case 'a':
      return append({pop()});
    case 'e':
    case 0x90:
      return append(pop_to_mark());
    case '}':
      return push(Kind::dict, Items());
    case 's': {
      const PickleId last = pop();
      return set_members({pop(), last});
    }
    case 'u':
      return set_members(pop_to_mark());
    case 0x8F:
      return push(Kind::set, Items());
    case 0x91:
      return push(Kind::set, pop_to_mark());
    default:
      return false;
  }
}

// Writers number their memo from 0, so an index beyond the number of values is damage.
bool Machine::store(uint64_t index) {
  if (index >= kMaxValues) fail(fmt::format("remembers a value as number {}", index));
  if (index >= memo_.size()) memo_.resize(index + 1, UINT32_MAX);
  memo_[index] = top();
  return true;
}

bool Machine::recall(uint64_t index) {
  if (index >= memo_.size() || memo_[index] == UINT32_MAX) {
    fail(fmt::format("recalls value {}, which it did not remember", index));
  }
  return push(memo_[index]);
}

bool Machine::memory(uint8_t op) {
  switch (op) {
    case 'q':
      return store(in_.byte());
    case 'r':
      return store(in_.word());
    case 0x94:
      return store(memo_.size());
    case 'h':
      return recall(in_.byte());
    case 'j':
      return recall(in_.word());
    case '0':
      pop();
      return true;
    case '1':
      pop_to_mark();
      return true;
    case '2':
      return push(top());
    case 0x80:
      if (const uint8_t protocol = in_.byte(); protocol < 2 || protocol > 5) {
        fail(fmt::format("is of protocol {}, and 2 to 5 are known here", protocol));
      }
      return true;
    case 0x95:  // a hint for readers that read in pieces
      in_.long_word();
      return true;
    default:
      return false;
  }
}

PickleId Machine::global(PickleId module, PickleId name) {
  for (const PickleId part : {module, name}) {
    if (!value(part).is(Kind::text) || value(part).text().empty() ||
        !is_plain_text(value(part).text())) {
      fail("names a class by what is no name");
    }
  }
  return add(Kind::global, Items{module, name});
}

// What calling would give, without calling: the rule of pickle_names.h.
bool Machine::push_call(PickleId callee, PickleId arguments, PickleId keywords) {
  // The result of a call that is called again (functools.partial) is one more object of its class.
  if (value(callee).is(Kind::object)) callee = items(callee)[PickleValue::callee];
  if (!value(callee).is(Kind::global)) fail("calls what is no class or function");
  if (!value(arguments).is(Kind::tuple)) fail("calls something with what are no arguments");
  const std::string_view module = value(items(callee)[0]).text(),
                         name = value(items(callee)[1]).text();
  switch (pickle_callee(module, name)) {
    case PickleCallee::refused:
      throw Error(where_,
                  fmt::format("its pickle calls {}.{}, which is code and not data; nothing was run",
                              module, name),
                  "do not open this file in Python");
    case PickleCallee::dict:
      if (items(arguments).empty() || name == "defaultdict") return push(Kind::dict, Items());
      break;
    case PickleCallee::object:
      break;
  }
  Items parts(PickleValue::parts, kPickleNone);
  parts[PickleValue::callee] = callee;
  parts[PickleValue::arguments] = arguments;
  parts[PickleValue::members] = keywords;
  return push(Kind::object, std::move(parts));
}

// A state for the object below it. A dict's own attributes (the versions that state_dict() keeps
// of its modules) say nothing about its members, and are dropped.
bool Machine::build() {
  const PickleId state = pop(), to = top();
  if (value(to).is(Kind::dict)) return true;
  if (!value(to).is(Kind::object)) fail("gives a state to what is no object");
  items(to)[PickleValue::state] = state;
  return true;
}

bool Machine::call(uint8_t op) {
  switch (op) {
    case 'c': {
      const std::string_view module = in_.line(), name = in_.line();
      const PickleId first = add(Kind::text, module);
      return push(global(first, add(Kind::text, name)));
    }
    case 0x93: {
      const PickleId name = pop();
      return push(global(pop(), name));
    }
    case 'R':
    case 0x81: {
      const PickleId arguments = pop();
      return push_call(pop(), arguments, kPickleNone);
    }
    case 0x92: {
      const PickleId keywords = pop(), arguments = pop();
      if (!value(keywords).is(Kind::dict)) fail("calls something with what are no arguments");
      return push_call(pop(), arguments, keywords);
    }
    case 'b':
      return build();
    case 'Q':
      return push(Kind::persistent, Items{pop()});
    default:
      return false;
  }
}

}  // namespace

std::string Pickle::class_name(PickleId id) const {
  if (values[id].is(Kind::object)) id = values[id].items()[PickleValue::callee];
  if (!values[id].is(Kind::global)) return {};
  const auto& parts = values[id].items();
  return fmt::format("{}.{}", values[parts[0]].text(), values[parts[1]].text());
}

Pickle read_pickle(std::span<const uint8_t> bytes, const std::string& where) {
  return Machine(bytes, where).run();
}

}  // namespace vq
