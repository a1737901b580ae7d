#include "formats/torch_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "formats/error.h"

namespace vq {
namespace {

using Kind = PickleValue::Kind;
using Items = std::vector<PickleId>;

constexpr size_t kMaxLevels = 64;
constexpr uint64_t kMaxPlaces = 1 << 22, kMaxNames = 64 << 20;
constexpr size_t kMaxTensors = 1 << 18;
constexpr uint64_t kTreeBytes = 32 << 20,
                   kMemberCost = 64;  // the tree's limit, what a member costs
constexpr size_t kMaxShown = 1024, kMaxText = 64 << 10, kMaxKey = 1024;

// One step of the way to a value; names are put together only where there is a tensor.
struct Step {
  enum class Kind { key, index, word } kind;
  size_t value = 0;  // a PickleId, an index
  const char* word = nullptr;
};

struct Seen {
  Json json;
  bool only_tensors = false;
};

// {"class": "bytes", "length": 1200}
Json summary(const std::string& of) {
  Json object = Json::object();
  object["class"] = of;
  return object;
}
Json summary(const std::string& of, const char* measure, Json value) {
  Json object = summary(of);
  object[measure] = std::move(value);
  return object;
}

class Walk {
 public:
  Walk(const Pickle& pickle, const TorchStorages& storages, const std::string& where)
      : pickle_(pickle), storages_(storages), where_(where) {}

