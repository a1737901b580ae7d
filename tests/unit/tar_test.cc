#include "formats/tar.h"

#include <gtest/gtest.h>

#include "tests/unit/tar_files.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

// Names and contents, every second member left unread when `some`.
Members members_of(Input input, bool some = false) {
  TarReader tar(std::move(input));
  Members members;
  for (TarMember member; tar.next(member);) {
    const bool read = !some || members.size() % 2 == 0;
    members.emplace_back(member.name, read ? std::string(as_text(tar.read(1 << 20))) : "");
  }
  return members;
}

Input memory(const std::string& text) {
  return Input::memory(Bytes(text.begin(), text.end()), "a.tar");
}

const std::string kLong(5000, 'x');
const std::string kArchive = tar_member("d/", "", '5') + tar_member("d/1.txt", "one") +
                             tar_member("d/2.txt", kLong) + tar_member("link", "", '2') +
                             tar_member("d/3.txt", "") + tar_end();

TEST(Tar, RegularFilesInTheirOrder) {
  const Members all = {{"d/1.txt", "one"}, {"d/2.txt", kLong}, {"d/3.txt", ""}};
  const Members some = {{"d/1.txt", "one"}, {"d/2.txt", ""}, {"d/3.txt", ""}};
  EXPECT_EQ(members_of(memory(kArchive)), all);
  EXPECT_EQ(members_of(memory(kArchive), true), some);
  const TempFolder folder;
  EXPECT_EQ(members_of(Input::open(folder.write("a.tar", kArchive)), true), some);
  EXPECT_EQ(members_of(memory(tar_end())), Members());
  Members twice = all;
  twice.insert(twice.end(), all.begin(), all.end());
  EXPECT_EQ(members_of(memory(kArchive + kArchive)), twice) << "one behind the other";
}

TEST(Tar, PlacesAreThoseOfTheBytes) {
  const TempFolder folder;
  TarReader tar(Input::open(folder.write("a.tar", kArchive)));
  for (TarMember member; tar.next(member);) {
    EXPECT_TRUE(tar.plain());
    const std::string there = kArchive.substr(member.offset, member.size);
    EXPECT_EQ(as_text(tar.read(1 << 20)), there) << member.name;
  }
}

// What GNU tar and what Python write where a name is long, or not ASCII.
TEST(Tar, NamesOfAnyLengthAndLetters) {
  const std::string name = "d/" + std::string(200, 'n') + "\xC3\xA9.txt";
  const std::string gnu = tar_member("././@LongLink", name + std::string(1, '\0'), 'L') +
                          tar_member(name.substr(0, 100), "x") + tar_end();
  EXPECT_EQ(members_of(memory(gnu)), (Members{{name, "x"}}));
  const std::string record = " path=" + name + "\n";
  const std::string pax = tar_member("x", std::to_string(record.size() + 3) + record, 'x') +
                          tar_member("short", "x") + tar_end();
  EXPECT_EQ(members_of(memory(pax)), (Members{{name, "x"}}));
  const Members latin = {{"caf\xE9.txt", "x"}};
  EXPECT_EQ(members_of(memory(tar_member("caf\xE9.txt", "x") + tar_end())), latin);
}

TEST(Tar, CutOffAnywhereIsAnError) {
  for (size_t size = 512; size < kArchive.size() - 512; size += 256) {
    const std::string text = error_of([&] { members_of(memory(kArchive.substr(0, size))); });
    EXPECT_EQ(text.rfind("a.tar: the archive is cut off", 0), 0u) << size << ": " << text;
  }
}

TEST(Tar, DamageAndOtherFilesAreNamed) {
  std::string damaged = kArchive;
  damaged[damaged.find("d/2.txt") + 2] = '7';
  EXPECT_EQ(
      error_of([&] { members_of(memory(damaged)); }).rfind("a.tar: the archive is damaged", 0), 0u);
  EXPECT_EQ(error_of([] { members_of(memory("no archive at all")); }),
            "a.tar: is not a tar archive");
  EXPECT_EQ(error_of([] { members_of(memory("")); }), "a.tar: is not a tar archive");
  TarReader tar(memory(kArchive));
  TarMember member;
  ASSERT_TRUE(tar.next(member));
  EXPECT_EQ(error_of([&] { tar.read(2); }), "a.tar: d/1.txt has more than 2 bytes");
}

}  // namespace
}  // namespace vq
