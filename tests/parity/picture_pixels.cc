// What formats/ makes of a picture file, as PPM on standard output, for pictures.py.
//
//   picture_pixels FILE [POLICY SIZE [DRAW DRAW DRAW DRAW DRAW]]
#include <cstdlib>
#include <exception>
#include <iostream>

#include "formats/image.h"
#include "formats/resample.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4 && argc != 9) return 2;
  try {
    vq::Image image = vq::read_image(argv[1]);
    if (argc > 2) {
      vq::FramingDraws draws = vq::kMiddleDraws;
      for (int i = 4; i < argc; ++i) draws[static_cast<size_t>(i - 4)] = std::atof(argv[i]);
      image = vq::fit_image(image, std::atoi(argv[3]), vq::resize_from_word(argv[2]), draws);
    }
    vq::Output output = vq::Output::open("-", false);
    vq::write_ppm(output, image);
    output.close();
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
