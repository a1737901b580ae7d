#include "formats/torch_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/error.h"

namespace vq {
namespace {

using Kind = PickleValue::Kind;
using Items = std::vector<PickleId>;

constexpr size_t kMaxSides = 64;
constexpr uint64_t kMaxRepeated = uint64_t{1} << 30;
constexpr int kMaxWrappers = 8;  // a parameter of a subclass of a tensor has two

struct StorageRow {
  std::string_view name;
  DType dtype;
};
constexpr std::array<StorageRow, 10> kStorages = {{
    {"DoubleStorage", DType::f64},
    {"FloatStorage", DType::f32},
    {"HalfStorage", DType::f16},
    {"BFloat16Storage", DType::bf16},
    {"LongStorage", DType::i64},
    {"IntStorage", DType::i32},
    {"ShortStorage", DType::i16},
    {"CharStorage", DType::i8},
    {"ByteStorage", DType::u8},
    {"BoolStorage", DType::boolean},
}};

[[noreturn]] void fail(const std::string& what) { throw Error("", what); }

// The function that rebuilds a tensor, and its arguments.
struct Call {
  std::string function;
  const Items* arguments = nullptr;
};

// Through the wrappers of parameters and subclasses to the call that makes the tensor itself.
bool rebuilding_call(const Pickle& pickle, PickleId id, Call& call) {
  for (int i = 0; i < kMaxWrappers && pickle[id].is(Kind::object); ++i) {
    const PickleValue& arguments = pickle[pickle[id].items()[PickleValue::arguments]];
    if (!arguments.is(Kind::tuple) || arguments.items().empty()) return false;
    call = {pickle.class_name(id), &arguments.items()};
    if (call.function == "torch._tensor._rebuild_from_type_v2") {  // function, type, arguments
      if (call.arguments->size() < 3) return false;
      const PickleValue& inner = pickle[(*call.arguments)[2]];
      if (!inner.is(Kind::tuple) || inner.items().empty()) return false;
      call = {pickle.class_name((*call.arguments)[0]), &inner.items()};
    }
    const std::string_view name = call.function;
    if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_tensor") {
      return true;
    }
    if (name != "torch._utils._rebuild_parameter" && name != "torch.nn.Parameter" &&
        name != "torch._utils._rebuild_parameter_with_state" &&
        name != "torch.nn.parameter.Parameter") {
      return false;
    }
    id = call.arguments->front();
  }
  return false;
}

// ('storage', type, key, device, count)
struct Storage {
  std::string type;
  std::string_view key;
  int64_t count = 0;
};

bool read_storage(const Pickle& pickle, PickleId id, Storage& storage) {
  if (!pickle[id].is(Kind::persistent)) return false;
  const PickleValue& parts = pickle[pickle[id].items()[0]];
  if (!parts.is(Kind::tuple) || parts.items().size() < 5) return false;
  const auto part = [&](size_t i) -> const PickleValue& { return pickle[parts.items()[i]]; };
  if (!part(0).is(Kind::text) || part(0).text() != "storage" || !part(1).is(Kind::global) ||
      !part(2).is(Kind::text) || !part(4).is(Kind::integer)) {
    return false;
  }
  storage = {pickle.class_name(parts.items()[1]), part(2).text(), part(4).integer()};
  return true;
}

// A tuple of whole numbers, as it is or as a torch.Size.
std::vector<int64_t> numbers(const Pickle& pickle, PickleId id, const char* what) {
  if (pickle[id].is(Kind::object) && pickle.class_name(id) == "torch.Size") {
    const PickleValue& arguments = pickle[pickle[id].items()[PickleValue::arguments]];
    if (arguments.is(Kind::tuple) && arguments.items().size() == 1) id = arguments.items()[0];
  }
  const PickleValue& value = pickle[id];
  if (!value.is(Kind::tuple) && !value.is(Kind::list)) {
    fail(fmt::format("its {} are no list", what));
  }
  if (value.items().size() > kMaxSides) {
    fail(fmt::format("has {} {}, the limit is {}", value.items().size(), what, kMaxSides));
  }
  std::vector<int64_t> list;
  for (const PickleId item : value.items()) {
    if (!pickle[item].is(Kind::integer) || pickle[item].integer() < 0) {
      fail(fmt::format("its {} hold something else than whole numbers", what));
    }
    list.push_back(pickle[item].integer());
  }
  return list;
}

// Throws unless every number of the view lies in a storage of COUNT numbers.
void check_view(const TorchTensor& tensor, uint64_t count) {
  uint64_t bytes = dtype_size(tensor.dtype), last = tensor.offset;
  bool good = true, empty = false;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    const auto side = static_cast<uint64_t>(tensor.shape[i]);
    uint64_t reach = 0;
    if (side == 0) {
      empty = true;
      continue;
    }
    good = good && !__builtin_mul_overflow(bytes, side, &bytes) && bytes <= INT64_MAX;
    good = good &&
           !__builtin_mul_overflow(side - 1, static_cast<uint64_t>(tensor.strides[i]), &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  if (!good) fail(fmt::format("the shape [{}] is too large", fmt::join(tensor.shape, ",")));
  if (empty ? tensor.offset > count : last >= count) {
    fail(fmt::format("reaches to number {} of its storage, which has {}", last, count));
  }
}

}  // namespace

uint64_t TorchTensor::count() const {
  uint64_t n = 1;
  // A zero beside a product too large for 64 bits: unsigned, and 0 in the end.
  for (const int64_t side : shape) n *= static_cast<uint64_t>(side);
  return n;
}

bool TorchTensor::is_contiguous() const {
  uint64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && static_cast<uint64_t>(strides[i]) != step) return false;
    step *= static_cast<uint64_t>(shape[i]);
  }
  return true;
}

