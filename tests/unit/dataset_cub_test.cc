// CUB-200-2011 through open_dataset.
#include <gtest/gtest.h>

#include "formats/dataset.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

const Strings kBirds = {"001.Albatross/A_1", "001.Albatross/A_2", "002.Auk/B_1"};

// Three birds below `root`, their texts in `texts` (none when empty).
void write_birds(const TempFolder& folder, const std::string& root, const std::string& texts) {
  folder.write(root + "images.txt",
               "1 001.Albatross/A_1.jpg\n2 001.Albatross/A_2.jpg\r\n3 002.Auk/B_1.jpg\n");
  folder.write(root + "image_class_labels.txt", "1 1\n2 1\n3 2\n");
  folder.write(root + "train_test_split.txt", "1 1\n2 0\n3 1\n");
  folder.write(root + "classes.txt", "1 001.Albatross\n2 002.Auk\n3 003.Unseen\n");
  for (const std::string& bird : kBirds) {
    folder.write(root + "images/" + bird + ".jpg", "x");
    if (!texts.empty()) {
      folder.write(texts + "/" + bird + ".txt",
                   "a  bird\r\n\nits \x93"
                   "beak\x94 caf\xE9\na bird\n");
    }
  }
}

Strings keys(const Dataset& set) {
  Strings list;
  for (const Example& example : set.examples) list.push_back(example.key);
  return list;
}

TEST(Cub, EveryLayoutIsFound) {
  for (const char* root : {"", "CUB_200_2011/"}) {
    for (const char* texts : {"text", "text/text", "text_c10"}) {
      for (const std::string& above : {std::string(root), std::string()}) {
        const TempFolder folder;
        write_birds(folder, root, above + texts);
        const Dataset set = open_dataset(folder.path());
        EXPECT_EQ(keys(set), kBirds);
        EXPECT_EQ(set.examples[2].captions, (Strings{"a bird", "its \"beak\" caf\xC3\xA9"}));
        EXPECT_EQ(set.examples[2].label, 1) << "numbers begin at 0";
        EXPECT_EQ(set.classes, (Strings{"001.Albatross", "002.Auk", "003.Unseen"}));
        EXPECT_EQ(keys(open_dataset(folder / root)), kBirds);
        EXPECT_EQ(open_dataset(folder / root).examples[0].captions.size(), 2u);
      }
    }
  }
}

TEST(Cub, TheSplitChooses) {
  const TempFolder folder;
  write_birds(folder, "", "");
  const auto open = [&](DatasetSplit split) {
    return open_dataset(folder.path(), {.split = split});
  };
  EXPECT_EQ(keys(open(DatasetSplit::train)), (Strings{kBirds[0], kBirds[2]}));
  EXPECT_EQ(keys(open(DatasetSplit::test)), (Strings{kBirds[1]}));
  EXPECT_EQ(keys(open(DatasetSplit::all)), kBirds);
  EXPECT_TRUE(open(DatasetSplit::all).examples[0].captions.empty());
  EXPECT_EQ(open(DatasetSplit::test).classes.size(), 3u) << "of all of it, or numbers would differ";
  EXPECT_EQ(error_of([&] { open_dataset(folder / "images", {.split = DatasetSplit::test}); },
                     folder.path()),
            "images: only CUB-200-2011 comes with a split into training and test pictures");
}

// A list of names as Python 2 writes it.
std::string pickled(const Strings& names) {
  std::string text = "(lp0\n";
  for (const std::string& name : names) text += "S'" + name + "'\np1\na";
  return text + ".";
}

TEST(Cub, ListsOfNamesAreTheSplitWhereTheyAre) {
  for (const char* root : {"", "CUB_200_2011/"}) {
    for (const std::string& above : {std::string(root), std::string()}) {
      const TempFolder folder;
      write_birds(folder, root, "text");
      folder.write(above + "train/filenames.pickle", pickled({kBirds[2], kBirds[1]}));
      const auto open = [&](DatasetSplit split) {
        return open_dataset(folder.path(), {.split = split});
      };
      const Dataset train = open(DatasetSplit::train);
      EXPECT_EQ(keys(train), (Strings{kBirds[2], kBirds[1]})) << "and in the order of the list";
      EXPECT_EQ(train.examples[0].label, 1);
      EXPECT_EQ(train.examples[0].captions.size(), 2u);
      EXPECT_EQ(keys(open(DatasetSplit::all)), kBirds);
      EXPECT_NE(error_of([&] { open(DatasetSplit::test); }, folder.path())
                    .find("has no test/filenames.pickle"),
                std::string::npos)
          << "the table would put training pictures into it";
      folder.write(above + "test/filenames.pickle", pickled({kBirds[0]}));
      EXPECT_EQ(keys(open(DatasetSplit::test)), (Strings{kBirds[0]}));
      folder.write(above + "test/filenames.pickle", pickled({"002.Auk/B_9"}));
      EXPECT_EQ(error_of([&] { open(DatasetSplit::test); }, folder.path()),
                above + "test/filenames.pickle: names '002.Auk/B_9', which the data set has not");
    }
  }
}

