// What a pickle becomes, opcode by opcode; what is refused; that nothing is read outside.

#include "formats/pickle_machine.h"

#include <cmath>
#include <memory>

#include "formats/bytes.h"
#include "formats/pickle_names.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/torch_files.h"

namespace vq {
namespace {

using namespace torch_files;  // the opcodes' names
using Kind = PickleValue::Kind;

// In memory of exactly that size, so that a sanitizer sees one byte too many.
struct Read {
  explicit Read(const std::string& bytes) : memory(std::make_unique<uint8_t[]>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), memory.get());
    pickle = read_pickle({memory.get(), bytes.size()}, "m");
  }
  std::unique_ptr<uint8_t[]> memory;
  Pickle pickle;
  const PickleValue& root() const { return pickle[pickle.root]; }
  const PickleValue& at(size_t i) const { return pickle[root().items()[i]]; }
};

std::string error_for(const std::string& bytes) {
  return error_of([&] { Read read(bytes); });
}

TEST(PickleMachine, Numbers) {
  const Read read(pickle(
      list({"N", "\x88", "\x89", "K\xff", "M" + little(0xFFFE, 2), "J" + little(0xFFFFFFFF, 4),
            std::string("\x8a\x00", 2), "\x8a\x01\xff", "\x8a\x02" + little(0x8000, 2),
            "\x8a\x08" + little(1ull << 63, 8), "\x8a\x09" + little(0, 8) + "\x01",
            "G\xc0" + std::string("\x04\0\0\0\0\0\0", 7)})));
  ASSERT_EQ(read.root().items().size(), 12u);
  EXPECT_TRUE(read.at(0).is(Kind::none));
  EXPECT_EQ(read.at(1).integer(), 1);
  EXPECT_TRUE(read.at(2).is(Kind::boolean));
  EXPECT_EQ(read.at(3).integer(), 255);
  EXPECT_EQ(read.at(4).integer(), 65534);
  EXPECT_EQ(read.at(5).integer(), -1);
  EXPECT_EQ(read.at(6).integer(), 0);
  EXPECT_EQ(read.at(7).integer(), -1);
  EXPECT_EQ(read.at(8).integer(), -32768);
  EXPECT_EQ(read.at(9).integer(), INT64_MIN);
  EXPECT_TRUE(read.at(10).is(Kind::large));
  EXPECT_EQ(read.at(11).real(), -2.5);
}

TEST(PickleMachine, TextsAndBytes) {
  const Read read(pickle(tuple({text("ü"), "\x8c\x01z", "\x8d" + little(1, 8) + "y", "C\x01\xff",
                                "B" + little(1, 4) + "b", "\x8e" + little(1, 8) + "c", "U\x01s",
                                "U\x01\xff", "T" + little(1, 4) + "t", "\x96" + little(0, 8)})));
  EXPECT_EQ(read.at(0).text(), "ü");
  EXPECT_EQ(read.at(1).text(), "z");
  EXPECT_EQ(read.at(2).text(), "y");
  EXPECT_TRUE(read.at(3).is(Kind::bytes));
  EXPECT_TRUE(read.at(6).is(Kind::text));
  EXPECT_TRUE(read.at(7).is(Kind::bytes));  // a text of Python 2 that is none
  EXPECT_TRUE(read.at(9).text().empty());
}

TEST(PickleMachine, ContainersAndMemory) {
  const Read read(pickle(list({integer(1) + "\x85", integer(1) + integer(2) + "\x86", "NNN\x87",
                               "]Na", "}" + text("k") + "Ns", "\x8f(NN\x90", "(N\x91",
                               ordered_dict({text("a"), integer(1)}), "]q\x05", "h\x05", ")\x94",
                               "N2"
                               "0",
                               "r" + little(70000, 4) + "j" + little(70000, 4), "(NN1",
                               "\x95" + little(5, 8) + "N"})));
  EXPECT_EQ(read.at(0).items().size(), 1u);
  EXPECT_EQ(read.at(1).items().size(), 2u);
  EXPECT_EQ(read.at(2).items().size(), 3u);
  EXPECT_EQ(read.at(3).items().size(), 1u);
  EXPECT_EQ(read.pickle[read.at(4).items()[0]].text(), "k");
  EXPECT_TRUE(read.at(5).is(Kind::set));
  EXPECT_TRUE(read.at(6).is(Kind::set));
  EXPECT_TRUE(read.at(7).is(Kind::dict));
  EXPECT_EQ(read.root().items()[8], read.root().items()[9]);  // the same value, not its copy
}

