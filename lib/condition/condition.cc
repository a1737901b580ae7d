#include "lib/condition/condition.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int64_t kNull = -1;

}  // namespace

const char* condition_word(ConditionKind kind) {
  if (kind == ConditionKind::label) return "label";
  return kind == ConditionKind::caption ? "caption" : "none";
}

ConditionKind parse_condition(const std::string& word, const std::string& where) {
  for (const auto kind : {ConditionKind::none, ConditionKind::label, ConditionKind::caption}) {
    if (word == condition_word(kind)) return kind;
  }
  throw Error(where, "unknown kind of condition '" + word + "'");
}

Json ConditionConfig::to_json() const {
  Json json = {{"kind", condition_word(kind)}};
  if (kind == ConditionKind::label) json["classes"] = classes;
  if (kind != ConditionKind::caption) return json;
  if (text_kind == TextKind::trained) {
    json["text"] = {{"layers", text.layers},
                    {"width", text.width},
                    {"heads", text.heads},
                    {"vocabulary", text.vocabulary},
                    {"length", text.length}};
    return json;
  }
  json["text"] = {{"kind", "clip"}};
  clip.to_json(json["text"]);
  json["text"]["too_long"] = clip_word(clip_ids.too_long);
  json["text"]["exclamation"] = clip_word(clip_ids.exclamation);
  json["null"] = null_kind == NullKind::empty ? "empty" : "learned";
  return json;
}

namespace {

void parse_clip(const Json& json, const std::string& where, ConditionConfig& c) {
  const Json& text = json.at("text");
  c.text_kind = TextKind::clip;
  c.clip = ClipTextConfig::from_json(text, where);
  c.clip_ids.too_long = parse_clip_too_long(text.at("too_long"), where);
  c.clip_ids.exclamation = parse_clip_exclamation(text.at("exclamation"), where);
  const std::string null = json.at("null");
  if (null != "learned" && null != "empty")
    throw Error(where, "its null condition is '" + null + "', not one of learned, empty");
  c.null_kind = null == "empty" ? NullKind::empty : NullKind::learned;
}

}  // namespace

ConditionConfig ConditionConfig::from_json(const Json& json, const std::string& where) {
  ConditionConfig c;
  try {
    c.kind = parse_condition(json.at("kind"), where);
    if (c.kind == ConditionKind::label) c.classes = json.at("classes");
    if (c.kind == ConditionKind::caption) {
      const Json& text = json.at("text");
      const std::string kind = text.value("kind", "trained");  // files from before CLIP: no member
      if (kind == "clip") {
        parse_clip(json, where, c);
      } else if (kind == "trained") {
        c.text = {text.at("layers"), text.at("width"), text.at("heads"), text.at("vocabulary"),
                  text.at("length")};
      } else {
        throw Error(where, "its text encoder is '" + kind + "', not one of trained, clip");
      }
    }
  } catch (const Json::exception& e) {
    throw Error(where,
                std::string("the description of the condition is not complete: ") + e.what());
  }
  return c;
}

Condition::Condition(Parameters& parameters, ConditionConfig config, Tokenizer tokenizer)
    : config_(std::move(config)), tokenizer_(std::move(tokenizer)) {
  if (config_.kind != ConditionKind::caption) return;
  const bool clip = config_.text_kind == TextKind::clip;
  if (clip ? tokenizer_.clip() == nullptr : tokenizer_.trained() == nullptr)
    throw Error("", "the tokenizer is not of the kind that the text encoder reads");
  if (clip) {
    if (tokenizer_.size() != config_.clip.vocabulary) {
      throw Error("", "the vocabulary has " + std::to_string(tokenizer_.size()) +
                          " ids, the text tower " + std::to_string(config_.clip.vocabulary));
    }
    clip_ = ClipText(parameters, "condition.text", config_.clip);
  } else {
    config_.text.vocabulary = tokenizer_.size();
    encoder_ = TextEncoder(parameters, "condition.text", config_.text);
  }
  if (config_.null_kind == NullKind::empty) return;
  null_ = parameters.normal("condition.null", {config_.text_length(), config_.text_width()},
                            config_.null_std);
}

int64_t Condition::prepared_size() const {
  return config_.kind == ConditionKind::caption ? config_.text_length() : 1;
}

std::vector<int64_t> Condition::prepare_caption(const std::string& caption) const {
  return tokenizer_.ids(caption, static_cast<int>(config_.text_length()));
}

std::vector<int64_t> Condition::prepare_label(int64_t label) const {
  if (label < 0 || label >= static_cast<int64_t>(config_.classes.size())) {
    throw Error("label " + std::to_string(label),
                "the model knows the classes 0.." + std::to_string(config_.classes.size() - 1));
  }
  return {label};
}

std::vector<int64_t> Condition::prepare_null() const {
  if (config_.kind == ConditionKind::caption && config_.null_kind == NullKind::empty)
    return prepare_caption("");
  return std::vector<int64_t>(static_cast<size_t>(prepared_size()), kNull);
}

Features Condition::operator()(const at::Tensor& prepared) const {
  if (config_.kind == ConditionKind::none) return {};
  const at::Tensor dropped = prepared.select(1, 0).eq(kNull);
  if (config_.kind == ConditionKind::label) {
    return {{}, at::where(dropped, label_rows() - 1, prepared.select(1, 0))};
  }
  const at::Tensor encoded = encode(prepared.clamp_min(0));
  if (!null_.defined()) return {encoded, {}};
  return {at::where(dropped.view({-1, 1, 1}), null_.unsqueeze(0), encoded), {}};
}

// Grids made for one prompt share its features. A frozen tower is asked once for each caption.
at::Tensor Condition::encode(const at::Tensor& ids) const {
  if (config_.text_kind == TextKind::trained) return encoder_(ids);
  const auto [captions, place, count] =
      at::unique_dim(ids, 0, /*sorted=*/true, /*return_inverse=*/true);
  return clip_(captions).index_select(0, place);
}

Features Condition::null(int64_t rows) const {
  if (config_.kind == ConditionKind::none) return {};
  if (config_.kind == ConditionKind::label)
    return {{}, at::full({rows}, label_rows() - 1, at::kLong)};
  if (null_.defined()) return {null_.unsqueeze(0).expand({rows, -1, -1}), {}};
  const at::Tensor ids = at::tensor(prepare_null(), at::kLong);
  return {encode(ids.unsqueeze(0)).expand({rows, -1, -1}), {}};
}

int64_t Condition::parse_label(const std::string& word) const {
  const auto named = std::find(config_.classes.begin(), config_.classes.end(), word);
  if (named != config_.classes.end()) return named - config_.classes.begin();
  int64_t number = -1;
  const auto end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, number);
  const auto count = static_cast<int64_t>(config_.classes.size());
  if (result.ec == std::errc() && result.ptr == end && number >= 0 && number < count) return number;
  std::string some;
  for (size_t i = 0; i < config_.classes.size() && i < 6; ++i)
    some += (i ? ", " : "") + config_.classes[i];
  throw Error("'" + word + "'", "not a class of this model, which has " + std::to_string(count) +
                                    ": " + some + (count > 6 ? ", ..." : ""));
}

Features join(const Features& a, const Features& b) {
  Features both;
  if (a.context.defined()) both.context = at::cat({a.context, b.context});
  if (a.label.defined()) both.label = at::cat({a.label, b.label});
  return both;
}

}  // namespace vq
