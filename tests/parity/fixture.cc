#include "tests/parity/fixture.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "lib/sampling/guidance.h"
#include "lib/sampling/truncation.h"
#include "lib/weights/model_file.h"

namespace vq::parity {
namespace {

Json read_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return parse_json(text.str(), path);
}

bool is_fixture(const std::filesystem::path& folder) {
  std::error_code none;
  return std::filesystem::exists(folder / "refs.json", none);
}

// Linear ramps between the four ends of the scheduler's config.
Schedule schedule_of(const Json& config, int64_t codes) {
  const int steps = config["num_train_timesteps"];
  const double alpha_first = config["alpha_cum_start"], alpha_last = config["alpha_cum_end"];
  const double gamma_first = config["gamma_cum_start"], gamma_last = config["gamma_cum_end"];
  if (alpha_first == 0.99999 && alpha_last == 0.000009 && gamma_first == 0.000009 &&
      gamma_last == 0.99999) {
    return Schedule::make("linear", steps, static_cast<int>(codes));
  }
  std::vector<double> alpha, gamma;
  for (int t = 0; t < steps; ++t) {
    const double ramp = static_cast<double>(t) / (steps - 1);
    alpha.push_back(alpha_first + ramp * (alpha_last - alpha_first));
    gamma.push_back(gamma_first + ramp * (gamma_last - gamma_first));
  }
  return Schedule("the fixture's", alpha, gamma, static_cast<int>(codes));
}

}  // namespace

Fixture::Fixture(const std::string& folder)
    : folder(folder),
      refs(read_json(folder + "/refs.json")),
      scheduler(read_json(folder + "/pipeline/scheduler/scheduler_config.json")),
      file(folder + "/refs.safetensors"),
      codes(scheduler["num_vec_classes"].get<int64_t>() - 1),
      length(tensor("x_t").size(1)),
      schedule(schedule_of(scheduler, codes)) {}

at::Tensor Fixture::tensor(const std::string& name) const { return load_tensor(file, name); }

at::Tensor Fixture::rows(const std::string& name) const {
  const at::Tensor all = tensor(name);
  return all.transpose(1, 2).reshape({-1, all.size(1)});
}

Case::Case(const Fixture& fixture, std::string the_name, const Json& what)
    : name(std::move(the_name)),
      time(what["t"]),
      guidance(what["guidance"]),
      truncation(what["truncation"]),
      noise_seed(what["noise_seed"]),
      margin(what["argmax_margin"]),
      guided(name + ".guided"),
      truncated(name + ".guided_trunc" + dump_json(what["truncation"])),
      posterior(name + ".posterior"),
      sample(name + ".sample") {
  const auto which = what["x_t_rows"].get<std::vector<int64_t>>();
  x_t = fixture.tensor("x_t").to(at::kLong).index_select(0, at::tensor(which)).flatten();
  const at::Tensor log_p = fixture.rows(name + ".log_p_x0");
  log_cond = log_p;
  if (guidance > 1) {  // the unconditioned half comes first
    log_null = log_p.narrow(0, 0, x_t.size(0));
    log_cond = log_p.narrow(0, x_t.size(0), x_t.size(0));
  }
}

at::Tensor Case::our_guided(at::ScalarType type) const {
  if (!log_null.defined()) return log_cond.to(type);
  return guide(log_cond.to(type), log_null.to(type), guidance);
}

at::Tensor Case::our_truncated(at::ScalarType type) const {
  return truncate(our_guided(type), {.top_p = truncation});
}

std::vector<Case> cases(const Fixture& fixture) {
  std::vector<Case> all;
  for (const auto& [name, what] : fixture.refs["cases"].items())
    all.emplace_back(fixture, name, what);
  return all;
}

WholeRun::WholeRun(const Fixture& fixture, std::string the_name, const Json& what)
    : name(std::move(the_name)),
      prompts(what["prompts"].get<std::vector<std::string>>()),
      steps(what["steps"]),
      guidance(what["guidance"]),
      truncation(what["truncation"]),
      noise_seed(what["noise_seed"]),
      margin(what["argmax_margin"]),
      samples(fixture.tensor("run." + name + ".samples").to(at::kLong)) {}

at::Tensor WholeRun::before(int step, int64_t mask) const {
  return step == 0 ? at::full_like(samples[0], mask) : samples[step - 1];
}

std::vector<WholeRun> runs(const Fixture& fixture) {
  std::vector<WholeRun> all;
  for (const auto& [name, what] : fixture.refs["runs"].items())
    all.emplace_back(fixture, name, what);
  return all;
}

int64_t noise_classes(const Fixture& fixture, int time) { return fixture.codes + (time > 0); }

std::vector<float> Noise::uniforms(int64_t n) {
  std::vector<float> u(static_cast<size_t>(n));
  for (float& value : u) {
    // Published constants of SplitMix64 (Steele, Lea and Flood 2014).
    uint64_t z = ++counter_ * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    value = static_cast<float>(z >> 40) * 0x1p-24f;
  }
  return u;
}

at::Tensor Noise::gumbel(int64_t grids, int64_t classes, int64_t length) {
  const at::Tensor u = at::tensor(uniforms(grids * classes * length), at::kFloat);
  const at::Tensor noise = -(-(u + 1e-30).log() + 1e-30).log();
  return noise.view({grids, classes, length}).transpose(1, 2).reshape({-1, classes});
}

Draw draw(const at::Tensor& log_p, const at::Tensor& noise) {
  const auto [values, tokens] = (log_p + noise).topk(2, 1);
  return {tokens.select(1, 0), (values.select(1, 0) - values.select(1, 1)).min().item<double>()};
}

at::Tensor normalised(const at::Tensor& log_p) { return at::log_softmax(log_p, 1); }

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

void measured(const std::string& what, double value) {
  if (std::getenv("VQ_VERBOSE")) std::cout << "measured " << what << ": " << value << "\n";
}

std::vector<std::string> fixture_folders() {
  const char* given = std::getenv("VQ_FIXTURES");
  const std::string top = given ? given : VQ_TESTS_DIR "/../../shared/fixtures";
  if (is_fixture(top)) return {top};
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(top, none)) {
    if (is_fixture(entry.path())) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) found.push_back(top);
  return found;
}

void Parity::SetUp() {
  at::set_num_threads(1);  // tables of a few hundred rows: threads cost more than they save
  if (!is_fixture(GetParam())) GTEST_SKIP() << GetParam() << " has no fixture; set VQ_FIXTURES";
}

}  // namespace vq::parity
