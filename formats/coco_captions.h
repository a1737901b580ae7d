// What a caption file of COCO says, read in one pass: ids, file names and captions are kept, and
// nothing else, so that memory is what the captions need and not what their JSON does.
//
//   {"images": [{"id": 7, "file_name": "a.jpg", ...}, ...],
//    "annotations": [{"id": 1, "image_id": 7, "caption": "a bird", ...}, ...], ...}
//
// Of members with one name the last counts. Other members may hold anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/bytes.h"

namespace vq {

struct CocoCaptions {
  struct Image {
    int64_t id = 0;
    std::string file;  // empty: it is not said
  };
  struct Annotation {
    int64_t id = 0, image = 0;
    std::string caption;
  };
  std::vector<Image> images;  // in the order of the file, as annotations are
  std::vector<Annotation> annotations;
};

// Throws vq::Error at the input's name: no JSON, or none of this kind.
CocoCaptions read_coco_captions(Input& input);

}  // namespace vq
