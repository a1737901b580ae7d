// Pictures one behind the other in a stream: PPM (P6, P5), PNG, in any mixture; a JPEG or a WebP,
// whose end nothing announces, is all that is left.
//
// Only bytes are taken here; decode_image() makes them a picture, at another time, in another
// thread.
#pragma once

#include <memory>

#include "formats/dataset.h"
#include "formats/image.h"

namespace vq {

// The bytes of the next picture; false at the end of the stream. Waits for no more than they are.
// Throws vq::Error: something else than a picture, one that is cut off, one of more than 1 GiB.
bool take_picture(Input& input, Bytes& bytes);

// Such a stream as a data set: keys 000000, 000001, ...
std::unique_ptr<ExampleReader> read_picture_stream(Input input);

}  // namespace vq
