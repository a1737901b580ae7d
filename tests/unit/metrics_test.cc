#include "formats/metrics.h"

#include <limits>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

TEST(Metrics, OneObjectALineInTheGivenOrder) {
  Bytes bytes;
  MetricsWriter writer(Output::memory(&bytes));
  writer.write({{"step", 10}, {"loss", 0.1}});
  EXPECT_EQ(as_text(bytes), "{\"step\":10,\"loss\":0.1}\n");  // there before close
  writer.write({{"step", 20}, {"loss", 1e-300}});
  writer.close();
  EXPECT_EQ(as_text(bytes), "{\"step\":10,\"loss\":0.1}\n{\"step\":20,\"loss\":1e-300}\n");
}

TEST(Metrics, NumbersGiveTheSameDoubleBack) {
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789}) {
    Bytes bytes;
    MetricsWriter(Output::memory(&bytes)).write({{"value", value}});
    EXPECT_EQ(parse_json(as_text(bytes), "line")["value"].get<double>(), value);
  }
}

TEST(Metrics, NotANumberBecomesNull) {
  Bytes bytes;
  MetricsWriter writer(Output::memory(&bytes));
  writer.write({{"a", std::nan("")}, {"b", std::numeric_limits<double>::infinity()}});
  EXPECT_EQ(as_text(bytes), "{\"a\":null,\"b\":null}\n");
}

TEST(Metrics, AppendGoesOnWhereALogStopped) {
  const TempFolder folder;
  const std::string path = folder / "train.jsonl";
  {
    MetricsWriter writer = MetricsWriter::append(path);
    writer.write({{"step", 1}});
    EXPECT_EQ(file_content(path), "{\"step\":1}\n");  // under its own name at once, for tail -f
    writer.close();
  }
  MetricsWriter writer = MetricsWriter::append(path);
  writer.write({{"step", 2}});
  writer.close();
  EXPECT_EQ(file_content(path), "{\"step\":1}\n{\"step\":2}\n");
}

TEST(Metrics, ACutOffLineIsEndedFirst) {
  const TempFolder folder;
  const std::string path = folder.write("train.jsonl", "{\"step\":1}\n{\"ste");
  MetricsWriter writer = MetricsWriter::append(path);
  writer.write({{"step", 2}});
  EXPECT_EQ(file_content(path), "{\"step\":1}\n{\"ste\n{\"step\":2}\n");
}

TEST(Metrics, AFullDiskAndAMissingFolderAreErrors) {
  MetricsWriter full = MetricsWriter::append("/dev/full");
  EXPECT_EQ(error_of([&] {
              full.write({{"step", 1}});
            }),
            "/dev/full: cannot write: No space left on device");
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { MetricsWriter::append(folder / "none/log"); }, folder.path()),
            "none/log: cannot open: No such file or directory");
}

TEST(MetricsTable, ShowsTheColumnsThatThereAreValuesFor) {
  EXPECT_EQ(metrics_table({{{"metric", "fid"},
                            {"value", 12.34567},
                            {"error", std::nan("")},
                            {"real", 100},
                            {"fake", 7},
                            {"network", "codec latent"},
                            {"network_id", "0123"}},
                           {{"metric", "recon"}, {"value", 30.5}, {"error", 0.25}, {"real", 7}}}),
            "metric        value      error       real       fake  by\n"
            "fid           12.35          -        100          7  codec latent\n"
            "recon          30.5       0.25          7          -  -\n");
  EXPECT_EQ(metrics_table({{{"metric", "purity"},
                            {"value", 0.5},
                            {"error", 0.1},
                            {"timestep", 20},
                            {"records", 3},
                            {"bins", Json::array()},
                            {"network", "diffusion model"}}}),
            "metric        value      error          t    records  by\n"
            "purity          0.5        0.1         20          3  diffusion model\n");
}

}  // namespace
}  // namespace vq
