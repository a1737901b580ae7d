#include "formats/metrics_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"

namespace vq {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A name from what tells series apart; parts that all of them share are dropped.
using NameParts = std::vector<std::string>;

std::string join(const NameParts& parts, const std::vector<bool>& shown) {
  std::string name;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!shown[i] || parts[i].empty()) continue;
    name += (name.empty() ? "" : ", ") + parts[i];
  }
  return name;
}

// Numbers as they were written, texts without quotes.
std::string word_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

double number_of(const PlotLine& line, const std::string& field) {
  const Json& value = line.values.at(field);
  if (value.is_null()) return kNone;
  if (value.is_number()) return value;
  throw Error(line.source + ": " + line.place, fmt::format("\"{}\" is not a number", field));
}

double optional_number(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_number() ? found->get<double>() : kNone;
}

// The standard error of a share among so many, each by itself. Half a case is added on both sides:
// one case out of one is no certainty.
double share_error(double share, double count) {
  const double adjusted = (share * count + 0.5) / (count + 1);
  return std::sqrt(adjusted * (1 - adjusted) / (count + 1));
}

// How long the folders are that all sources lie in.
size_t common_folder(const std::vector<PlotLine>& lines) {
  std::string common = lines.empty() ? "" : lines.front().source;
  for (const PlotLine& line : lines) {
    const auto end =
        std::mismatch(common.begin(), common.end(), line.source.begin(), line.source.end());
    common.erase(end.first, common.end());
  }
  return common.rfind('/') + 1;  // npos + 1 is 0
}

bool has_bins(const Json& line) {
  return line.contains("bins") && line["bins"].is_array() && line.contains("metric") &&
         line["metric"] == "purity";
}

class Collector {
 public:
  Collector(const PlotFields& fields, bool bins, size_t folder)
      : fields_(fields), bins_(bins), folder_(folder) {}

  void add(const PlotLine& line) {
    for (const std::string& field : needed()) {
      if (line.values.contains(field)) continue;
      if (left_out_++ == 0) left_out_for_ = field;
      return;
    }
    if (bins_ && !has_bins(line.values)) {
      if (left_out_++ == 0) left_out_for_ = "bins";
      return;
    }
    Named& series = series_of(line);
    bins_ ? add_bins(line, series.series) : add_point(line, series.series);
  }

  MetricsPlot finish() {
    MetricsPlot plot{{}, left_out_, left_out_for_};
    for (Group& group : groups_) plot.panels.push_back(panel(group));
    return plot;
  }

 private:
  struct Named {
    NameParts parts;
    Series series;
  };
  struct Group {
    std::string name;
    std::vector<Named> series;
  };

  std::vector<std::string> needed() const {
    std::vector<std::string> names;
    if (!bins_) names = {fields_.x, fields_.y};
    for (const std::string& name : {fields_.series, fields_.panels}) {
      if (!name.empty()) names.push_back(name);
    }
    return names;
  }

  NameParts parts_of(const PlotLine& line) const {
    const Json& values = line.values;
    const std::string source = line.source.substr(folder_);
    if (!fields_.series.empty()) return {word_of(values[fields_.series])};
    if (!bins_) return {values.contains("metric") ? word_of(values["metric"]) : "", source};
    const std::string time = values.contains("timestep") ? word_of(values["timestep"]) : "?";
    return {"t = " + time, fmt::format("r = {:.2f}", optional_number(values, "value")), source};
  }

  Named& series_of(const PlotLine& line) {
    const std::string name = fields_.panels.empty() ? "" : word_of(line.values[fields_.panels]);
    const auto group = std::find_if(groups_.begin(), groups_.end(),
                                    [&](const Group& g) { return g.name == name; });
    std::vector<Named>& all =
        (group == groups_.end() ? groups_.emplace_back(Group{name, {}}) : *group).series;
    const NameParts parts = parts_of(line);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Named& s) { return s.parts == parts; });
    return found == all.end() ? all.emplace_back(Named{parts, {}}) : *found;
  }

  void add_point(const PlotLine& line, Series& series) const {
    series.x.push_back(number_of(line, fields_.x));
    series.y.push_back(number_of(line, fields_.y));
    series.error.push_back(fields_.y == "value" ? optional_number(line.values, "error") : kNone);
  }

  static void add_bins(const PlotLine& line, Series& series) {
    for (const Json& bin : line.values["bins"]) {
      if (!bin.is_object()) throw Error(line.source + ": " + line.place, "bins are not objects");
      if (optional_number(bin, "count") == 0) continue;
      series.x.push_back(optional_number(bin, "purity"));
      series.y.push_back(optional_number(bin, "accuracy"));
      series.weight.push_back(optional_number(bin, "count"));
      series.error.push_back(share_error(series.y.back(), series.weight.back()));
    }
  }

  // Which parts of the names differ within the group, or stand for all of a time.
  std::vector<bool> shown_parts(const Group& group) const {
    std::vector<bool> shown(group.series.front().parts.size(), false);
    for (size_t i = 0; i < shown.size(); ++i) {
      for (const Named& s : group.series) {
        shown[i] = shown[i] || s.parts[i] != group.series.front().parts[i];
      }
      if (bins_ && fields_.series.empty() && i < 2) shown[i] = true;  // time and correlation
    }
    return shown;
  }

  Panel panel(Group& group) const {
    Panel panel;
    const std::vector<bool> shown = shown_parts(group);
    for (Named& s : group.series) {
      s.series.name = join(s.parts, shown);
      panel.series.push_back(std::move(s.series));
    }
    if (bins_) {
      panel.x_label = "purity";
      panel.y_label = "accuracy";
      panel.diagonal = "calibrated";
      panel.x_range = panel.y_range = Range{0, 1};
      return panel;
    }
    panel.x_label = fields_.x;
    panel.y_label = fields_.y;
    if (!group.name.empty()) panel.y_label = group.name;
    // "value" says little where all lines are of one metric.
    const std::string& metric = group.series.front().parts.front();
    if (fields_.y == "value" && fields_.series.empty() && !shown.front() && !metric.empty()) {
      panel.y_label = metric;
    }
    return panel;
  }

  PlotFields fields_;
  bool bins_;
  size_t folder_;  // letters of the sources that are left out of names
  std::vector<Group> groups_;
  int64_t left_out_ = 0;
  std::string left_out_for_;
};

}  // namespace

MetricsPlot metrics_plot(const std::vector<PlotLine>& lines, const PlotFields& fields) {
  const bool bins = fields.x.empty() && fields.y == "value" &&
                    std::any_of(lines.begin(), lines.end(),
                                [](const PlotLine& line) { return has_bins(line.values); });
  PlotFields used = fields;
  if (used.x.empty()) used.x = "step";
  Collector collector(used, bins, common_folder(lines));
  for (const PlotLine& line : lines) collector.add(line);
  MetricsPlot plot = collector.finish();
  if (!plot.panels.empty()) return plot;
  if (lines.empty()) throw Error("", "there are no lines to draw");
  const std::string hint = fields.x.empty() && plot.left_out_for == used.x
                               ? "name the field for the horizontal axis with --x-axis"
                               : "";
  throw Error(
      "",
      fmt::format("no line has all fields to draw; the first one lacks \"{}\"", plot.left_out_for),
      hint);
}

}  // namespace vq
