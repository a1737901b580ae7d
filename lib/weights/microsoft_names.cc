#include "lib/weights/microsoft_names.h"

namespace vq {

NameMap microsoft_denoiser_names(ConditionKind kind, bool convolutions) {
  const bool caption = kind == ConditionKind::caption, label = kind == ConditionKind::label;
  const std::string block = "transformer.blocks.#.";
  const std::string self = block + (caption ? "attn1." : "attn.");
  NameMap map = {
      {"embedding.token.*", {"transformer.content_emb.emb.*"}},
      {"embedding.row.*", {"transformer.content_emb.height_emb.*"}},
      {"embedding.column.*", {"transformer.content_emb.width_emb.*"}},
      {"blocks.#.norm_self.embedding.*", {block + "ln1.emb.*"}},
      {"blocks.#.norm_self.linear.*", {block + "ln1.linear.*"}},
      {"blocks.#.self.qkv.*", {self + "query.*", self + "key.*", self + "value.*"}},
      {"blocks.#.self.out.*", {self + "proj.*"}},
      {"head.norm.*", {"transformer.to_logits.0.*"}},
      {"head.linear.*", {"transformer.to_logits.1.*"}},
  };
  if (caption) {
    const std::string cross = block + "attn2.";
    map.push_back({"blocks.#.norm_cross.embedding.*", {block + "ln1_1.emb.*"}});
    map.push_back({"blocks.#.norm_cross.linear.*", {block + "ln1_1.linear.*"}});
    map.push_back({"blocks.#.cross.query.*", {cross + "query.*"}});
    map.push_back({"blocks.#.cross.key_value.*", {cross + "key.*", cross + "value.*"}});
    map.push_back({"blocks.#.cross.out.*", {cross + "proj.*"}});
  }
  if (label) {
    map.push_back({"blocks.#.norm_label.embedding.*", {block + "ln2.emb.*"}});
    map.push_back({"blocks.#.norm_label.linear.*", {block + "ln2.linear.*"}});
  } else {
    map.push_back({"blocks.#.norm_mlp.*", {block + "ln2.*"}});
  }
  map.push_back({"blocks.#.mlp.in.*", {block + (convolutions ? "mlp.conv1.*" : "mlp.0.*")}});
  map.push_back({"blocks.#.mlp.out.*", {block + (convolutions ? "mlp.conv2.*" : "mlp.2.*")}});
  return map;
}

const NameMap& taming_codec_names() {
  // Ours are theirs, but for the quantiser, which differs between their codecs.
  static const NameMap map = {
      {"encoder.*", {"encoder.*"}},
      {"decoder.*", {"decoder.*"}},
      {"quant_conv.*", {"quant_conv.*"}},
      {"post_quant_conv.*", {"post_quant_conv.*"}},
      {"quantize.proj.*", {"quantize.proj.*"}},
  };
  return map;
}

std::string name_in_content_codec(const std::string& name) {
  const bool decoder = name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
  return (decoder ? "dec." : "enc.") + name;
}

}  // namespace vq
