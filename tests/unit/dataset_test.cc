#include "formats/dataset.h"

#include <unistd.h>

#include <algorithm>

#include "formats/dataset_parts.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

Strings keys(const Dataset& dataset) {
  Strings result;
  for (const Example& example : dataset.examples) result.push_back(example.key);
  return result;
}

std::vector<int> labels(const Dataset& dataset) {
  std::vector<int> result;
  for (const Example& example : dataset.examples) result.push_back(example.label);
  return result;
}

// The pictures are not looked at when a list is opened, so any bytes will do.
void touch(const TempFolder& folder, const Strings& names) {
  for (const std::string& name : names) folder.write(name, "x");
}

std::string error_for(const TempFolder& folder, const std::string& name) {
  return error_of([&] { open_dataset(name.empty() ? folder.path() : folder / name); },
                  folder.path());
}

// ---- names

TEST(NaturalLess, NumbersCompareAsNumbers) {
  Strings names = {"img10", "img2", "img02", "img1", "img", "Img3",
                   "img2b", "a/9",  "a/10",  "é",    ""};
  std::sort(names.begin(), names.end(), natural_less);
  EXPECT_EQ(names, (Strings{"", "Img3", "a/9", "a/10", "img", "img1", "img02", "img2", "img2b",
                            "img10", "é"}));
  EXPECT_FALSE(natural_less("a", "a"));
  EXPECT_TRUE(natural_less("a99999999999999999999998", "a99999999999999999999999"));
}

TEST(NaturalLess, IsAStrictOrder) {
  const Strings names = {"",  "0",  "00",   "1",   "01",  "1a", "01a",
                         "a", "a0", "a00b", "a0b", "a-1", "a/1"};
  for (const auto& a : names) {
    for (const auto& b : names) {
      EXPECT_EQ(natural_less(a, b) + natural_less(b, a), a == b ? 0 : 1) << a << " " << b;
      for (const auto& c : names) {
        if (natural_less(a, b) && natural_less(b, c)) {
          EXPECT_TRUE(natural_less(a, c)) << a << b << c;
        }
      }
    }
  }
}

TEST(Keys, ArePathsWithoutExtensionThatStayInTheFolder) {
  EXPECT_EQ(key_of_path("birds/0042.jpg"), "birds/0042");
  EXPECT_EQ(key_of_path("./birds//./a.b.png"), "birds/a.b");
  EXPECT_EQ(key_of_path("../../etc/x.png"), "etc/x");
  EXPECT_EQ(key_of_path("/abs/x"), "abs/x");
  EXPECT_EQ(key_of_path("a/../b/x.png"), "b/x");
  EXPECT_EQ(key_of_path("v1.2/x"), "v1.2/x");
  EXPECT_EQ(key_of_path("line\nend\xFF.png"), "line%0Aend%FF");
  EXPECT_EQ(key_of_path("ü鳥.png"), "ü鳥");
}

// ---- folders

TEST(Folder, ImagesInNaturalOrderOthersPassedOver) {
  const TempFolder folder;
  touch(folder, {"img10.png", "img2.JPG", "img1.jpeg", "notes.txt", ".hidden.png", "b/c.ppm"});
  const Dataset dataset = open_dataset(folder.path());
  EXPECT_EQ(keys(dataset), (Strings{"b/c", "img1", "img2", "img10"}));
  EXPECT_EQ(dataset.examples[2].picture.path, folder / "img2.JPG");
  EXPECT_EQ(dataset.examples[0].label, -1);  // one image lies outside of the sub-folders
  EXPECT_TRUE(dataset.classes.empty());
}

TEST(Folder, SubFoldersAreClassesInSortedOrder) {
  const TempFolder folder;
  touch(folder, {"dog/2.png", "dog/10.png", "cat/deep/1.png", "Zebra/1.png", "README.txt"});
  std::filesystem::create_directories(folder / "empty");
  const Dataset dataset = open_dataset(folder.path() + "/");
  EXPECT_EQ(dataset.classes, (Strings{"Zebra", "cat", "dog"}));
  EXPECT_EQ(keys(dataset), (Strings{"Zebra/1", "cat/deep/1", "dog/2", "dog/10"}));
  EXPECT_EQ(labels(dataset), (std::vector<int>{0, 1, 2, 2}));
}

TEST(Folder, LinksAreFollowedAndLoopsEnd) {
  const TempFolder folder;
  touch(folder, {"data/a.png", "elsewhere/b.png"});
  ASSERT_EQ(::symlink("../elsewhere", (folder / "data/link").c_str()), 0);
  ASSERT_EQ(::symlink("..", (folder / "elsewhere/up").c_str()), 0);
  ASSERT_EQ(::symlink("a.png", (folder / "data/again.png").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (folder / "data/broken.png").c_str()), 0);
  EXPECT_EQ(keys(open_dataset(folder / "data")), (Strings{"a", "again", "link/b"}));
}

