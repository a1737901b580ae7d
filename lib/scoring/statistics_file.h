// Statistics of a set of pictures in a file, so that the set need not be seen again.
//
//   mu (D), sigma (D, D)   float64: all that pytorch-fid, clean-fid and ADM write and read
//   count                  int64, how many pictures; theirs do not say
//   features (M, D)        float32, a uniform sample, for what needs more than mu and sigma
//   vq                     bytes: JSON of network, network_id, preprocessing, reference_id
//
// A file is an archive of NumPy (formats/npz.h), so other programs read ours as well. Theirs lack
// the last three: the number of pictures, and which network saw them, are then not known.
//
// Laws: what was saved is what is read, bit by bit; statistics of another network are refused by
// whoever compares (check_same_network).                              (statistics_file_test.cc)
#pragma once

#include <string>

#include "formats/npz.h"
#include "lib/scoring/frechet.h"

namespace vq {

struct SavedStatistics {
  FeatureStatistics statistics;                                  // count 0: not known
  std::string network, network_id, preprocessing, reference_id;  // empty: not known
};

bool holds_statistics(const NpzFile& file);
// Throws vq::Error: sizes that do not fit, numbers that are not finite. A reference identity that
// the file lacks is made of mu and sigma.
SavedStatistics read_statistics(const NpzFile& file);
void write_statistics(Output output, const SavedStatistics& saved);

// ADM's name for a batch of pictures.
inline constexpr const char* kSampleBatch = "arr_0";

}  // namespace vq
