// What the network listens to: nothing, a class, or a caption, behind one face; and the learned
// null condition.
//
//   none      no features
//   label     the class number; the null is one more class, whose rows are learned like the others'
//   caption   (S, C) features of a text encoder; the null is a learned (S, C) tensor in its place
//   (paper section 3.1), or the features of the empty caption
//
// The text encoder is "trained" (a SentencePiece vocabulary and a small transformer, both learned
// from the data set) or "clip" (CLIP's tokenizer and frozen text tower, as in the released models).
//
// In training a condition is dropped to the null with probability --condition-drop, so that the
// same network estimates p(x) as well as p(x | y); guidance needs both.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/token_grid.h"
#include "lib/condition/clip_text.h"
#include "lib/condition/text_encoder.h"
#include "lib/condition/tokenizer.h"

namespace vq {

enum class ConditionKind { none, label, caption };
const char* condition_word(ConditionKind kind);  // as in a model's configuration
ConditionKind parse_condition(const std::string& word, const std::string& where);

// What a denoiser is given: one of the two, or neither.
struct Features {
  at::Tensor context;  // (B, S, C)
  at::Tensor label;    // (B) int64
};

enum class TextKind { trained, clip };
enum class NullKind { learned, empty };

struct ConditionConfig {
  ConditionKind kind = ConditionKind::none;
  TextKind text_kind = TextKind::trained;  // caption
  TextEncoderConfig text;                  // caption, trained
  ClipTextConfig clip;                     // caption, clip
  ClipTokenizerOptions clip_ids;           // caption, clip
  NullKind null_kind = NullKind::learned;  // empty: clip only
  std::vector<std::string> classes;        // label: their names; numbers are positions
  double null_std = 0.02;

  int64_t text_width() const { return text_kind == TextKind::clip ? clip.width : text.width; }
  int64_t text_length() const { return text_kind == TextKind::clip ? clip.length : text.length; }

  // As lib/condition/README.md lists the members.
  Json to_json() const;
  static ConditionConfig from_json(const Json& json, const std::string& where);
};

class Condition {
 public:
  // A caption condition needs its tokenizer, of the kind that its configuration says.
  Condition(Parameters& parameters, ConditionConfig config, Tokenizer tokenizer);

  const ConditionConfig& config() const { return config_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  int64_t label_rows() const { return static_cast<int64_t>(config_.classes.size()) + 1; }

  // What is kept of a record: (1) its class or (S) its caption's ids; -1 or all -1 for a learned
  // null.
  std::vector<int64_t> prepare_caption(const std::string& caption) const;
  std::vector<int64_t> prepare_label(int64_t label) const;
  std::vector<int64_t> prepare_null() const;
  int64_t prepared_size() const;

  // prepared (B, prepared_size) int64 -> features; rows of -1 become the null.
  Features operator()(const at::Tensor& prepared) const;
  // n rows of the null.
  Features null(int64_t rows) const;

  // A class by number or by name; throws vq::Error naming the classes there are.
  int64_t parse_label(const std::string& word) const;

 private:
  at::Tensor encode(const at::Tensor& ids) const;

  ConditionConfig config_;
  Tokenizer tokenizer_;
  TextEncoder encoder_;
  ClipText clip_;
  at::Tensor null_;
};

// Rows of both, the first's first: for guidance's two branches in one batch.
Features join(const Features& a, const Features& b);

}  // namespace vq