TEST(Folder, EveryMistakeHasItsSentence) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "empty");
  touch(folder, {"texts/a.txt", "texts/b.gif", "twice/a.png", "twice/a.jpg", "x.bin"});
  EXPECT_EQ(error_for(folder, "none"), "none: cannot open: No such file or directory");
  EXPECT_EQ(error_for(folder, "empty"), "empty: the folder is empty");
  EXPECT_EQ(error_for(folder, "texts"),
            "texts: no PNG, JPEG, WebP or PPM image among the 2 files in the folder");
  EXPECT_EQ(error_for(folder, "twice"), "twice/a.png: its key \"a\" is that of twice/a.jpg");
  EXPECT_NE(error_for(folder, "x.bin").find("expected a folder, a list (.jsonl, .csv"),
            std::string::npos);
}

TEST(Folder, OfTokenGridsSaysWhoReadsThem) {
  const TempFolder folder;
  folder.write("grids/a.vqt", "a\t1x1:2:\t1\t{}\n");
  folder.write("grids/b", "x");
  try {
    open_dataset(folder / "grids");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.hint(), "to turn tokens into images, use vq-decode");
  }
}

TEST(SingleImage, IsADatasetOfOne) {
  const TempFolder folder;
  folder.write("a/bird.final.png", "x");
  folder.write("a/picture", "P6\n1 1\n255\nabc");  // known by its first bytes
  EXPECT_EQ(keys(open_dataset(folder / "a/bird.final.png")), (Strings{"bird.final"}));
  EXPECT_EQ(keys(open_dataset(folder / "a/picture")), (Strings{"picture"}));
}

// ---- lists

Dataset list(const TempFolder& folder, const std::string& lines) {
  return open_dataset(folder.write("list.jsonl", lines));
}

TEST(List, MembersAreReadAndTheRestIsPassedOn) {
  const TempFolder folder;
  touch(folder, {"p/1.png", "p/2.png", "p/3.png"});
  const Dataset dataset =
      list(folder,
           "\xEF\xBB\xBF{\"image\":\"p/1.png\",\"caption\":\"a bird\",\"id\":7,"
           "\"source\":{\"x\":[1]},\"file\":\"kept\"}\r\n"
           "\n"
           "{\"file_name\":\"p/2.png\",\"captions\":[\"one\",\" two\\n\\t lines \","
           "\"\",\"one\"],\"key\":\"k\",\"id\":\"kept\"}\n"
           "{\"file\":\"./p/3.png\",\"caption\":null,\"captions\":\"three\"}");
  ASSERT_EQ(keys(dataset), (Strings{"7", "k", "p/3"}));
  EXPECT_EQ(dataset.examples[0].picture.path, folder / "p/1.png");
  EXPECT_EQ(dataset.examples[0].captions, (Strings{"a bird"}));
  EXPECT_EQ(dump_json(dataset.examples[0].more), R"({"source":{"x":[1]},"file":"kept"})");
  EXPECT_EQ(dataset.examples[1].captions, (Strings{"one", "two lines"}));
  EXPECT_EQ(dump_json(dataset.examples[1].more), R"({"id":"kept"})");
  EXPECT_EQ(dataset.examples[2].captions, (Strings{"three"}));
  EXPECT_EQ(dump_json(dataset.examples[2].more), "{}");
  EXPECT_EQ(labels(dataset), (std::vector<int>{-1, -1, -1}));
}

TEST(List, LabelsAreNumbersOrSortedNames) {
  const TempFolder folder;
  touch(folder, {"1.png", "2.png", "3.png"});
  const Dataset numbers = list(folder, R"({"image":"1.png","label":5}
{"image":"2.png","label":0})");
  EXPECT_EQ(labels(numbers), (std::vector<int>{5, 0}));
  EXPECT_TRUE(numbers.classes.empty());
  const Dataset names = list(folder, R"({"image":"1.png","label":"owl"}
{"image":"2.png","label":"crow"}
{"image":"3.png","label":"owl"})");
  EXPECT_EQ(labels(names), (std::vector<int>{1, 0, 1}));
  EXPECT_EQ(names.classes, (Strings{"crow", "owl"}));
}

TEST(List, AbsolutePathsStandAsTheyAre) {
  const TempFolder folder;
  touch(folder, {"1.png"});
  const Dataset dataset = list(folder, "{\"image\":\"" + (folder / "1.png") + "\",\"key\":\"a\"}");
  EXPECT_EQ(dataset.examples[0].picture.path, folder / "1.png");
}

