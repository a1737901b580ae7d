// What vq-info answers: the report on each kind of file, whole and damaged, and as a person reads
// it.

#include "formats/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "formats/error.h"
#include "formats/image.h"
#include "formats/safetensors.h"
#include "formats/token_grid.h"
#include "tests/unit/torch_files.h"

namespace vq {
namespace {

class Report : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "vq_report_test/" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + name; }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  // Three records of 2 x 2 tokens, K = 8, one [mask]; code 1 seven times, code 3 four times.
  std::string write_tokens(const std::string& name, Spelling spelling = Spelling::binary) const {
    GridHeader header;
    header.height = header.width = 2;
    header.codebook_size = 8;
    header.codec = "0123456789abcdef";
    header.mask = true;
    header.history = Json::array({{{"tool", "vq-encode"},
                                   {"version", "0.1.0"},
                                   {"arguments", {"-m", "my codec", "photos/"}},
                                   {"seed", 7}}});
    TokenWriter writer(Output::open(path(name), true), header, {.spelling = spelling});
    writer.write({"a", {1, 1, 1, 1}, {{"caption", "one"}}});
    writer.write({"b", {1, 1, 1, 8}, {{"captions", {"two", "three"}}, {"label", 4}}});
    writer.write({"c", {3, 3, 3, 3}, Json::object()});
    writer.close();
    return path(name);
  }
  std::string folder_;
};

TEST_F(Report, TokenGridCountsEverything) {
  for (const Spelling spelling : {Spelling::binary, Spelling::text}) {
    const Json r = report_on(write_tokens("t.vqt", spelling));
    EXPECT_EQ(r["kind"], "token grid");
    EXPECT_EQ(r["spelling"], spelling == Spelling::text ? "text" : "binary");
    EXPECT_EQ(r["whole"], true) << r;
    EXPECT_EQ(r["records"], 3);
    EXPECT_EQ(r.contains("blocks"), spelling == Spelling::binary);
    if (spelling == Spelling::binary) {
      EXPECT_EQ(r["blocks"], 1);
      EXPECT_EQ(r["streams"], 1);
    }
    EXPECT_EQ(r["tokens"], 12);
    EXPECT_EQ(r["masked"], 1);
    EXPECT_EQ(r["captions"], 3);
    EXPECT_EQ(r["captioned"], 2);
    EXPECT_EQ(r["labelled"], 1);
    EXPECT_EQ(r["codes_used"], 2);
    const double p = 7.0 / 11, q = 4.0 / 11;
    EXPECT_NEAR(r["perplexity"].get<double>(), std::exp(-p * std::log(p) - q * std::log(q)), 1e-12);
    EXPECT_EQ(r["most_frequent"], Json::parse("[[1,7],[3,4]]"));
    EXPECT_EQ(r["least_frequent"], Json::parse("[[3,4],[1,7]]"));
  }
}

TEST_F(Report, StreamsAreCounted) {
  const Bytes once = read_file(write_tokens("t.vqt"));
  Bytes twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  const Json r = report_on(write("twice.vqt", std::string(as_text(twice))));
  EXPECT_EQ(r["records"], 6);
  EXPECT_EQ(r["blocks"], 2);
  EXPECT_EQ(r["streams"], 2);
  EXPECT_NE(report_text(r).find("  records        6 in 2 blocks of 2 streams\n"),
            std::string::npos);
}

TEST_F(Report, VerdictIsOneLine) {
  const std::string path = write_tokens("t.vqt");
  EXPECT_EQ(verdict_text(report_on(path)), path + ": whole (token grid, records 3 in 1 block)");
  Bytes bytes = read_file(path);
  bytes[bytes.size() / 2] ^= 1;
  const std::string damaged = write("damaged.vqt", std::string(as_text(bytes)));
  EXPECT_EQ(verdict_text(report_on(damaged)), damaged + ": damaged in 1 place");
}

// What vq-decode writes into its pictures is read as history, not as text.
TEST_F(Report, PicturesTellTheirHistory) {
  const Image image{1, 1, {1, 2, 3}};
  write_png(path("p.png"), image,
            {{"Software", "vq-decode 0.1.0"},
             {"vq:history",
              R"([{"tool":"vq-sample","version":"0.1.0","arguments":["-m","my model"],"seed":7}])"},
             {"Title", "a key"}});
  const Json r = report_on(path("p.png"));
  EXPECT_EQ(r["history"][0]["seed"], 7);
  EXPECT_FALSE(r["text"].contains("vq:history"));
  EXPECT_EQ(r["text"]["Title"], "a key");
  EXPECT_NE(report_text(r).find("vq-sample -m 'my model'  # version 0.1.0, seed 7"),
            std::string::npos);
}

