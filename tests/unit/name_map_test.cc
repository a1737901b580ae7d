#include "lib/weights/name_map.h"

#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

using Names = std::vector<std::string>;

const NameMap kMap = {{"head.*", {"out.*"}},
                      {"blocks.#.qkv.*", {"layer.#.q.*", "layer.#.k.*", "layer.#.v.*"}},
                      {"up.#.block.#.*", {"up_blocks.~.resnets.#.*"}},
                      {"codes", {"embedding.weight"}}};

TEST(NameMap, NumbersAndRestsAreCarriedOver) {
  EXPECT_EQ(their_names(kMap, "head.weight"), (Names{"out.weight"}));
  EXPECT_EQ(their_names(kMap, "head.norm.bias"), (Names{"out.norm.bias"}));
  EXPECT_EQ(their_names(kMap, "blocks.12.qkv.bias"),
            (Names{"layer.12.q.bias", "layer.12.k.bias", "layer.12.v.bias"}));
  EXPECT_EQ(their_names(kMap, "codes"), (Names{"embedding.weight"}));
}

TEST(NameMap, LevelsAreCountedFromTheOtherEnd) {
  EXPECT_EQ(their_names(kMap, "up.0.block.2.weight", 4), (Names{"up_blocks.3.resnets.2.weight"}));
  EXPECT_EQ(their_names(kMap, "up.3.block.0.weight", 4), (Names{"up_blocks.0.resnets.0.weight"}));
}

TEST(NameMap, WhatFitsNoRowHasNoPeer) {
  for (const char* name : {"head", "heads.weight", "blocks.x.qkv.weight", "blocks.1.qkv",
                           "blocks.1.2.qkv.weight", "codes.weight", ""})
    EXPECT_TRUE(their_names(kMap, name).empty()) << name;
}

TEST(NameMap, TheirNumbersComeFromOurs) { EXPECT_THROW(their_names({{"a", {"b.#"}}}, "a"), Error); }

TEST(NameMap, NumbersAreHiddenInTables) {
  EXPECT_EQ(with_numbers_hidden("blocks.12.qkv.weight"), "blocks.#.qkv.weight");
  EXPECT_EQ(with_numbers_hidden("conv1.7"), "conv1.#");
}

}  // namespace
}  // namespace vq
