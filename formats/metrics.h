// Measurements as JSON lines: what vq-train --log and vq-eval print, one object a line.
//
// The field names are fixed here, so that scripts may rely on them:
//   vq-train   step, seconds (since start), loss, rate (images a second), learning_rate; codec:
//   recon (mean absolute
//              error), psnr (dB), codes_used, perplexity, restarted; diffusion: vlb (bits a token),
//              x0 (cross-entropy, nats a token), accuracy; features: accuracy
//   vq-eval    metric, value, error (standard error, where there is one), real, fake (counts of
//              images; null: not known), network (what the features are), network_id, standard (is
//              it the network of papers' numbers), preprocessing (where the network has its own; of
//              pairs the size they are compared at, "as they are" or "64 x 64"), reference_id
//              (which real images), seed
//     kid      real_sample, fake_sample (feature vectors it was taken from), deviation (over
//              subsets), subsets, subset_size
//     is       deviation (over splits), splits; it is of the fake images alone
//     precision, recall, density, coverage: what prdc gives, a line each; real_sample, fake_sample,
//              neighbours
//     qs       value is a rank among real images of the same kind, 1/2 as real; among_all,
//              among_all_error (the rank among all of them); gmm, knn (raw means) and gmm_held_out,
//              knn_held_out (those of real images); knn_rank, knn_among_all and their errors,
//              neighbours; components, dimensions (kept), fitted, held_out (real vectors);
//              real_sample, fake_sample
//     ds       value is 1 - half the sum of the differences of real_shares and fake_shares;
//              swapped (raw mean), swapped_rank, swapped_rank_error; the rest as for qs
//     recon    value is dB; ssim, ssim_error
//     lpips    value is the mean distance; network is lpips alex, lpips vgg or lpips squeeze
//     clip     value is the mean cosine; times_100, clipscore, clipscore_error; fake, no real
//     caption  value is a share; right (how many), checker (the command), and the share of each
//              other member of its answers that is true or false; fake, no real
//     usage    value is the perplexity; records, tokens, masked, codes, codes_used; network_id is
//              the codec's
//     bits     records and draws (noised copies of each) in place of real and fake; the network is
//              the model, dtype (fp32, bf16, int8) what its products were computed in
//     purity   the same without draws; value is the correlation; timestep, positions (masked ones),
//              mean_purity, mean_accuracy, bins: ten objects of from, to (purities), count, and the
//              means purity and accuracy
// Numbers are printed with the digits that give the same double back; not-a-number becomes null.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"

namespace vq {

class MetricsWriter {
 public:
  explicit MetricsWriter(Output output);
  // Appends to PATH (a training log goes on after --resume); "-" is standard output. This file is
  // written in place, for it is read while it grows. A last line that was cut off is ended first.
  static MetricsWriter append(const std::string& path);
  MetricsWriter(MetricsWriter&&) noexcept;
  MetricsWriter& operator=(MetricsWriter&&) noexcept;
  ~MetricsWriter();

  void write(const Json& line);  // flushed at once, so that `tail -f` works
  void close();

 private:
  struct State;
  explicit MetricsWriter(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// Lines of vq-eval for people: a row each under a head, with the columns that some line has a value
// for. Lists (bins) are left out.
std::string metrics_table(const std::vector<Json>& lines);

}  // namespace vq