TEST(PickleMachine, CallsAreObjects) {
  const Read read(pickle(
      list({global("torch", "Size") + tuple({integer(2)}) + "R",
            text("mod") + text("Outer.Inner") + "\x93)\x81" + dict({text("x"), integer(1)}) + "b",
            global("easydict", "EasyDict") + ")\x81(" + text("k") + integer(7) + "u(" + "N" + "e",
            global("a", "B") + ")" + dict({text("kw"), "N"}) + "\x92",
            call(call(global("functools", "partial"), {global("a", "f")}), {}),
            call(global("collections", "defaultdict"), {global("builtins", "list")}),
            tuple({text("storage")}) + "Q"})));
  EXPECT_EQ(read.pickle.class_name(read.root().items()[0]), "torch.Size");
  EXPECT_EQ(read.pickle.class_name(read.root().items()[1]), "mod.Outer.Inner");
  EXPECT_TRUE(read.pickle[read.at(1).items()[PickleValue::state]].is(Kind::dict));
  EXPECT_TRUE(read.pickle[read.at(2).items()[PickleValue::members]].is(Kind::dict));
  EXPECT_TRUE(read.pickle[read.at(2).items()[PickleValue::elements]].is(Kind::list));
  EXPECT_EQ(read.pickle.class_name(read.root().items()[4]), "functools.partial");
  EXPECT_TRUE(read.at(5).is(Kind::dict));
  EXPECT_TRUE(read.at(6).is(Kind::persistent));
}

TEST(PickleMachine, CodeIsRefusedWhenCalledAndDataWhenNamed) {
  const std::string nothing = ", which is code and not data; nothing was run";
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"nt", "system"},
                                                        {"subprocess", "Popen"},
                                                        {"builtins", "eval"},
                                                        {"builtins", "exec"},
                                                        {"__builtin__", "__import__"},
                                                        {"builtins", "getattr"},
                                                        {"builtins", "eval.__call__"},
                                                        {"sys", "exit"},
                                                        {"shutil", "rmtree"},
                                                        {"socket", "socket"},
                                                        {"os.path", "join"}}) {
    const std::string called = "m: its pickle calls " + module + "." + name + nothing;
    const std::string named = global(module, name);
    EXPECT_EQ(error_for(pickle(call(named, {text("touch ran")}))), called);
    EXPECT_EQ(error_for(pickle(named + ")\x81")), called);
    EXPECT_EQ(error_for(pickle(named + ")}\x92")), called);
    EXPECT_EQ(error_for(pickle(text(module) + text(name) + "\x93" + tuple({}) + "R")), called);
    EXPECT_EQ(error_for(pickle(named)), "no error");
  }
  EXPECT_EQ(pickle_callee("builtins", "set"), PickleCallee::object);
  EXPECT_EQ(pickle_callee("osmnx", "graph"), PickleCallee::object);
  EXPECT_EQ(pickle_callee("torch.os", "system"), PickleCallee::object);  // never called either
  EXPECT_EQ(pickle_callee("collections", "OrderedDict"), PickleCallee::dict);
}

TEST(PickleMachine, AListMayHoldItself) {
  const Read read("\x80\x02]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.");
  EXPECT_EQ(read.root().items()[0], read.pickle.root);
}

