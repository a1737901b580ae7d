// CSV and TSV lists through open_dataset.
#include <gtest/gtest.h>

#include "formats/dataset.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

class TableTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"1.png", "2.png", "p/3.png"}) folder_.write(name, "x");
  }
  Dataset table(const std::string& text, const std::string& name = "list.csv") {
    return open_dataset(folder_.write(name, text));
  }
  std::string error(const std::string& text) {
    return error_of([&] { table(text); }, folder_.path());
  }
  TempFolder folder_;
};

TEST_F(TableTest, TheFirstLineNamesTheColumns) {
  const Dataset set = table(
      "\xEF\xBB\xBF,Key,Image,CAPTION,Label,Source\r\n"
      "0,a,1.png,\"a bird, \"\"red\"\"\",owl,web\r\n"
      "\r\n"
      "1,b,p/3.png,\"two\n lines\",crow,\r\n");
  ASSERT_EQ(set.examples.size(), 2u);
  EXPECT_EQ(set.examples[0].key, "a");
  EXPECT_EQ(set.examples[0].picture.path, folder_ / "1.png");
  EXPECT_EQ(set.examples[0].captions, (Strings{"a bird, \"red\""}));
  EXPECT_EQ(dump_json(set.examples[0].more), R"({"Source":"web"})");
  EXPECT_EQ(set.examples[1].captions, (Strings{"two lines"}));
  EXPECT_EQ(dump_json(set.examples[1].more), "{}") << "an empty cell says nothing";
  EXPECT_EQ(set.classes, (Strings{"crow", "owl"}));
  EXPECT_EQ(set.examples[0].label, 1);
}

TEST_F(TableTest, TabsAndOtherNames) {
  const Dataset set =
      table("path\tcaption\tcaption\tclass\tid\n1.png\tone, two\tthree\t7\t0042\n", "list.tsv");
  ASSERT_EQ(set.examples.size(), 1u);
  EXPECT_EQ(set.examples[0].key, "0042");
  EXPECT_EQ(set.examples[0].captions, (Strings{"one, two", "three"}));
  EXPECT_EQ(set.examples[0].label, 7);
  EXPECT_TRUE(set.classes.empty());
}

TEST_F(TableTest, LabelAndClassSideBySide) {
  const Dataset set = table("file,class,label\n1.png,owl,3\n2.png,crow,2\n");
  EXPECT_EQ(set.examples[0].label, 3);
  EXPECT_EQ(dump_json(set.examples[0].more), R"({"class":"owl"})");
}

TEST_F(TableTest, RowsOfOneImageAreOneExample) {
  const Dataset set = table("image,caption\n1.png,one\n1.png,two\n1.png,one\n2.png,three\n");
  ASSERT_EQ(set.examples.size(), 2u);
  EXPECT_EQ(set.examples[0].captions, (Strings{"one", "two"}));
  EXPECT_EQ(set.examples[1].captions, (Strings{"three"}));
  const std::string repeated = "list.csv: line 4: its key \"1\" is that of list.csv: line 2";
  EXPECT_EQ(error("image,caption\n1.png,a\n2.png,b\n1.png,c\n"), repeated) << "not neighbours";
  EXPECT_EQ(error("image,label\n1.png,1\n1.png,2\n"),
            "list.csv: line 3: its key \"1\" is that of list.csv: line 2");
  EXPECT_EQ(error("image,key\n1.png,k\n1.png,k\n"),
            "list.csv: line 3: its key \"k\" is that of list.csv: line 2");
}

TEST_F(TableTest, AnotherSpellingThanTheNameSays) {
  const std::string path = folder_.write("list.txt", "image\tcaption\n1.png\ta\n");
  EXPECT_THROW(open_dataset(path), Error);
  EXPECT_EQ(open_dataset(path, {.format = DatasetFormat::tsv}).examples[0].captions,
            (Strings{"a"}));
  EXPECT_EQ(error_of([&] { open_dataset(path, {.format = DatasetFormat::csv}); }, folder_.path()),
            "list.txt: line 1: no column is named image, file_name, file, path");
}

TEST_F(TableTest, EveryMistakeNamesItsLine) {
  EXPECT_EQ(error(""), "list.csv: the list is empty");
  EXPECT_EQ(error("image\n"), "list.csv: the list is empty");
  EXPECT_EQ(error("a,b\n1.png,x\n"),
            "list.csv: line 1: no column is named image, file_name, file, path");
  EXPECT_EQ(error("image,x,x\n"), "list.csv: line 1: two columns are named \"x\"");
  EXPECT_EQ(error("image,caption\n1.png,a\n2.png,b,c\n"),
            "list.csv: line 3: has 3 fields, but the first line names 2");
  EXPECT_EQ(error("image,caption\n1.png\n"),
            "list.csv: line 2: has 1 field, but the first line names 2");
  EXPECT_EQ(error("image,caption\n,a\n"), "list.csv: line 2: has no \"image\"");
  EXPECT_EQ(error("image,caption\nno.png,a\n"),
            "list.csv: line 2: the image no.png does not exist");
  EXPECT_EQ(error("image,caption\n1.png,\"a\nb\"\n2.png,\"c\n"),
            "list.csv: line 4: a quote is not closed before the end");
  EXPECT_EQ(error("image,caption\n1.png,caf\xE9\n"), "list.csv: line 2: is not UTF-8");
  EXPECT_EQ(error("image,label\n1.png,1\n2.png,\n"),
            "list.csv: line 3: has no label, but line 2 has a class number");
  EXPECT_EQ(error("image,label\n1.png,1000000\n"),
            "list.csv: line 2: the label 1000000 is outside 0..999999");
  EXPECT_EQ(error("image,label\n1.png,99999999999999999999\n"),
            "list.csv: line 2: the label 99999999999999999999 is too large");
}

}  // namespace
}  // namespace vq
