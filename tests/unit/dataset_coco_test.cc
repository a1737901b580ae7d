// Captions of COCO through open_dataset.
#include <gtest/gtest.h>

#include "formats/dataset.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

const char* const kTwo = R"({"info":{},
  "images":[{"id":9,"file_name":"000000000009.jpg","width":640},{"id":4},
            {"id":5,"file_name":"5.jpg"}],
  "annotations":[{"image_id":4,"id":30,"caption":"second\n one "},
                 {"image_id":9,"id":2,"caption":"b"},
                 {"image_id":4,"id":7,"caption":"first"},
                 {"image_id":9,"id":3,"caption":"b"}]})";

// The layouts people have: pictures in FOLDER of the data set.
void write_set(const TempFolder& folder, const std::string& pictures) {
  folder.write("annotations/captions_val2017.json", kTwo);
  folder.write(pictures + "/000000000009.jpg", "x");
  folder.write(pictures + "/000000000004.jpg", "x");
}

TEST(Coco, CaptionsInTheOrderOfTheirIds) {
  const TempFolder folder;
  write_set(folder, "val2017");
  const Dataset set = open_dataset(folder.path());
  ASSERT_EQ(set.examples.size(), 2u) << "image 5 has no caption, so its picture need not be there";
  EXPECT_EQ(set.examples[0].key, "000000000009");
  EXPECT_EQ(set.examples[0].captions, (Strings{"b"}));
  EXPECT_EQ(dump_json(set.examples[0].more), R"({"image_id":9})");
  EXPECT_EQ(set.examples[1].key, "000000000004") << "the name of 2017 where none is given";
  EXPECT_EQ(set.examples[1].captions, (Strings{"first", "second one"}));
  EXPECT_EQ(set.examples[1].label, -1);
}

TEST(Coco, EveryLayoutIsFound) {
  for (const char* pictures : {"val2017", "images/val2017", "val2017/val2017", "images", ".",
                               "annotations/val2017", "annotations/images", "annotations"}) {
    const TempFolder folder;
    write_set(folder, pictures);
    const Dataset set = open_dataset(folder / "annotations/captions_val2017.json");
    EXPECT_EQ(std::filesystem::weakly_canonical(set.examples[0].picture.path).string(),
              std::filesystem::weakly_canonical(folder / pictures).string() + "/000000000009.jpg");
  }
}

TEST(Coco, SeveralListsAreAskedAbout) {
  const TempFolder folder;
  write_set(folder, "val2017");
  folder.write("annotations/captions_train2017.json", "{}");
  EXPECT_EQ(error_of([&] { open_dataset(folder.path() + "/."); }, folder.path()),
            ".: holds the captions of several data sets: captions_train2017.json, "
            "captions_val2017.json");
  // Whoever wants the pictures alone says so.
  EXPECT_EQ(open_dataset(folder.path(), {.format = DatasetFormat::folder}).examples.size(), 2u);
}

TEST(Coco, EveryMistakeSaysWhere) {
  const TempFolder folder;
  folder.write("a.jpg", "x");
  const auto error = [&](const std::string& json) {
    const std::string path = folder.write("captions.json", json);
    return error_of([&] { open_dataset(path); }, folder.path());
  };
  const std::string a = R"({"images":[{"id":1,"file_name":"a.jpg"}],"annotations":)";
  EXPECT_EQ(error(a + R"([{"id":1,"image_id":1,"caption":"x"}]})"), "no error");
  EXPECT_EQ(error("[]"), "captions.json: is not a JSON object with \"images\"");
  EXPECT_EQ(error("{").rfind("captions.json: not valid JSON", 0), 0u);
  EXPECT_EQ(error("{}"), "captions.json: has no \"images\"");
  EXPECT_EQ(error(R"({"images":[]})"), "captions.json: has no \"annotations\"");
  EXPECT_EQ(error(R"({"images":{},"annotations":[]})"), "captions.json: \"images\" is not a list");
  EXPECT_EQ(error(R"({"images":[3],"annotations":[]})"),
            "captions.json: images[0] is not an object");
  EXPECT_EQ(error(a + "[]}"), "captions.json: has no image with a caption");
  EXPECT_EQ(error(a + R"([{"id":1,"image_id":2,"caption":"x"}]})"),
            "captions.json: annotations[0]: there is no image 2");
  EXPECT_EQ(error(a + R"([{"id":1,"image_id":1,"bbox":[]}]})"),
            "captions.json: annotations[0]: has no \"caption\"");
  EXPECT_EQ(error(a + R"([{"id":"1","image_id":1,"caption":"x"}]})"),
            "captions.json: annotations[0]: \"id\" is not a whole number");
  EXPECT_EQ(error(R"({"images":[{"id":1},{"id":1}],"annotations":[]})"),
            "captions.json: images[1]: its id 1 is that of images[0]");
  EXPECT_EQ(error(R"({"images":[{"id":1,"file_name":"d/a.jpg"},{"id":2,"file_name":"a.jpg"}],
      "annotations":[{"id":1,"image_id":2,"caption":"x"},{"id":2,"image_id":1,"caption":"x"}]})")
                .rfind("captions.json: images[0]: the image d/a.jpg is in none of the folders", 0),
            0u);
  folder.write("d/a.jpg", "x");
  EXPECT_EQ(error(R"({"images":[{"id":1,"file_name":"d/a.jpg"},{"id":2,"file_name":"a.jpg"}],
      "annotations":[{"id":1,"image_id":2,"caption":"x"},{"id":2,"image_id":1,"caption":"x"}]})"),
            "captions.json: images[1]: its key \"a\" is that of captions.json: images[0]");
}

}  // namespace
}  // namespace vq