TEST(Cub, ListsOfNamesAreEnough) {
  const TempFolder folder;
  write_birds(folder, "", "text/text");
  for (const char* name : {"images.txt", "image_class_labels.txt", "train_test_split.txt"}) {
    std::filesystem::remove(folder / name);
  }
  std::filesystem::remove(folder / "classes.txt");
  const auto open = [&](DatasetSplit split) {
    return open_dataset(folder.path(), {.split = split});
  };
  folder.write("train/filenames.pickle", pickled({kBirds[2]}));
  folder.write("test/filenames.pickle", pickled({kBirds[1], kBirds[0]}));
  const Dataset all = open(DatasetSplit::all);
  EXPECT_EQ(keys(all), (Strings{kBirds[2], kBirds[1], kBirds[0]}));
  EXPECT_EQ(all.examples[0].label, 1);
  EXPECT_EQ(all.examples[1].label, 0);
  EXPECT_EQ(all.examples[1].captions, (Strings{"a bird", "its \"beak\" caf\xC3\xA9"}));
  EXPECT_EQ(all.classes, (Strings{"001.Albatross", "002.Auk"}));
  EXPECT_EQ(keys(open(DatasetSplit::test)), (Strings{kBirds[1], kBirds[0]}));
  EXPECT_EQ(open(DatasetSplit::train).classes.size(), 2u);

  const auto error = [&](const Strings& names) {
    folder.write("train/filenames.pickle", pickled(names));
    return error_of([&] { open(DatasetSplit::all); }, folder.path());
  };
  EXPECT_EQ(error({"Auk/B_1"}),
            "train/filenames.pickle: the folder 'Auk' does not begin with the number of a class");
  EXPECT_EQ(error({"B_1"}), "train/filenames.pickle: 'B_1' is not CLASS/NAME");
  EXPECT_NE(error({kBirds[0]}).find("001.Albatross/A_1"), std::string::npos) << "in both lists";
  EXPECT_NE(error({"002.Auk/B_7"}).find("image 1: the image"), std::string::npos);
  std::filesystem::remove(folder / "test/filenames.pickle");
  folder.write("train/filenames.pickle", pickled({kBirds[2]}));
  EXPECT_EQ(error_of([&] { open(DatasetSplit::test); }, folder.path() + "/.."),
            folder.path() + ": has no test/filenames.pickle");
}

TEST(Cub, ListsBesideTheFolderAreEnoughToo) {
  const TempFolder folder;
  write_birds(folder, "CUB_200_2011/", "");
  for (const char* name : {"images.txt", "image_class_labels.txt", "train_test_split.txt"}) {
    std::filesystem::remove(folder / ("CUB_200_2011/" + std::string(name)));
  }
  folder.write("train/filenames.pickle", pickled({kBirds[2]}));
  folder.write("test/filenames.pickle", pickled({kBirds[0]}));
  EXPECT_EQ(keys(open_dataset(folder.path(), {.split = DatasetSplit::test})), (Strings{kBirds[0]}));
}

TEST(Cub, ClassesAreNamedByTheirFoldersWhereNoFileNamesThem) {
  const TempFolder folder;
  write_birds(folder, "", "");
  std::filesystem::remove(folder / "classes.txt");
  EXPECT_EQ(open_dataset(folder.path()).classes, (Strings{"001.Albatross", "002.Auk"}));
}

TEST(Cub, EveryMistakeSaysWhere) {
  const auto error = [](const std::string& name, const char* text) {
    const TempFolder folder;
    write_birds(folder, "", "text");
    if (text) {
      folder.write(name, text);
    } else {
      std::filesystem::remove(folder / name);
    }
    return error_of([&] { open_dataset(folder.path(), {.split = DatasetSplit::train}); },
                    folder.path());
  };
  EXPECT_EQ(error("images.txt", "1 a/b.jpg\nx\n"),
            "images.txt: line 2: is not a number, a space and a value");
  EXPECT_EQ(error("images.txt", "1 a/b.jpg\n1 a/c.jpg\n"),
            "images.txt: line 2: image 1 is there twice");
  EXPECT_EQ(error("images.txt", "1 b.jpg\n"), "images.txt: line 1: 'b.jpg' is not CLASS/NAME");
  EXPECT_EQ(error("images.txt", ""), "images.txt: the list is empty");
  EXPECT_EQ(error("image_class_labels.txt", "1 1\n2 1\n"),
            "image_class_labels.txt: has no line for image 3");
  EXPECT_EQ(error("image_class_labels.txt", "1 0\n"),
            "image_class_labels.txt: line 1: '0' is not a number from 1 to 1000000");
  EXPECT_EQ(error("train_test_split.txt", "1 2\n"),
            "train_test_split.txt: line 1: '2' is not a number from 0 to 1");
  EXPECT_EQ(error("train_test_split.txt", nullptr),
            "train_test_split.txt: cannot open: No such file or directory");
  EXPECT_EQ(error("classes.txt", "0 x\n"),
            "classes.txt: line 1: the class 0 is outside 1..1000000");
  EXPECT_EQ(error("images/002.Auk/B_1.jpg", nullptr).rfind("images.txt: image 3: the image", 0),
            0u);
  EXPECT_EQ(error("text/002.Auk/B_1.txt", nullptr),
            "text/002.Auk/B_1.txt: cannot open: No such file or directory");
  EXPECT_EQ(error("train_test_split.txt", "1 0\n2 0\n3 0\n").find("no image is in this split") ==
                std::string::npos,
            false);
}

}  // namespace
}  // namespace vq
