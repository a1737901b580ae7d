#include "formats/dataset_shards.h"

#include <gtest/gtest.h>

#include "tests/unit/tar_files.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

const std::string kPicture = "P6\n1 1\n255\nabc";

std::string sample(const std::string& stem, const std::string& caption) {
  return tar_member(stem + ".ppm", kPicture) + tar_member(stem + ".txt", caption);
}

std::vector<Example> all_of(const std::vector<std::string>& paths) {
  const auto reader = open_examples(paths);
  std::vector<Example> examples;
  for (Example example; reader->next(example);) examples.push_back(example);
  return examples;
}

Strings keys(const std::vector<Example>& examples) {
  Strings list;
  for (const Example& example : examples) list.push_back(example.key);
  return list;
}

class ShardsTest : public testing::Test {
 protected:
  std::string error(const std::string& members) {
    const std::string path = folder_.write("s.tar", members);
    const std::string streamed = error_of([&] { all_of({path}); }, folder_.path());
    EXPECT_EQ(error_of([&] { open_dataset(path); }, folder_.path()), streamed);
    return streamed;
  }
  TempFolder folder_;
};

TEST_F(ShardsTest, MembersOfOneStemAreOneSample) {
  const std::string path = folder_.write(
      "s.tar", tar_member("./a.b/1.json",
                          R"({"caption":"one","text":["two"],"label":"owl","key":"x","w":3})") +
                   tar_member("./a.b/1.TXT", "from\n text\xE9") +
                   tar_member("./a.b/1.seg.png", "mask") + tar_member("./a.b/1.png", "worse") +
                   tar_member("./a.b/1.JPG", "better") + tar_member("./a.b/1.cls", "7\n") +
                   tar_member("__meta__", "x") + tar_member("./._2.jpg", "x") +
                   tar_member("2.ppm", kPicture) + tar_member("2.cls", "0") + tar_end());
  for (const bool stream : {true, false}) {
    const auto examples = stream ? all_of({path}) : open_dataset(path).examples;
    ASSERT_EQ(keys(examples), (Strings{"a.b/1", "2"}));
    EXPECT_EQ(examples[0].captions, (Strings{"from text\xC3\xA9", "one", "two"}));
    EXPECT_EQ(examples[0].label, 7);
    EXPECT_EQ(dump_json(examples[0].more), R"({"w":3,"class":"owl"})");
    EXPECT_EQ(examples[0].picture.name(), path + ": ./a.b/1.JPG");
    EXPECT_EQ(examples[0].picture.bytes != nullptr, stream);
    EXPECT_EQ(examples[1].picture.read().rgb, (std::vector<uint8_t>{'a', 'b', 'c'}));
  }
}

TEST_F(ShardsTest, ManyShardsInOneName) {
  for (const char* number : {"08", "09", "10"}) {
    folder_.write(std::string("s-") + number + ".tar", sample(number, "c") + tar_end());
  }
  const std::string range = folder_ / "s-{08..10}.tar";
  EXPECT_EQ(keys(all_of({range})), (Strings{"08", "09", "10"}));
  EXPECT_EQ(keys(open_dataset(range).examples), (Strings{"08", "09", "10"}));
  EXPECT_EQ(keys(all_of({folder_ / "s-10.tar::" + (folder_ / "s-08.tar")})), (Strings{"10", "08"}));
  EXPECT_EQ(error_of([&] { all_of({folder_ / "s-{10..11}.tar"}); }, folder_.path()),
            "s-11.tar: cannot open: No such file or directory");
}

TEST_F(ShardsTest, AKeyOfAnEarlierShardGetsTheShardInFront) {
  const std::string a = folder_.write("a.tar", sample("1", "x") + sample("2", "x") + tar_end());
  const std::string b = folder_.write("b.tar", sample("1", "x") + sample("3", "x") + tar_end());
  EXPECT_EQ(keys(all_of({a, b})), (Strings{"1", "2", "b/1", "3"}));
  EXPECT_EQ(keys(open_datasets({a, b}).examples), (Strings{"1", "2", "b/1", "3"}));
  EXPECT_EQ(error_of(
                [&] {
                  all_of({a, a, a});
                },
                folder_.path()),
            "a.tar: sample 1: its key \"a/1\" is that of a.tar: sample 1");
  EXPECT_EQ(error(sample("1", "x") + sample("2", "x") + sample("1", "y") + tar_end()),
            "s.tar: sample 3: its key \"1\" is that of s.tar: sample 1");
  EXPECT_EQ(error(sample("1", "x") + sample("1", "y") + tar_end()),
            "s.tar: sample 2: its key \"1\" is that of s.tar: sample 1");
}

TEST_F(ShardsTest, DamageNamesTheLastWholeSample) {
  const std::string good = sample("1", "x") + sample("2", "x");
  EXPECT_EQ(error(good + sample("3", "x").substr(0, 600)),
            "s.tar: the archive is cut off, after 2 whole samples, the last of them 2");
  EXPECT_EQ(error(good),
            "s.tar: the archive is cut off: its end mark is missing, after 1 whole "
            "samples, the last of them 1");
  std::string damaged = good + sample("3", "x") + tar_end();
  damaged[damaged.find("3.txt")] = '4';
  EXPECT_EQ(error(damaged).rfind("s.tar: the archive is damaged", 0), 0u);
}

TEST_F(ShardsTest, EveryMistakeNamesItsSample) {
  const std::string picture = tar_member("1.ppm", kPicture);
  EXPECT_EQ(error(tar_member("1.gif", "x") + tar_member("1.txt", "x") + tar_end()),
            "s.tar: sample 1: has no picture (.jpg .jpeg .png .webp .ppm), only .gif .txt");
  EXPECT_EQ(error(picture + tar_member("1.cls", "owl") + tar_end()),
            "s.tar: 1.cls: is not a class number, 0..999999");
  EXPECT_EQ(error(picture + tar_member("1.json", "[]") + tar_end()),
            "s.tar: 1.json: is not a JSON object");
  EXPECT_EQ(error(picture + tar_member("1.json", R"({"caption":3})") + tar_end()),
            "s.tar: sample 1: \"caption\" holds something else than strings");
  EXPECT_EQ(error(picture + tar_member("1.json", R"({"label":-1})") + tar_end()),
            "s.tar: sample 1: the label -1 is outside 0..999999");
  EXPECT_EQ(error(picture + tar_member("1.cls", "1") + tar_member("2.ppm", kPicture) + tar_end()),
            "s.tar: sample 2: has no class number, but the samples before it have one");
  EXPECT_EQ(error(tar_end()), "s.tar: holds no samples");
}

TEST_F(ShardsTest, AnInputIsReadAsAStream) {
  const std::string text = sample("1", "x") + tar_end();
  Input input = Input::memory(Bytes(text.begin(), text.end()), "standard input");
  const auto reader = read_examples(input, ".");
  ASSERT_NE(reader, nullptr);
  Example example;
  ASSERT_TRUE(reader->next(example));
  EXPECT_EQ(example.picture.name(), "standard input: 1.ppm");
  EXPECT_FALSE(reader->next(example));
  Input ppm = Input::memory(Bytes(kPicture.begin(), kPicture.end()), "standard input");
  EXPECT_EQ(read_examples(ppm, "."), nullptr);
  EXPECT_EQ(ppm.offset(), 0u);
}

}  // namespace
}  // namespace vq
