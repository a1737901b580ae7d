// A pickle as a graph of plain values: Python's object language read as data, with nothing called.
//
// Read are the binary opcodes of protocols 2 to 5 (what torch.save, TorchScript and numpy write);
// the text opcodes of protocols 0 and 1, the extension registry and buffers outside the pickle are
// refused by name. What a call becomes is the rule of pickle_names.h. Containers may hold
// themselves: who walks the graph must mind cycles, and values that are shared many times.
//
// Laws: no byte outside the pickle is read; texts are UTF-8; a value refers only to values that
// are there. Limits, against pickles made to take memory:
//   8,388,608 opcodes and 4,194,304 values    about 200,000 tensors; a checkpoint of a thousand
//                                             layers with its optimiser has 5,000
//   memory                                    at most 500 MB above the pickle, whose texts and
//                                             bytes are not copied; an ordinary one needs 1 MB for
//                                             every thousand tensors
// How deep values lie in each other is not limited here: nothing here recurses.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vq {

using PickleId = uint32_t;  // of a value of one pickle

constexpr PickleId kPickleNone = 0;  // None is one value, and stands where a part is absent

struct PickleValue {
  enum class Kind : uint8_t {
    none,
    boolean,     // integer(): 0 or 1
    integer,     // integer()
    large,       // text(): an integer of more than 64 bits, little-endian two's complement
    real,        // real()
    text,        // text()
    bytes,       // text()
    list,        // items()
    tuple,       // items()
    set,         // items()
    dict,        // items(): key, value, key, value ... as they were set; a key may come again
    global,      // items(): module, name
    object,      // items(): by ObjectPart
    persistent,  // items(): one, the persistent id: a torch storage, say
  };
  // The parts of an object, each kPickleNone when absent: its class or function (a global), the
  // arguments, the state that was set (BUILD), what was appended (a list) and what was set by key
  // (a dict).
  enum ObjectPart : size_t { callee, arguments, state, elements, members, parts };

  Kind kind = Kind::none;
  std::variant<int64_t, double, std::string_view, std::vector<PickleId>> data;

  int64_t integer() const { return std::get<int64_t>(data); }
  double real() const { return std::get<double>(data); }
  std::string_view text() const { return std::get<std::string_view>(data); }
  const std::vector<PickleId>& items() const { return std::get<std::vector<PickleId>>(data); }
  bool is(Kind k) const { return kind == k; }
};

struct Pickle {
  std::deque<PickleValue> values;
  PickleId root = kPickleNone;

  const PickleValue& operator[](PickleId id) const { return values[id]; }
  // "torch._utils._rebuild_tensor_v2" for a global, or for an object made by it; else "".
  std::string class_name(PickleId id) const;
};

// The bytes must outlive the pickle. WHERE names it in messages (vq::Error).
Pickle read_pickle(std::span<const uint8_t> bytes, const std::string& where);

}  // namespace vq