  TorchValues run() {
    Seen root = visit(pickle_.root);
    found_.tree = root.only_tensors ? Json::object() : std::move(root.json);
    return std::move(found_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(where_, what); }

  Seen visit(PickleId id, bool is_state = false);
  Seen visit_inside(PickleId id, bool is_state);
  Seen visit_list(const Items& items);
  Seen visit_dict(const Items& items, bool is_state);
  Seen visit_object(PickleId id);
  Json leaf(PickleId id) const;
  std::string key_text(PickleId id, size_t max_bytes, bool inside = false) const;
  std::string name() const;
  void add_tensor(TorchTensor tensor);
  bool afford(const Json& json, size_t key_size);
  Seen visit_step(Step step, PickleId id) {
    way_.push_back(step);
    Seen seen = visit(id);
    way_.pop_back();
    return seen;
  }

  const Pickle& pickle_;
  const TorchStorages& storages_;
  const std::string& where_;
  TorchValues found_;
  std::vector<Step> way_;
  Items open_;  // the containers that the walk is in
  std::unordered_set<std::string> names_;
  uint64_t places_ = 0, name_bytes_ = 0, budget_ = kTreeBytes;
};

// A key as text, of at most so many bytes.
std::string Walk::key_text(PickleId id, size_t max_bytes, bool inside) const {
  const PickleValue& value = pickle_[id];
  switch (value.kind) {
    case Kind::text:
      return std::string(value.text().substr(0, max_bytes));
    case Kind::integer:
      return fmt::format("{}", value.integer());
    case Kind::boolean:
      return value.integer() ? "True" : "False";
    case Kind::real:
      return fmt::format("{}", value.real());
    case Kind::none:
      return "None";
    case Kind::tuple: {
      if (inside || value.items().size() > kMaxLevels) return "(...)";
      std::string text;
      for (const PickleId item : value.items()) {
        text += (text.empty() ? "" : ", ") + key_text(item, max_bytes / value.items().size(), true);
      }
      return "(" + text + ")";
    }
    default: {
      const std::string of = pickle_.class_name(id);
      return of.empty() ? "?" : of;
    }
  }
}

std::string Walk::name() const {
  std::string name;
  for (const Step& step : way_) {
    if (!name.empty()) name += '.';
    switch (step.kind) {
      case Step::Kind::key:
        name += key_text(static_cast<PickleId>(step.value), kMaxNames);
        break;
      case Step::Kind::index:
        name += fmt::format("{}", step.value);
        break;
      case Step::Kind::word:
        name += step.word;
        break;
    }
    if (name.size() > kMaxNames) fail("has a tensor whose name has no end");
  }
  return way_.empty() ? "tensor" : name;
}

void Walk::add_tensor(TorchTensor tensor) {
  std::string name = this->name();
  name_bytes_ += name.size();
  if (name_bytes_ > kMaxNames) {
    fail(fmt::format("the names of its tensors have more than {} bytes", kMaxNames));
  }
  if (found_.tensors.size() == kMaxTensors) {
    fail(fmt::format("has more than {} tensors", kMaxTensors));
  }
  if (!names_.insert(name).second) fail(fmt::format("the tensor {} is there twice", name));
  found_.tensors.emplace_back(std::move(name), std::move(tensor));
}

// Takes what a member costs from the budget of the tree; false, for good, when there is too little.
bool Walk::afford(const Json& json, size_t key_size) {
  const uint64_t text = json.is_string() ? json.get_ref<const std::string&>().size() : 0;
  const uint64_t cost = kMemberCost + key_size + text;
  budget_ -= std::min(cost, budget_);
  return budget_ > 0;
}

// What has no members. Costs nothing when nothing can be shown any more.
Json Walk::leaf(PickleId id) const {
  if (budget_ == 0) return {};
  const PickleValue& value = pickle_[id];
  switch (value.kind) {
    case Kind::none:
      return {};
    case Kind::boolean:
      return value.integer() != 0;
    case Kind::integer:
      return value.integer();
    case Kind::large:
      return summary("int", "bits", 8 * value.text().size());
    case Kind::real:
      if (std::isfinite(value.real())) return value.real();
      return std::isnan(value.real()) ? "nan" : value.real() > 0 ? "inf" : "-inf";
    case Kind::text:
      if (value.text().size() <= kMaxText) return std::string(value.text());
      return summary("str", "length", value.text().size());
    case Kind::bytes:
      return summary("bytes", "length", value.text().size());
    case Kind::global:
      return summary(pickle_.class_name(id));
    default: {  // a persistent id
      std::string type;
      int64_t count = 0;
      if (!describe_storage(pickle_, id, type, count)) return summary("persistent id");
      return summary(type, "length", count);
    }
  }
}

Seen Walk::visit(PickleId id, bool is_state) {
  if (++places_ > kMaxPlaces) fail(fmt::format("its values have more than {} places", kMaxPlaces));
  const Kind kind = pickle_[id].kind;
  if (kind != Kind::list && kind != Kind::tuple && kind != Kind::set && kind != Kind::dict &&
      kind != Kind::object) {
    return {leaf(id)};
  }
  if (std::find(open_.begin(), open_.end(), id) != open_.end()) {
    const bool object = kind == Kind::object;
    return {summary(object ? pickle_.class_name(id) : "list or dict", "recursive", true)};
  }
  if (open_.size() == kMaxLevels) {
    fail(fmt::format("its values lie in each other more than {} levels deep", kMaxLevels));
  }
  open_.push_back(id);
  Seen seen = visit_inside(id, is_state);
  open_.pop_back();
  return seen;
}

Seen Walk::visit_inside(PickleId id, bool is_state) {
  const PickleValue& value = pickle_[id];
  if (value.is(Kind::dict)) return visit_dict(value.items(), is_state);
  if (!value.is(Kind::object)) return visit_list(value.items());
  TorchTensor tensor;
  bool is_tensor = false;
  try {
    is_tensor = read_torch_tensor(pickle_, id, storages_, tensor);
  } catch (const Error& error) {
    throw error.within(fmt::format("{}: tensor {}", where_, name()));
  }
  if (!is_tensor) return visit_object(id);
  add_tensor(std::move(tensor));
  Json reference = Json::object();
  reference["tensor"] = found_.tensors.back().first;
  return {std::move(reference), true};
}

Seen Walk::visit_list(const Items& items) {
  Json shown = Json::array();
  bool only_tensors = !items.empty();
  for (size_t i = 0; i < items.size(); ++i) {
    Seen seen = visit_step({Step::Kind::index, i}, items[i]);
    only_tensors = only_tensors && seen.only_tensors;
    if (shown.size() < kMaxShown && afford(seen.json, 0)) shown.push_back(std::move(seen.json));
  }
  if (only_tensors) return {summary("list", "length", items.size()), true};
  if (const size_t more = items.size() - shown.size()) {
    shown.push_back(fmt::format("... {} more", more));
  }
  return {std::move(shown)};
}

Seen Walk::visit_dict(const Items& items, bool is_state) {
  Json shown = Json::object();
  bool only_tensors = !items.empty();
  size_t more = 0;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    const PickleValue& key = pickle_[items[i]];
    const bool level =
        is_state && key.is(Kind::text) &&
        (key.text() == "_parameters" || key.text() == "_buffers" || key.text() == "_modules");
    Seen seen = level ? visit(items[i + 1]) : visit_step({Step::Kind::key, items[i]}, items[i + 1]);
    only_tensors = only_tensors && seen.only_tensors;
    if (seen.only_tensors) continue;
    std::string text = budget_ > 0 ? key_text(items[i], kMaxKey) : "";
    if (shown.size() < kMaxShown && afford(seen.json, text.size())) {
      shown[text] = std::move(seen.json);
    } else {
      ++more;
    }
  }
  if (only_tensors) return {summary("dict", "length", items.size() / 2), true};
  if (more > 0) shown["..."] = fmt::format("{} more", more);
  return {std::move(shown)};
}

Seen Walk::visit_object(PickleId id) {
  const Items& parts = pickle_[id].items();
  const std::string of = pickle_.class_name(id);
  const PickleId arguments = parts[PickleValue::arguments];
  const Items& given = pickle_[arguments].items();  // a call has a tuple
  const size_t dot = of.rfind('.');
  const std::string_view module = std::string_view(of).substr(0, dot), name = &of[dot + 1];
  const bool builtin = module == "builtins" || module == "__builtin__";
  if (given.size() == 1 &&
      (of == "torch.Size" ||
       (builtin && (name == "set" || name == "frozenset" || name == "list" || name == "tuple")))) {
    return visit(given[0]);  // other containers than dicts, made out of one that is there
  }
  Json shown = summary(of);
  const auto add = [&](const char* word, Seen seen) {
    if (!seen.only_tensors && afford(seen.json, 0)) shown[word] = std::move(seen.json);
  };
  if (!given.empty()) add("args", visit_step({Step::Kind::word, 0, "args"}, arguments));
  if (parts[PickleValue::state] != kPickleNone) {
    add("state", visit(parts[PickleValue::state], true));
  }
  if (parts[PickleValue::elements] != kPickleNone) {
    add("elements", visit(parts[PickleValue::elements]));
  }
  if (parts[PickleValue::members] != kPickleNone) add("items", visit(parts[PickleValue::members]));
  return {std::move(shown)};
}

}  // namespace

TorchValues read_torch_values(const Pickle& pickle, const TorchStorages& storages,
                              const std::string& where) {
  return Walk(pickle, storages, where).run();
}

}  // namespace vq
