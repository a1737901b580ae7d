// Antialiased lines and marks: each pixel takes the share of the ink that covers it.
//
// Places are in pixels from the top left corner of the image; a pixel's centre is at half numbers.
// What lies outside the image is not drawn.
//
// Law: ink of opacity 1 that covers a pixel wholly gives it the colour exactly. (strokes_test.cc)
#pragma once

#include "formats/font.h"
#include "formats/image.h"

namespace vq {

struct Place {
  double x = 0, y = 0;
};

enum class Mark { disc, square, diamond, triangle };

Image blank_image(int width, int height);  // white

// With round ends.
void draw_line(Image& image, Place from, Place to, double width, Colour colour, double opacity = 1);
// Dots of the line's width, two widths from centre to centre.
void draw_dotted_line(Image& image, Place from, Place to, double width, Colour colour);
// Marks of one radius look equally large; the disc has that radius.
void draw_mark(Image& image, Place centre, Mark mark, double radius, Colour colour,
               double opacity = 1);
// Whole pixels, for lines that must be crisp.
void fill_box(Image& image, int left, int top, int width, int height, Colour colour);

// The text turned by a quarter to the left, as on a vertical axis: it begins at the bottom.
void draw_text_upwards(Image& image, int left, int bottom, std::string_view utf8, int scale,
                       Colour colour);

}  // namespace vq