TEST(List, EveryMistakeNamesItsLine) {
  const TempFolder folder;
  touch(folder, {"1.png", "2.png", "d/x.png"});
  const std::string good = "{\"image\":\"1.png\"}\n";
  const auto error = [&](const std::string& lines) {
    return error_of([&] { list(folder, lines); }, folder.path());
  };
  EXPECT_EQ(error(good), "no error");
  EXPECT_EQ(error(""), "list.jsonl: the list is empty");
  EXPECT_EQ(error("\n \r\n"), "list.jsonl: the list is empty");
  EXPECT_EQ(error(good + "\n{\"image\":\"no.png\"}"),
            "list.jsonl: line 3: the image no.png does not exist");
  EXPECT_EQ(error(good + "{\"image\":\"d\"}"), "list.jsonl: line 2: the image d is not a file");
  EXPECT_EQ(error(good + "{\"image\":\"1.png/x\"}"),
            "list.jsonl: line 2: the image 1.png/x does not exist");
  EXPECT_EQ(error(good + "{\"image\":\"\\u0000\"}"),
            "list.jsonl: line 2: the path of the image holds a NUL");
  EXPECT_EQ(error(good + "{\"caption\":\"x\"}"), "list.jsonl: line 2: has no \"image\"");
  EXPECT_EQ(error(good + "{\"image\":3}"), "list.jsonl: line 2: \"image\" is not a path");
  EXPECT_EQ(error(good + "[1]"), "list.jsonl: line 2: is not a JSON object");
  EXPECT_EQ(error(good + "{\"image\":").rfind("list.jsonl: line 2: not valid JSON", 0), 0u);
  EXPECT_EQ(error(good + "{\"image\":\"2.png\",\"captions\":[1]}"),
            "list.jsonl: line 2: \"captions\" holds something else than strings");
  EXPECT_EQ(error(good + "{\"image\":\"2.png\",\"id\":1.5}"),
            "list.jsonl: line 2: \"id\" is neither a string nor a whole number");
  EXPECT_EQ(
      error(good + "{\"image\":\"2.png\",\"key\":\"a\\nb\"}"),
      "list.jsonl: line 2: \"key\" is empty, longer than 4096 bytes or has control characters");
  EXPECT_EQ(error(good + "{\"image\":\"2.png\",\"key\":\"1\"}"),
            "list.jsonl: line 2: its key \"1\" is that of list.jsonl: line 1");
}

TEST(List, LabelsAreForAllOrForNone) {
  const TempFolder folder;
  touch(folder, {"1.png", "2.png"});
  const auto error = [&](const std::string& first, const std::string& second) {
    return error_of(
        [&] {
          list(folder, "{\"image\":\"1.png\"" + first + "}\n{\"image\":\"2.png\"" + second + "}\n");
        },
        folder.path());
  };
  EXPECT_EQ(error(",\"label\":1", ""),
            "list.jsonl: line 2: has no label, but line 1 has a class number");
  EXPECT_EQ(error("", ",\"label\":\"owl\""),
            "list.jsonl: line 2: has a class name, but line 1 has no label");
  EXPECT_EQ(error(",\"label\":\"owl\"", ",\"label\":1"),
            "list.jsonl: line 2: has a class number, but line 1 has a class name");
  EXPECT_EQ(error("", ",\"label\":-1"), "list.jsonl: line 2: the label -1 is outside 0..999999");
  EXPECT_EQ(error("", ",\"label\":1e9"),
            "list.jsonl: line 2: \"label\" is neither a class number nor a class name");
  EXPECT_EQ(error("", ",\"label\":18446744073709551615"),
            "list.jsonl: line 2: the label 18446744073709551615 is outside 0..999999");
}

// ---- several

TEST(Several, KeysGetTheFolderInFrontOnlyWhenTheyClash) {
  const TempFolder folder;
  touch(folder, {"a/1.png", "b/2.png", "c/1.png", "x/c/1.png", "a.v2/1.png"});
  EXPECT_EQ(keys(open_datasets({folder / "a", folder / "b"})), (Strings{"1", "2"}));
  EXPECT_EQ(keys(open_datasets({folder / "a", folder / "c/"})), (Strings{"a/1", "c/1"}));
  EXPECT_EQ(keys(open_datasets({folder / "a", folder / "a.v2"})), (Strings{"a/1", "a.v2/1"}));
  EXPECT_EQ(keys(open_datasets({folder / "a/1.png", folder / "c/1.png"})), (Strings{"a/1", "c/1"}));
  const std::string root = folder.path().substr(1);
  EXPECT_EQ(keys(open_datasets({folder / "c", folder / "x/c"})),
            (Strings{root + "/c/1", root + "/x/c/1"}));
  EXPECT_NE(error_of([&] {
              open_datasets({folder / "a", folder / "a"});
            }).find("the same keys are in several of the data sets"),
            std::string::npos);
}

TEST(Several, ClassesAreUnited) {
  const TempFolder folder;
  touch(folder, {"a/dog/1.png", "a/cat/2.png", "b/bird/3.png", "b/dog/4.png", "flat/5.png"});
  const Dataset all = open_datasets({folder / "a", folder / "b"});
  EXPECT_EQ(all.classes, (Strings{"bird", "cat", "dog"}));
  EXPECT_EQ(keys(all), (Strings{"cat/2", "dog/1", "bird/3", "dog/4"}));
  EXPECT_EQ(labels(all), (std::vector<int>{1, 2, 0, 2}));
  EXPECT_EQ(error_of(
                [&] {
                  open_datasets({folder / "a", folder / "flat"});
                },
                folder.path()),
            "flat: has no labels, but a has class names");
}

}  // namespace
}  // namespace vq