TEST_F(Report, TokenGridAsText) {
  Json r = report_on(write_tokens("t.vqt"));
  r["file"] = "t.vqt";
  const std::string text = report_text(r);
  for (const char* part :
       {"t.vqt: token grid\n", "records        3 in 1 block\n", "2 x 2, 4 tokens a record\n",
        "codec          0123456789abcdef\n", "3 in 2 of 3 records", "in 1 of 3 records",
        "1 of 12 tokens (8.33 %)", "2 of 8, perplexity 1.9", "1 (63.6 %), 3 (36.4 %)",
        "history        vq-encode -m 'my codec' photos/  # version 0.1.0, seed 7\n",
        "whole          yes\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(Report, ACutFileIsNotWholeAndStillCounted) {
  const std::string name = write_tokens("t.vqt");
  std::filesystem::resize_file(name, std::filesystem::file_size(name) / 2);
  const Json r = report_on(name);
  EXPECT_EQ(r["whole"], false);
  EXPECT_EQ(r["damage"].size(), 1u) << r;
  EXPECT_NE(report_text(r).find("no, damaged in 1 place\n"), std::string::npos);
}

TEST_F(Report, Safetensors) {
  const std::vector<float> weights(6);
  const TensorToWrite tensor = {"encoder.weight",
                                DType::f32,
                                {2, 3},
                                as_bytes({reinterpret_cast<const char*>(weights.data()), 24})};
  write_safetensors(path("m.safetensors"), {tensor},
                    {{"vq.kind", "codec"}, {"vq.config", "{\"codebook\":512}"}, {"note", "mine"}},
                    true);
  const Json r = report_on(path("m.safetensors"));
  EXPECT_EQ(r["whole"], true) << r;
  EXPECT_EQ(r["model"], "codec");
  EXPECT_EQ(r["config"]["codebook"], 512);
  EXPECT_EQ(r["metadata"]["note"], "mine");
  EXPECT_EQ(r["parameters"], 6);
  EXPECT_EQ(r["tensors"][0]["shape"], Json::parse("[2,3]"));
  const std::string text = report_text(r, {.tensors = true});
  EXPECT_NE(text.find("codec model, safetensors\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  encoder.weight  F32   2 x 3\n"), std::string::npos) << text;
  EXPECT_EQ(report_text(r).find("encoder.weight"), std::string::npos);

  std::filesystem::resize_file(path("m.safetensors"),
                               std::filesystem::file_size(path("m.safetensors")) - 1);
  EXPECT_EQ(report_on(path("m.safetensors"))["whole"], false);
}

TEST_F(Report, LongListsOfAConfigurationAreWholeOnlyAsJson) {
  Json config = {{"condition", {{"classes", Json::array()}}}, {"multipliers", {1, 2, 4, 8}}};
  for (int i = 0; i < 1000; ++i) config["condition"]["classes"].push_back("c" + std::to_string(i));
  write_safetensors(path("m.safetensors"), {},
                    {{"vq.kind", "diffusion"}, {"vq.config", config.dump()}}, true);
  const Json r = report_on(path("m.safetensors"));
  EXPECT_EQ(r["config"], config);
  const std::string text = report_text(r);
  EXPECT_NE(text.find(R"({"classes":["c0","c1","c2","c3","... 1000 in all"]})"), std::string::npos)
      << text;
  EXPECT_NE(text.find("multipliers = [1,2,4,8]"), std::string::npos) << text;
}

TEST_F(Report, TorchArchive) {
  using namespace torch_files;
  const Bytes bytes = archive(everything(), everything_storages());
  const Json r = report_on(write("m.pth", std::string(as_text(bytes))));
  EXPECT_EQ(r["kind"], "PyTorch archive");
  EXPECT_EQ(r["whole"], true) << r;
  EXPECT_EQ(r["parameters"], 10);
  EXPECT_EQ(r["dtypes"], Json::parse(R"({"F16":2,"F32":8})"));
  EXPECT_EQ(r["parts"]["model"]["tensors"], 2);
  EXPECT_EQ(r["values"]["epoch"], 300);
  EXPECT_EQ(r["tensors"][0]["name"], "model.a.weight");
  EXPECT_EQ(r["tensors"][2]["dtype"], "F16");
  const std::string text = report_text(r, {.tensors = true});
  for (const char* part :
       {"m.pth: PyTorch archive\n", "parameters     10\n",
        "parts          half: 1 tensors, 2 numbers\n", "values         epoch = 300\n",
        "                 rate = 1.0\n", "  model.a.weight  F32   2 x 3\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }

  const Json cut = report_on(write("cut.pth", std::string(as_text(bytes)).substr(0, 400)));
  EXPECT_EQ(cut["kind"], "PyTorch archive");
  EXPECT_EQ(cut["whole"], false);
  const Bytes unchecked = archive("N", everything_storages(), {.checksums = false});
  EXPECT_TRUE(report_on(write("u.pth", std::string(as_text(unchecked))))["whole"].is_null());
  const Bytes evil = archive(call(global("os", "system"), {torch_files::text("true")}));
  EXPECT_EQ(report_on(write("evil.pth", std::string(as_text(evil))))["whole"], false);
}

TEST_F(Report, Pictures) {
  Image image{.width = 4, .height = 2, .rgb = std::vector<uint8_t>(24, 9)};
  write_png(path("p.png"), image, {{"prompt", "a red bird"}, {"vq", "{\"seed\":7}"}});
  const Json png = report_on(path("p.png"));
  EXPECT_EQ(png["whole"], true) << png;
  EXPECT_EQ(png["width"], 4);
  EXPECT_EQ(png["text"]["prompt"], "a red bird");
  EXPECT_EQ(png["text"]["vq"]["seed"], 7);

  Output output = Output::open(path("p.ppm"), true);
  write_ppm(output, image);
  write_ppm(output, image);
  output.close();
  EXPECT_EQ(report_on(path("p.ppm"))["pictures"], 2);
  std::filesystem::resize_file(path("p.png"), std::filesystem::file_size(path("p.png")) - 20);
  EXPECT_EQ(report_on(path("p.png"))["whole"], false);
}

TEST_F(Report, OtherFiles) {
  EXPECT_EQ(report_on(write("empty", ""))["whole"], false);
  EXPECT_EQ(report_on(write("odd", "\xff\xfe\x01\x02"))["whole"], false);
  const Json text = report_on(write("notes.txt", "only words\n"));
  EXPECT_TRUE(text["whole"].is_null()) << text;
  EXPECT_NE(report_text(text).find("whole          not checked\n"), std::string::npos);
  EXPECT_THROW(report_on(path("missing")), Error);
  EXPECT_THROW(report_on(folder_), Error);
}

}  // namespace
}  // namespace vq
