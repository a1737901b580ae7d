#include "formats/sheet.h"

#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

SheetCell cell(int side, uint8_t grey, std::string caption = {}) {
  SheetCell c{{side, side, {}}, std::move(caption)};
  c.image.rgb.assign(3 * static_cast<size_t>(side) * side, grey);
  return c;
}

TEST(Sheet, CellsKeepTheirOrderAndAreMagnified) {
  std::vector<SheetCell> cells = {cell(2, 10), cell(2, 20), cell(2, 30)};
  cells[0].image.at(1, 0)[0] = 99;
  Image sheet = draw_sheet(cells, {.columns = 2, .scale = 3});
  EXPECT_EQ(sheet.width, 8 + 2 * (6 + 8));
  EXPECT_EQ(sheet.at(0, 0)[0], 255);
  EXPECT_EQ(sheet.at(8, 8)[0], 10);
  EXPECT_EQ(sheet.at(8 + 2, 8)[0], 10);
  EXPECT_EQ(sheet.at(8 + 3, 8)[0], 99) << "a picture's pixel is a square of one colour";
  EXPECT_EQ(sheet.at(8 + 5, 8 + 2)[0], 99);
  EXPECT_EQ(sheet.at(8 + 14, 8)[0], 20);
  int y = 8 + 6;
  while (y < sheet.height && sheet.at(8, y)[0] != 30) ++y;
  EXPECT_LT(y, sheet.height) << "the third picture begins the second row";
}

TEST(Sheet, CaptionsStandUnderTheirPictures) {
  Image with = draw_sheet({cell(64, 0, "a red circle")}, {.scale = 2});
  Image without = draw_sheet({cell(64, 0)}, {.scale = 2});
  EXPECT_GT(with.height, without.height);
  int inked = 0;
  for (int y = 8 + 128; y < with.height; ++y) {
    for (int x = 0; x < with.width; ++x) inked += with.at(x, y)[0] < 100;
  }
  EXPECT_GT(inked, 30);
}

TEST(Sheet, SmallPicturesAreMagnifiedByThemselves) {
  const Image sheet = draw_sheet({cell(32, 0)});
  EXPECT_EQ(sheet.width, 8 + 128 + 8);
}

TEST(Sheet, ATooLargeSheetIsRefusedBeforeMemoryIsTaken) {
  const std::vector<SheetCell> cells(4, cell(64, 0));
  EXPECT_THROW(draw_sheet(cells, {.columns = 4, .scale = 1000}), Error);
}

}  // namespace
}  // namespace vq
