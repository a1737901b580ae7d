// PyTorch's archives, made byte by byte: tensors and their views, names, the tree of other values,
// damage and malice.

#include "formats/torch_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "tests/unit/temp_folder.h"
#include "tests/unit/torch_files.h"

namespace vq {
namespace {

using namespace torch_files;  // the opcodes' names
using Names = std::vector<std::string>;

TorchArchive open(const std::string& value, const Storages& storages = {}) {
  return TorchArchive(archive(value, storages), "m.pth");
}
std::string error_for(const std::string& value, const Storages& storages = {}) {
  return error_of([&] { open(value, storages); });
}
template <class T>
std::vector<T> read(const TorchArchive& file, const std::string& name) {
  const Bytes bytes = file.read(name);
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
const std::string kSix = storage("FloatStorage", "0", 6);
const Storages kSixBytes = {{"0", numbers<float>({0, 1, 2, 3, 4, 5})}};

TEST(TorchArchive, ViewsAreCopiedInOrder) {
  const TorchArchive file = open(
      dict({text("rows"), tensor(kSix, 0, {2, 3}, {3, 1}), text("turned"),
            tensor(kSix, 0, {3, 2}, {1, 3}), text("row"), tensor(kSix, 3, {3}, {1}), text("column"),
            tensor(kSix, 1, {2}, {3}), text("one"), tensor(kSix, 5, {}, {}), text("none"),
            tensor(kSix, 6, {0, 4}, {4, 1}), text("again"), tensor(kSix, 2, {2, 3}, {0, 1}),
            text("unit"), tensor(kSix, 0, {2, 1, 3}, {3, 77, 1}), text("cube"),
            tensor(kSix, 0, {2, 1, 2, 2}, {1, 9, 2, 1})}),
      kSixBytes);
  EXPECT_EQ(file.names(),
            (Names{"rows", "turned", "row", "column", "one", "none", "again", "unit", "cube"}));
  EXPECT_EQ(read<float>(file, "rows"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(read<float>(file, "turned"), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(read<float>(file, "row"), (std::vector<float>{3, 4, 5}));
  EXPECT_EQ(read<float>(file, "column"), (std::vector<float>{1, 4}));
  EXPECT_EQ(read<float>(file, "one"), (std::vector<float>{5}));
  EXPECT_EQ(read<float>(file, "none"), (std::vector<float>{}));
  EXPECT_EQ(read<float>(file, "again"), (std::vector<float>{2, 3, 4, 2, 3, 4}));
  EXPECT_EQ(read<float>(file, "unit"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(read<float>(file, "cube"), (std::vector<float>{0, 1, 2, 3, 1, 2, 3, 4}));
  EXPECT_TRUE(file.tensor("unit").is_contiguous());
  EXPECT_FALSE(file.tensor("turned").is_contiguous());
  EXPECT_EQ(file.tensor("row").storage, file.tensor("rows").storage);
  EXPECT_EQ(file.values(), Json::object());
  EXPECT_TRUE(file.check());
  EXPECT_FALSE(file.is_script());
  EXPECT_EQ(error_of([&] { file.read("x"); }), "m.pth: has no tensor x");
  Bytes short_of(4);
  EXPECT_EQ(error_of([&] { file.read("rows", short_of); }),
            "m.pth: tensor rows: has 24 bytes, not 4");
}

TEST(TorchArchive, TypesAndParameters) {
  const std::vector<std::tuple<std::string, DType, std::string>> types = {
      {"DoubleStorage", DType::f64, numbers<double>({1})},
      {"FloatStorage", DType::f32, numbers<float>({1})},
      {"HalfStorage", DType::f16, numbers<uint16_t>({0x3C00})},
      {"BFloat16Storage", DType::bf16, numbers<uint16_t>({0x3F80})},
      {"LongStorage", DType::i64, numbers<int64_t>({1})},
      {"IntStorage", DType::i32, numbers<int32_t>({1})},
      {"ShortStorage", DType::i16, numbers<int16_t>({1})},
      {"CharStorage", DType::i8, numbers<int8_t>({1})},
      {"ByteStorage", DType::u8, numbers<uint8_t>({1})},
      {"BoolStorage", DType::boolean, numbers<uint8_t>({1})}};
  for (const auto& [type, dtype, bytes] : types) {
    const std::string of = tensor(storage(type, "7", 1), 0, {1}, {1});
    const std::string subclass =
        call(global("torch._tensor", "_rebuild_from_type_v2"),
             {global("torch._utils", "_rebuild_tensor_v2"), global("my", "Tensor"),
              tuple({storage(type, "7", 1), integer(0), ints({1}), ints({1})}), dict({})});
    for (const std::string& value : {of, parameter(of), subclass}) {
      const TorchArchive file = open(dict({text("w"), value}), {{"7", bytes}});
      ASSERT_EQ(file.names(), Names{"w"}) << type;
      EXPECT_EQ(file.tensor("w").dtype, dtype);
      EXPECT_EQ(file.read("w"), Bytes(bytes.begin(), bytes.end()));
    }
  }
  const TorchArchive complex =
      open(dict({text("w"), tensor(storage("ComplexFloatStorage", "7", 1), 0, {1}, {1})}));
  EXPECT_TRUE(complex.names().empty());  // not known here, and said so
  EXPECT_EQ(complex.values()["w"]["args"][0]["class"], "torch.ComplexFloatStorage");
}

TEST(TorchArchive, NamesFollowTheWay) {
  const std::string w = tensor(kSix, 0, {1}, {1});
  const std::string shared = w + "q\x09";
  const std::string module =
      global("net", "Linear") + ")\x81" +
      dict(
          {text("training"), "\x88", text("_parameters"), ordered_dict({text("weight"), w}),
           text("_modules"),
           ordered_dict({text("sub"), global("net", "Sub") + ")\x81" +
                                          dict({text("_buffers"), dict({text("b"), w})}) + "b"})}) +
      "b";
  const TorchArchive file = open(
      dict({text("model"), ordered_dict({text("a.weight"), shared}), text("again"), "h\x09",
            text("state"), dict({integer(0), dict({text("step"), integer(5), text("avg"), w})}),
            text("list"), list({w, "N"}), text("net"), module}),
      kSixBytes);
  EXPECT_EQ(file.names(),
            (Names{"model.a.weight", "again", "state.0.avg", "list.0", "net.weight", "net.sub.b"}));
  EXPECT_EQ(dump_json(file.values()),
            R"({"state":{"0":{"step":5}},"list":[{"tensor":"list.0"},null],)"
            R"("net":{"class":"net.Linear","state":{"training":true,)"
            R"("_modules":{"sub":{"class":"net.Sub"}}}}})");
  EXPECT_EQ(open(w, kSixBytes).names(), Names{"tensor"});
  EXPECT_EQ(open(list({w, w}), kSixBytes).names(), (Names{"0", "1"}));
  EXPECT_EQ(error_for(dict({text("a.b"), w, text("a"), dict({text("b"), w})}), kSixBytes),
            "m.pth: the tensor a.b is there twice");
}

TEST(TorchArchive, OtherValuesAreATree) {
  const std::string real = "G\x7f\xf0" + std::string(6, '\0');
  const TorchArchive file =
      open(dict({text("epoch"),
                 integer(-3),
                 text("best"),
                 real,
                 text("ok"),
                 "\x88",
                 text("none"),
                 "N",
                 text("names"),
                 list({text("a"), tuple({integer(1), integer(2)})}),
                 text("raw"),
                 "C\x02"
                 "ab",
                 text("set"),
                 call(global("builtins", "set"), {list({integer(1)})}),
                 text("size"),
                 call(global("torch", "Size"), {ints({4, 5})}),
                 text("device"),
                 call(global("torch", "device"), {text("cuda"), integer(0)}),
                 text("type"),
                 global("torch", "float32"),
                 text("args"),
                 global("argparse", "Namespace") + ")\x81" + dict({text("lr"), integer(1)}) + "b",
                 text("easy"),
                 global("easydict", "EasyDict") + ")\x81(" + text("k") + "Nu",
                 integer(7),
                 integer(8),
                 tuple({integer(1), text("x")}),
                 "N",
                 text("storage"),
                 kSix,
                 text("big"),
                 "\x8a\x0a" + std::string(10, '\1')}));
  EXPECT_EQ(dump_json(file.values()),
            R"({"epoch":-3,"best":"inf","ok":true,"none":null,"names":["a",[1,2]],)"
            R"("raw":{"class":"bytes","length":2},"set":[1],"size":[4,5],)"
            R"("device":{"class":"torch.device","args":["cuda",0]},)"
            R"("type":{"class":"torch.float32"},)"
            R"("args":{"class":"argparse.Namespace","state":{"lr":1}},)"
            R"j("easy":{"class":"easydict.EasyDict","items":{"k":null}},"7":8,"(1, x)":null,)j"
            R"("storage":{"class":"torch.FloatStorage","length":6},)"
            R"("big":{"class":"int","bits":80}})");
}

TEST(TorchArchive, ValuesWithoutAnEnd) {
  const std::string zero(1, '\0');
  EXPECT_EQ(dump_json(open("]q" + zero + "h" + zero + "a").values()),
            R"([{"class":"list or dict","recursive":true}])");
  EXPECT_EQ(error_for(std::string(100, ']') + std::string(99, 'a')),
            "m.pth: its values lie in each other more than 64 levels deep");
  // Long lists say how long they are; a long text shared many times stops the tree, not the file.
  EXPECT_EQ(open("](" + std::string(2000, 'N') + "e").values().back(), "... 976 more");
  std::string same = "](" + text(std::string(60000, 'x'));
  for (int i = 0; i < 1000; ++i) same += "2";
  const TorchArchive shared = open(same + "e");
  EXPECT_LT(shared.values().size(), 600u);
}

#ifndef __SANITIZE_ADDRESS__  // a second without the sanitizers, and half a minute with them
TEST(TorchArchive, WorkIsLimited) {
  // A list of two lists of two lists: 2^40 places.
  std::string doubled = "]";
  for (int i = 0; i < 40; ++i) doubled = "](" + doubled + "2e";
  EXPECT_EQ(error_for(doubled), "m.pth: its values have more than 4194304 places");
  const std::string one = tensor(kSix, 0, {1}, {1});
  std::string names = one +
                      "q\x01"
                      "0" +
                      text(std::string(9000, 'k')) + "](";
  for (int i = 0; i < 9000; ++i) names += "h\x01";
  names = "}" + names + "es";
  EXPECT_EQ(error_for(names, kSixBytes),
            "m.pth: the names of its tensors have more than 67108864 bytes");
  std::string many = "](" + one + "q\x01";
  for (int i = 0; i < 1 << 18; ++i) many += "h\x01";
  EXPECT_EQ(error_for(many + "e", kSixBytes), "m.pth: has more than 262144 tensors");
}
#endif

TEST(TorchArchive, EveryRuleOfATensorHasItsSentence) {
  const auto of = [](const std::string& value) {
    return error_for(dict({text("w"), value}), kSixBytes);
  };
  const std::string at = "m.pth: tensor w: ";
  EXPECT_EQ(of(tensor(kSix, 0, {7}, {1})), at + "reaches to number 6 of its storage, which has 6");
  EXPECT_EQ(of(tensor(kSix, 1, {2, 3}, {3, 1})),
            at + "reaches to number 6 of its storage, which has 6");
  EXPECT_EQ(of(tensor(kSix, 7, {0}, {1})), at + "reaches to number 7 of its storage, which has 6");
  EXPECT_EQ(of(tensor(kSix, INT64_MAX, {1}, {1})),
            at + "reaches to number 9223372036854775807 of its storage, which has 6");
  EXPECT_EQ(of(tensor(kSix, 0, {INT64_MAX, 4}, {0, 0})),
            at + "the shape [9223372036854775807,4] is too large");
  EXPECT_EQ(of(tensor(kSix, 0, {3, 3}, {INT64_MAX, INT64_MAX})),
            at + "the shape [3,3] is too large");
  EXPECT_EQ(of(tensor(kSix, -1, {1}, {1})), at + "its offset is no whole number");
  EXPECT_EQ(of(tensor(kSix, 0, {-1}, {1})),
            at + "its sides hold something else than whole numbers");
  EXPECT_EQ(of(tensor(kSix, 0, {1}, {-1})),
            at + "its strides hold something else than whole numbers");
  EXPECT_EQ(of(tensor(kSix, 0, {1}, {})), at + "has 1 sides and 0 strides");
  EXPECT_EQ(of(tensor(kSix, 0, std::vector<int64_t>(65, 1), {})),
            at + "has 65 sides, the limit is 64");
  EXPECT_EQ(of(tensor("N", 0, {1}, {1})), at + "has no storage");
  EXPECT_EQ(of(call(global("torch._utils", "_rebuild_tensor_v2"), {"N"})),
            at + "is rebuilt from too few values");
  EXPECT_EQ(of(tensor(storage("FloatStorage", "1", 6), 0, {1}, {1})),
            at + "the record archive/data/1 is missing");
  EXPECT_EQ(of(tensor(storage("FloatStorage", "0", 7), 0, {1}, {1})),
            at + "its storage 0 of 7 numbers (F32) has 24 bytes");
  EXPECT_EQ(of(tensor(storage("DoubleStorage", "0", 6), 0, {1}, {1})),
            at + "its storage 0 of 6 numbers (F64) has 24 bytes");
  const TorchArchive file = open(tensor(kSix, 0, {1 << 30, 8}, {0, 0}), kSixBytes);
  EXPECT_EQ(
      error_of([&] { file.read("tensor"); }),
      "m.pth: tensor tensor: repeats the 24 bytes of its storage to 34359738368: more than is "
      "copied");
}

TEST(TorchArchive, NothingRuns) {
  const TempFolder folder;
  const std::string ran = folder / "ran";
  const std::string evil = call(global("os", "system"), {text("touch " + ran)});
  EXPECT_EQ(error_for(dict({text("w"), evil})),
            "m.pth: its pickle calls os.system, which is code and not data; nothing was run");
  EXPECT_EQ(error_for(evil + "0" + dict({})),
            "m.pth: its pickle calls os.system, which is code and not data; nothing was run");
  const TorchArchive unknown = open(call(global("my", "run"), {text("touch " + ran)}));
  EXPECT_EQ(unknown.values()["class"], "my.run");
  EXPECT_FALSE(std::filesystem::exists(ran));
}

TEST(TorchArchive, OtherFilesAreNamed) {
  using namespace std::string_literals;
  const auto of = [](const std::string& content) {
    return error_of([&] { TorchArchive(Bytes(content.begin(), content.end()), "m.pth"); });
  };
  EXPECT_EQ(of(""), "m.pth: is not a PyTorch archive but an empty file");
  EXPECT_EQ(of("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."),
            "m.pth: is not a PyTorch archive but a PyTorch file in the format from before version "
            "1.6");
  EXPECT_EQ(of("\x02\0\0\0\0\0\0\0{}"s), "m.pth: is not a PyTorch archive but a safetensors file");
  EXPECT_EQ(of("PK\x03\x04 and nothing more"),
            "m.pth: has no zip directory at its end: it is cut off, or not a zip archive");
  ZipMaker zip;
  zip.add("a/b", "");
  EXPECT_EQ(error_of([&] { TorchArchive(zip.finish(), "m.pth"); }),
            "m.pth: is a zip archive without data.pkl: not a file of PyTorch");
  ZipMaker big;
  big.add("a/data.pkl", pickle("N"));
  big.add("a/byteorder", "big");
  EXPECT_EQ(error_of([&] { TorchArchive(big.finish(), "m.pth"); }),
            "m.pth: was written on a big-endian machine, and its numbers are not turned here");
  EXPECT_EQ(error_of([&] { TorchArchive(archive("N", {}, {.method = 8}), "m.pth"); }),
            "m.pth: record archive/byteorder is compressed, which PyTorch never does");
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { TorchArchive(folder.path()); }),
            folder.path() + ": is a folder, not a PyTorch file");
}

TEST(TorchArchive, ScriptsAreReadForTheirTensors) {
  const std::string module = global("__torch__.net", "Net") + ")\x81" +
                             dict({text("weight"), tensor(kSix, 0, {2}, {1})}) + "b";
  const TorchArchive file(archive(module, kSixBytes, {}, {{"constants.pkl", pickle(")")}}), "m.pt");
  EXPECT_TRUE(file.is_script());
  EXPECT_EQ(file.names(), Names{"weight"});
}

TEST(TorchArchive, ChecksumsAreComparedWhereThereAreAny) {
  Bytes bytes = archive(dict({}), kSixBytes);
  EXPECT_TRUE(TorchArchive(bytes, "m.pth").check());
  EXPECT_FALSE(TorchArchive(archive("N", kSixBytes, {.checksums = false}), "m.pth").check());
  const std::string_view data(kSixBytes[0].second);
  const size_t at = as_text(bytes).find(data);
  bytes[at] ^= 1;
  EXPECT_EQ(error_of([&] { TorchArchive(bytes, "m.pth").check(); }),
            "m.pth: record archive/data/0 is damaged: its checksum disagrees");
}

TEST(TorchArchive, LargerThanFourGigabytes) {
  const TempFolder folder;
  const uint64_t hole = (uint64_t{4} << 30) + 64;
  ZipMaker zip({.zip64 = true});
  const auto count = static_cast<int64_t>((hole + 8) / 4);
  zip.add("a/data.pkl",
          pickle(dict({text("x"), tensor(storage("FloatStorage", "0", count), count - 1, {1}, {1}),
                       text("y"), tensor(storage("FloatStorage", "1", 1), 0, {1}, {1})})));
  zip.add("a/data/0", numbers<float>({1, 2}), hole);
  const size_t before = zip.written();
  zip.add("a/data/1", numbers<float>({9}));
  const Bytes bytes = zip.finish();
  const std::string path = folder / "large.pth";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  const bool written =
      ::pwrite(fd, bytes.data(), before, 0) == static_cast<ssize_t>(before) &&
      ::pwrite(fd, bytes.data() + before, bytes.size() - before,
               static_cast<off_t>(before + hole)) == static_cast<ssize_t>(bytes.size() - before);
  ::close(fd);
  if (!written) GTEST_SKIP() << "no room for a file with a hole of 4 GiB";
  const TorchArchive file(path);
  EXPECT_EQ(read<float>(file, "x"), std::vector<float>{0});
  EXPECT_EQ(read<float>(file, "y"), std::vector<float>{9});
}

// Reads all there is; whatever the bytes are, the answer is a value or a vq::Error.
void read_everything(const Bytes& bytes) {
  try {
    const TorchArchive file(bytes, "m.pth");
    for (const std::string& name : file.names()) file.read(name);
    file.check();
  } catch (const Error&) {
  }
}

TEST(TorchArchive, EveryCutIsNoticedAndNoFlippedByteReadsOutside) {
  const Bytes whole = archive(everything(), everything_storages());
  for (size_t n = 0; n < whole.size(); ++n) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_NE(error_of([&] { TorchArchive(cut, "m.pth"); }), "no error") << n;
    for (const uint8_t flip : {0xFF, 0x01, 0x02, 0x10, 0x80}) {
      Bytes bytes = whole;
      bytes[n] ^= flip;
      read_everything(bytes);
    }
  }
}

}  // namespace
}  // namespace vq