void copy_tensor(const TorchTensor& tensor, std::span<uint8_t> to) {
  if (to.size() != tensor.bytes()) {
    fail(fmt::format("has {} bytes, not {}", tensor.bytes(), to.size()));
  }
  if (to.empty()) return;
  // The last sides, as far as they lie without gaps, are copied as one run.
  const uint64_t item = dtype_size(tensor.dtype);
  size_t sides = tensor.shape.size();
  uint64_t run = 1;
  while (sides > 0 && (tensor.shape[sides - 1] == 1 ||
                       static_cast<uint64_t>(tensor.strides[sides - 1]) == run)) {
    run *= static_cast<uint64_t>(tensor.shape[--sides]);
  }
  std::vector<int64_t> index(sides, 0);
  uint64_t from = tensor.offset;
  for (uint64_t at = 0;; at += run * item) {
    std::memcpy(to.data() + at, tensor.storage_bytes.data() + from * item, run * item);
    size_t side = sides;
    for (; side > 0; --side) {
      const auto stride = static_cast<uint64_t>(tensor.strides[side - 1]);
      from += stride;
      if (++index[side - 1] < tensor.shape[side - 1]) break;
      from -= stride * static_cast<uint64_t>(tensor.shape[side - 1]);
      index[side - 1] = 0;
    }
    if (side == 0) return;
  }
}

std::vector<uint8_t> copy_tensor(const TorchTensor& tensor) {
  if (tensor.bytes() > tensor.storage_bytes.size() + kMaxRepeated) {
    fail(fmt::format("repeats the {} bytes of its storage to {}: more than is copied",
                     tensor.storage_bytes.size(), tensor.bytes()));
  }
  std::vector<uint8_t> copy(tensor.bytes());
  copy_tensor(tensor, copy);
  return copy;
}

bool read_torch_tensor(const Pickle& pickle, PickleId id, const TorchStorages& storages,
                       TorchTensor& tensor) {
  Call call;
  if (!rebuilding_call(pickle, id, call)) return false;
  const Items& arguments = *call.arguments;
  if (arguments.size() < 4) fail("is rebuilt from too few values");
  Storage storage;
  if (!read_storage(pickle, arguments[0], storage)) fail("has no storage");
  const std::string_view type = storage.type;
  const auto row = std::find_if(kStorages.begin(), kStorages.end(), [&](const StorageRow& r) {
    return type.starts_with("torch.") && type.substr(6) == r.name;
  });
  if (row == kStorages.end()) return false;

  const PickleValue& offset = pickle[arguments[1]];
  if (!offset.is(Kind::integer) || offset.integer() < 0) fail("its offset is no whole number");
  tensor.dtype = row->dtype;
  tensor.offset = static_cast<uint64_t>(offset.integer());
  tensor.shape = numbers(pickle, arguments[2], "sides");
  tensor.strides = numbers(pickle, arguments[3], "strides");
  if (tensor.shape.size() != tensor.strides.size()) {
    fail(fmt::format("has {} sides and {} strides", tensor.shape.size(), tensor.strides.size()));
  }
  tensor.storage = storage.key;
  tensor.storage_bytes = storages(storage.key);
  const uint64_t size = tensor.storage_bytes.size(), item = dtype_size(row->dtype);
  if (storage.count < 0 || size % item != 0 ||
      static_cast<uint64_t>(storage.count) != size / item) {
    fail(fmt::format("its storage {} of {} numbers ({}) has {} bytes", storage.key, storage.count,
                     dtype_name(row->dtype), size));
  }
  check_view(tensor, size / item);
  return true;
}

bool describe_storage(const Pickle& pickle, PickleId id, std::string& type, int64_t& count) {
  Storage storage;
  if (!read_storage(pickle, id, storage)) return false;
  type = storage.type;
  count = storage.count;
  return true;
}

}  // namespace vq
