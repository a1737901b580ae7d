#include "formats/metrics_plot.h"

#include <cmath>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

std::vector<PlotLine> lines_of(const std::vector<std::string>& texts,
                               const std::string& source = "a.jsonl") {
  std::vector<PlotLine> lines;
  for (const std::string& text : texts) {
    const std::string place = "line " + std::to_string(lines.size() + 1);
    lines.push_back({parse_json(text, place), source, place});
  }
  return lines;
}

std::vector<std::string> names_of(const Panel& panel) {
  std::vector<std::string> names;
  for (const Series& series : panel.series) names.push_back(series.name);
  return names;
}
using Names = std::vector<std::string>;

const std::vector<std::string> kSweep = {
    R"({"guidance":1,"metric":"fid","value":3,"error":0.5})",
    R"({"guidance":1,"metric":"accuracy","value":0.5})",
    R"({"guidance":2.5,"metric":"fid","value":2,"error":null})",
    R"({"guidance":2.5,"metric":"accuracy","value":null})",
};

TEST(MetricsPlot, LinesOfOneMetricAreOneSeries) {
  const MetricsPlot plot = metrics_plot(lines_of(kSweep), {.x = "guidance"});
  ASSERT_EQ(plot.panels.size(), 1u);
  const Panel& panel = plot.panels[0];
  EXPECT_EQ(names_of(panel), (Names{"fid", "accuracy"}));
  EXPECT_EQ(panel.x_label, "guidance");
  EXPECT_EQ(panel.y_label, "value");
  EXPECT_EQ(panel.series[0].x, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(panel.series[0].y, (std::vector<double>{3, 2}));
  EXPECT_EQ(panel.series[0].error[0], 0.5);
  EXPECT_TRUE(std::isnan(panel.series[0].error[1]));
  EXPECT_TRUE(std::isnan(panel.series[1].y[1])) << "null is a number that does not exist";
}

TEST(MetricsPlot, PanelsHaveTheirOwnSeriesAndLabels) {
  const MetricsPlot plot = metrics_plot(lines_of(kSweep), {.x = "guidance", .panels = "metric"});
  ASSERT_EQ(plot.panels.size(), 2u);
  EXPECT_EQ(plot.panels[0].y_label, "fid");
  EXPECT_EQ(plot.panels[1].y_label, "accuracy");
  EXPECT_EQ(plot.panels[1].series.size(), 1u);
}

TEST(MetricsPlot, SeriesByAnyField) {
  const MetricsPlot plot = metrics_plot(lines_of(kSweep), {.x = "guidance", .series = "guidance"});
  EXPECT_EQ(names_of(plot.panels[0]), (Names{"1", "2.5"}));
}

TEST(MetricsPlot, FilesAreSeriesNamedWithoutTheFoldersTheyShare) {
  std::vector<PlotLine> lines = lines_of({R"({"step":1,"loss":3})"}, "runs/a/model.log");
  lines.push_back(lines_of({R"({"step":1,"loss":2})"}, "runs/b/model.log")[0]);
  const MetricsPlot plot = metrics_plot(lines, {.y = "loss"});
  EXPECT_EQ(names_of(plot.panels[0]), (Names{"a/model.log", "b/model.log"}));
  EXPECT_EQ(plot.panels[0].y_label, "loss");
  EXPECT_EQ(plot.panels[0].x_label, "step");
}

TEST(MetricsPlot, OneMetricNamesTheAxis) {
  const MetricsPlot plot = metrics_plot(lines_of({R"({"step":1,"metric":"fid","value":3})"}), {});
  EXPECT_EQ(plot.panels[0].y_label, "fid");
}

TEST(MetricsPlot, LinesWithoutTheFieldAreCounted) {
  std::vector<std::string> texts = kSweep;
  texts.push_back(R"({"metric":"fid","value":3})");
  texts.push_back(R"({"guidance":2})");
  const MetricsPlot plot = metrics_plot(lines_of(texts), {.x = "guidance"});
  EXPECT_EQ(plot.left_out, 2);
  EXPECT_EQ(plot.left_out_for, "guidance");
}

const std::vector<std::string> kPurity = {
    R"({"metric":"purity","value":0.571,"timestep":20,"bins":[
        {"from":0.0,"to":0.1,"count":0,"purity":null,"accuracy":null},
        {"from":0.9,"to":1.0,"count":99,"purity":0.95,"accuracy":0.9}]})",
    R"({"metric":"purity","value":null,"timestep":50,"bins":[
        {"from":0.5,"to":0.6,"count":1,"purity":0.55,"accuracy":1.0}]})",
    R"({"metric":"bits","value":3.1})"};

TEST(MetricsPlot, PurityIsAccuracyAgainstPurityOfTheBins) {
  const MetricsPlot plot = metrics_plot(lines_of(kPurity), {});
  ASSERT_EQ(plot.panels.size(), 1u);
  const Panel& panel = plot.panels[0];
  EXPECT_EQ(names_of(panel), (Names{"t = 20, r = 0.57", "t = 50, r = nan"}));
  EXPECT_EQ(panel.series[0].x, (std::vector<double>{0.95})) << "empty bins are nothing";
  EXPECT_EQ(panel.series[0].y, (std::vector<double>{0.9}));
  EXPECT_EQ(panel.series[0].weight, (std::vector<double>{99}));
  EXPECT_NEAR(panel.series[0].error[0], std::sqrt(0.9 * 0.1 / 99), 0.002);
  EXPECT_GT(panel.series[1].error[0], 0.25) << "one position is no certainty";
  EXPECT_EQ(panel.diagonal, "calibrated");
  EXPECT_EQ(plot.left_out, 1);
  EXPECT_EQ(metrics_plot(lines_of(kPurity), {.x = "timestep"}).panels[0].series[0].y.size(), 2u)
      << "with --x-axis they are lines like others";
}

TEST(MetricsPlot, WhatCannotBeDrawnIsSaid) {
  const auto error = [](const std::vector<std::string>& texts, const PlotFields& fields) {
    return error_of([&] { metrics_plot(lines_of(texts), fields); });
  };
  EXPECT_EQ(error(kSweep, {.x = "metric"}), "a.jsonl: line 1: \"metric\" is not a number");
  EXPECT_EQ(error(kSweep, {.x = "seed"}),
            "no line has all fields to draw; the first one lacks \"seed\"");
  EXPECT_EQ(error({}, {}), "there are no lines to draw");
}

}  // namespace
}  // namespace vq
