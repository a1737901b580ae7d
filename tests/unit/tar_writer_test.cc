#include "formats/tar_writer.h"

#include "formats/tar.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

TEST(TarWriter, WhatItWritesIsRead) {
  const std::string long_name = std::string(150, 'a') + "/" + std::string(180, 'b') + ".png";
  const std::vector<std::pair<std::string, std::string>> members = {
      {"a.txt", "hello"},
      {"empty", ""},
      {"b/Vögelchen 鳥.txt", std::string(511, 'x')},
      {"c", std::string(512, 'y')},
      {long_name, std::string(70000, 'z')}};
  Bytes bytes[2];
  for (Bytes& to : bytes) {
    TarWriter writer(Output::memory(&to));
    for (const auto& [name, content] : members) writer.add(name, as_bytes(content));
    writer.close();
  }
  EXPECT_EQ(bytes[0], bytes[1]);
  TarReader reader(Input::memory(bytes[0], "memory"));
  TarMember member;
  for (const auto& [name, content] : members) {
    ASSERT_TRUE(reader.next(member));
    EXPECT_EQ(member.name, name);
    const Bytes back = reader.read(1 << 20);
    EXPECT_EQ(as_text(back), content);
  }
  EXPECT_FALSE(reader.next(member));
}

TEST(TarWriter, AMemberIsOutWhenItWasAdded) {
  Bytes bytes;
  TarWriter writer(Output::memory(&bytes));
  writer.add("a", as_bytes("hello"));
  EXPECT_EQ(bytes.size(), 1024u);
  writer.close();
  EXPECT_EQ(bytes.size(), 2048u);
}

TEST(TarWriter, AFullDiskIsAnError) {
  TarWriter writer(Output::open("/dev/full", false));
  const std::string large(1 << 20, 'x');
  EXPECT_NE(error_of([&] {
              writer.add("a", as_bytes(large));
              writer.close();
            }).find("/dev/full: No space left"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
