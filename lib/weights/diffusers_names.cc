#include "lib/weights/diffusers_names.h"

#include <array>
#include <utility>

namespace vq {

const NameMap& diffusers_denoiser_names() {
  static const NameMap map = {
      {"embedding.token.*", {"latent_image_embedding.emb.*"}},
      {"embedding.row.*", {"latent_image_embedding.height_emb.*"}},
      {"embedding.column.*", {"latent_image_embedding.width_emb.*"}},
      {"blocks.#.norm_self.embedding.*", {"transformer_blocks.#.norm1.emb.*"}},
      {"blocks.#.norm_self.linear.*", {"transformer_blocks.#.norm1.linear.*"}},
      {"blocks.#.self.qkv.*",
       {"transformer_blocks.#.attn1.to_q.*", "transformer_blocks.#.attn1.to_k.*",
        "transformer_blocks.#.attn1.to_v.*"}},
      {"blocks.#.self.out.*", {"transformer_blocks.#.attn1.to_out.0.*"}},
      {"blocks.#.norm_cross.embedding.*", {"transformer_blocks.#.norm2.emb.*"}},
      {"blocks.#.norm_cross.linear.*", {"transformer_blocks.#.norm2.linear.*"}},
      {"blocks.#.cross.query.*", {"transformer_blocks.#.attn2.to_q.*"}},
      {"blocks.#.cross.key_value.*",
       {"transformer_blocks.#.attn2.to_k.*", "transformer_blocks.#.attn2.to_v.*"}},
      {"blocks.#.cross.out.*", {"transformer_blocks.#.attn2.to_out.0.*"}},
      {"blocks.#.norm_mlp.*", {"transformer_blocks.#.norm3.*"}},
      {"blocks.#.mlp.in.*", {"transformer_blocks.#.ff.net.0.proj.*"}},
      {"blocks.#.mlp.out.*", {"transformer_blocks.#.ff.net.2.*"}},
      {"head.norm.*", {"norm_out.*"}},
      {"head.linear.*", {"out.*"}},
  };
  return map;
}

const NameMap& diffusers_codec_names() {
  static const NameMap map = [] {
    NameMap rows = {
        {"quantize.embedding", {"quantize.embedding.weight"}},
        {"quant_conv.*", {"quant_conv.*"}},
        {"post_quant_conv.*", {"post_quant_conv.*"}},
        {"encoder.down.#.downsample.conv.*", {"encoder.down_blocks.#.downsamplers.0.conv.*"}},
        {"decoder.up.#.upsample.conv.*", {"decoder.up_blocks.~.upsamplers.0.conv.*"}},
    };
    const auto residual = [&](const std::string& ours, const std::string& theirs) {
      for (const char* part : {"norm1", "conv1", "norm2", "conv2"})
        rows.push_back({ours + "." + part + ".*", {theirs + "." + part + ".*"}});
      rows.push_back({ours + ".nin_shortcut.*", {theirs + ".conv_shortcut.*"}});
    };
    const auto attention = [&](const std::string& ours, const std::string& theirs) {
      constexpr std::pair<const char*, const char*> kParts[] = {{"norm", "group_norm"},
                                                                {"q", "to_q"},
                                                                {"k", "to_k"},
                                                                {"v", "to_v"},
                                                                {"proj_out", "to_out.0"}};
      for (const auto& [our_part, their_part] : kParts)
        rows.push_back({ours + "." + our_part + ".*", {theirs + "." + their_part + ".*"}});
    };
    residual("encoder.down.#.block.#", "encoder.down_blocks.#.resnets.#");
    attention("encoder.down.#.attn.#", "encoder.down_blocks.#.attentions.#");
    residual("decoder.up.#.block.#", "decoder.up_blocks.~.resnets.#");
    attention("decoder.up.#.attn.#", "decoder.up_blocks.~.attentions.#");
    for (const std::string half : {"encoder", "decoder"}) {
      residual(half + ".mid.block_1", half + ".mid_block.resnets.0");
      attention(half + ".mid.attn_1", half + ".mid_block.attentions.0");
      residual(half + ".mid.block_2", half + ".mid_block.resnets.1");
      rows.push_back({half + ".norm_out.*", {half + ".conv_norm_out.*"}});
      for (const char* end : {".conv_in.*", ".conv_out.*"})
        rows.push_back({half + end, {half + end}});
    }
    return rows;
  }();
  return map;
}

std::string newer_attention_name(const std::string& name) {
  constexpr std::array<std::pair<const char*, const char*>, 4> kOlder = {
      {{".query.", ".to_q."},
       {".key.", ".to_k."},
       {".value.", ".to_v."},
       {".proj_attn.", ".to_out.0."}}};
  if (name.find(".attentions.") == std::string::npos) return name;
  for (const auto& [older, newer] : kOlder) {
    const size_t at = name.find(older);
    if (at != std::string::npos)
      return name.substr(0, at) + newer + name.substr(at + std::string(older).size());
  }
  return name;
}

}  // namespace vq