TEST(PickleMachine, EveryRuleHasItsSentence) {
  const auto of = [](const std::string& ops) { return error_for("\x80\x02" + ops); };
  EXPECT_EQ(error_for(""), "m: its pickle ends in the middle, at byte 0");
  EXPECT_EQ(of("N"), "m: its pickle ends in the middle, at byte 3");
  EXPECT_EQ(of("X" + little(UINT32_MAX, 4)), "m: its pickle ends in the middle, at byte 7");
  EXPECT_EQ(of("\x8e" + little(UINT64_MAX, 8)), "m: its pickle ends in the middle, at byte 11");
  EXPECT_EQ(error_for("\x80\x06."),
            "m: its pickle is of protocol 6, and 2 to 5 are known here (byte 0)");
  EXPECT_EQ(of("."), "m: its pickle takes from an empty stack (byte 2)");
  EXPECT_EQ(of("N(0"), "m: its pickle takes from an empty stack (byte 4)");
  EXPECT_EQ(of("t"), "m: its pickle has no mark where one is needed (byte 2)");
  EXPECT_EQ(
      of("I1\n."),
      "m: its pickle uses opcode 'I' of protocol 0 or 1, which PyTorch does not write (byte 2)");
  EXPECT_EQ(of("\x82"
               "a"),
            "m: its pickle uses the registry of extensions, which only its writer has (byte 2)");
  EXPECT_EQ(of("\x97"), "m: its pickle refers to a buffer outside itself (byte 2)");
  EXPECT_EQ(of("\xff"), "m: its pickle has the unknown opcode 0xff (byte 2)");
  EXPECT_EQ(of("?"), "m: its pickle has the unknown opcode '?' (byte 2)");
  EXPECT_EQ(of("X" + little(1, 4) + "\xff."),
            "m: its pickle holds a text that is not UTF-8 (byte 2)");
  EXPECT_EQ(of("h\x01"), "m: its pickle recalls value 1, which it did not remember (byte 2)");
  EXPECT_EQ(of("Nr" + little(UINT32_MAX, 4)),
            "m: its pickle remembers a value as number 4294967295 (byte 3)");
  EXPECT_EQ(of("NNa"), "m: its pickle appends to what is no list (byte 4)");
  EXPECT_EQ(of("]NNs"), "m: its pickle sets a member of what is no dict (byte 5)");
  EXPECT_EQ(of("}(Nu"), "m: its pickle sets a member without a value (byte 5)");
  EXPECT_EQ(of("cos"), "m: its pickle has a name without an end (byte 2)");
  EXPECT_EQ(of("c\nx\n"), "m: its pickle names a class by what is no name (byte 2)");
  EXPECT_EQ(of("NN\x93"), "m: its pickle names a class by what is no name (byte 4)");
  EXPECT_EQ(of("N)R"), "m: its pickle calls what is no class or function (byte 4)");
  EXPECT_EQ(of(global("a", "b") + "NR"),
            "m: its pickle calls something with what are no arguments (byte 8)");
  EXPECT_EQ(of("]Nb"), "m: its pickle gives a state to what is no object (byte 4)");
}

#ifndef __SANITIZE_ADDRESS__  // a second without the sanitizers, and a quarter of a minute with
                              // them
TEST(PickleMachine, WorkAndMemoryAreLimited) {
  EXPECT_EQ(error_for("\x80\x02" + std::string(5 << 20, ']')),
            "m: its pickle holds more than 4194304 values (byte 4194303)");
  std::string empty_work = "\x80\x02N";
  for (int i = 0; i < 5 << 20; ++i) empty_work += "20";
  EXPECT_EQ(error_for(empty_work), "m: its pickle has more than 8388608 opcodes (byte 8388608)");
}
#endif

TEST(PickleMachine, EveryCutAndEveryFlippedByte) {
  const std::string whole = pickle(everything());
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_NE(error_for(whole.substr(0, n)), "no error");
    for (const int flip : {0xFF, 0x01, 0x20, 0x80}) {
      std::string bytes = whole;
      bytes[n] = static_cast<char>(bytes[n] ^ flip);
      error_for(bytes);
    }
  }
}

}  // namespace
}  // namespace vq
