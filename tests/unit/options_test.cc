// The option table: what it accepts, what it says when it does not, and its three spellings.

#include "tools/cli/options.h"

#include <gtest/gtest.h>

#include <sstream>

#include "formats/error.h"

namespace vq::cli {
namespace {

struct Values {
  bool force = false;
  std::string model, output = "-", sampler = "ancestral";
  int batch = 16;
  int64_t seed = 0;
  double guidance = 1.5;
  std::vector<std::string> texts, metrics = {"fid"};
};

Command table(Values& v) {
  return {.name = "vq-test",
          .summary = "A program for the tests.",
          .usage = {"[options] -m MODEL [TOKENS...]"},
          .example = "vq-one a | vq-test -m b | vq-three",
          .options = {{'m', "model", "FILE", "the model", &v.model},
                      {'o', "output", "PATH", "where it goes", &v.output},
                      {'b', "batch", "N", "images at once", &v.batch, 1, 1024},
                      {'s', "seed", "N", "of the noise", &v.seed, 0},
                      {.letter = 'f', .name = "force", .help = "overwrite", .target = &v.force},
                      {.name = "guidance",
                       .value = "W",
                       .help = "how closely to follow",
                       .target = &v.guidance,
                       .min = 0,
                       .max = 100,
                       .group = "Sampling"},
                      {.name = "sampler",
                       .value = "NAME",
                       .help = "how to sample",
                       .target = &v.sampler,
                       .choices = {"ancestral", "purity"},
                       .group = "Sampling"},
                      {.letter = 't',
                       .name = "text",
                       .value = "TEXT",
                       .help = "a caption",
                       .target = &v.texts,
                       .group = "Sampling"},
                      {.name = "metrics",
                       .value = "LIST",
                       .help = "what to measure",
                       .target = &v.metrics,
                       .choices = {"fid", "kid", "prdc"},
                       .group = "Sampling"}}};
}

Parsed parse_words(const Command& command, std::vector<const char*> words) {
  words.insert(words.begin(), command.name);
  return parse(command, static_cast<int>(words.size()), words.data());
}

// The message of the error that these words cause: "where: what | hint".
std::string message(std::vector<const char*> words, int min_operands = 0,
                    int max_operands = 1 << 30) {
  Values values;
  Command command = table(values);
  command.min_operands = min_operands;
  command.max_operands = max_operands;
  try {
    parse_words(command, words);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::usage);
    return (error.where().empty() ? "" : error.where() + ": ") + error.message() +
           (error.hint().empty() ? "" : " | " + error.hint());
  }
  return "no error";
}

TEST(Options, EverySpellingOfAValue) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"-b", "3"}, {"-b3"}, {"--batch", "3"}, {"--batch=3"}, {"-fb3"}, {"-b7", "-b", "3"}}) {
    Values values;
    parse_words(table(values), words);
    EXPECT_EQ(values.batch, 3) << words[0];
  }
}

TEST(Options, ValuesMayLookLikeAnything) {
  Values values;
  const std::string long_text(200000, 'x');
  const auto parsed =
      parse_words(table(values), {"-oout.d/a,b.png", "-t", "--", "-t", "-q", "--text=a=b\nc,d",
                                  "--text", "", "-m", "-", "-t", long_text.c_str()});
  EXPECT_EQ(values.output, "out.d/a,b.png");
  EXPECT_EQ(values.texts, (std::vector<std::string>{"--", "-q", "a=b\nc,d", "", long_text}));
  EXPECT_EQ(values.model, "-");
  EXPECT_FALSE(parsed.common.quiet);
  EXPECT_TRUE(parsed.has("text"));
  EXPECT_FALSE(parsed.has("batch"));
}

TEST(Options, OperandsStandAnywhereAndDashDashEndsOptions) {
  Values values;
  const auto parsed = parse_words(table(values), {"a", "-f", "-", "b", "--", "-b", "--", "--x"});
  EXPECT_EQ(parsed.operands, (std::vector<std::string>{"a", "-", "b", "-b", "--", "--x"}));
  EXPECT_TRUE(values.force);
}

TEST(Options, SwitchesCluster) {
  Values values;
  const auto parsed = parse_words(table(values), {"-qvf", "--progress"});
  EXPECT_TRUE(parsed.common.quiet && parsed.common.verbose && parsed.common.progress);
  EXPECT_TRUE(values.force);
}

TEST(Options, ListsReplaceTheirDefaultAndSplitAtCommasOnlyWithChoices) {
  Values values;
  parse_words(table(values), {"--metrics", "kid,prdc", "--metrics=fid", "-t", "a,b"});
  EXPECT_EQ(values.metrics, (std::vector<std::string>{"kid", "prdc", "fid"}));
  EXPECT_EQ(values.texts, std::vector<std::string>{"a,b"});
}

TEST(Options, Numbers) {
  Values values;
  parse_words(table(values), {"--guidance", "2.5e1", "-s", "9223372036854775807"});
  EXPECT_EQ(values.guidance, 25);
  EXPECT_EQ(values.seed, INT64_MAX);
  EXPECT_EQ(message({"--batch", "3x"}), "--batch: '3x' is not a whole number");
  EXPECT_EQ(message({"--batch="}), "--batch: '' is not a whole number");
  EXPECT_EQ(message({"-b", " 3"}), "--batch: ' 3' is not a whole number");
  EXPECT_EQ(message({"-b", "3.0"}), "--batch: '3.0' is not a whole number");
  EXPECT_EQ(message({"-b", "0"}), "--batch: 0 is out of range; give 1 to 1024");
  EXPECT_EQ(message({"-b", "99999999999999999999"}),
            "--batch: 99999999999999999999 is out of range; give 1 to 1024");
  EXPECT_EQ(message({"-s", "-1"}), "--seed: -1 is out of range; give 0 or more");
  EXPECT_EQ(message({"--guidance", "nan"}), "--guidance: 'nan' is not a number");
  EXPECT_EQ(message({"--guidance", "1e999"}), "--guidance: 1e999 is out of range; give 0 to 100");
  EXPECT_EQ(message({"--guidance", "0,5"}), "--guidance: '0,5' is not a number");
}

TEST(Options, Mistakes) {
  EXPECT_EQ(message({"--batsh", "3"}),
            "--batsh: no such option | did you mean --batch? (try --help)");
  EXPECT_EQ(message({"--guid=3"}),
            "--guid: no such option | did you mean --guidance? (try --help)");
  EXPECT_EQ(message({"--zebra"}), "--zebra: no such option");
  EXPECT_EQ(message({"-Z"}), "-Z: no such option");
  EXPECT_EQ(message({"-fZ"}), "-Z: no such option");
  EXPECT_EQ(message({"--b", "3"}), "--b: no such option");
  EXPECT_EQ(message({"-model", "x"}).substr(0, 9), "no error");  // -m odel, as everywhere
  EXPECT_EQ(message({"--model"}), "--model: a value is missing; give --model=FILE");
  EXPECT_EQ(message({"-m"}), "--model: a value is missing; give --model=FILE");
  EXPECT_EQ(message({"--force=yes"}), "--force: takes no value, but got 'yes'");
  EXPECT_EQ(message({"--sampler", "purty"}),
            "--sampler: 'purty' is not one of: ancestral, purity | did you mean purity?");
  EXPECT_EQ(message({"--metrics", "fid,"}), "--metrics: '' is not one of: fid, kid, prdc");
}

TEST(Options, Operands) {
  const std::string usage = " | usage: vq-test [options] -m MODEL [TOKENS...] (try --help)";
  EXPECT_EQ(message({}, 1), "an operand is missing" + usage);
  EXPECT_EQ(message({"a"}, 2), "too few operands" + usage);
  EXPECT_EQ(message({"a", "b"}, 0, 1), "b: one operand too many" + usage);
  EXPECT_EQ(message({"a"}, 0, 0), "a: no operand is expected" + usage);
}

TEST(Options, RequiredOnesAreMissedByName) {
  Values values;
  Command command = table(values);
  command.options[0].required = true;
  try {
    parse_words(command, {"x"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "--model=FILE is missing");
  }
}

TEST(Options, HelpShowsTheVariablesOwnDefaultsAndFitsTheTerminal) {
  Values values;
  values.batch = 77;
  const std::string help = help_text(table(values));
  EXPECT_NE(help.find("images at once [77]"), std::string::npos) << help;
  EXPECT_NE(help.find("usage: vq-test [options] -m MODEL [TOKENS...]\n"), std::string::npos);
  EXPECT_NE(help.find("how to sample: ancestral, purity [ancestral]"), std::string::npos) << help;
  EXPECT_NE(help.find("-h, --help"), std::string::npos);
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Options, HelpIgnoresWhatElseWasTyped) {
  Values values;
  testing::internal::CaptureStdout();
  const auto parsed = parse_words(table(values), {"-b", "zzz", "--help"});
  const std::string out = testing::internal::GetCapturedStdout();
  EXPECT_EQ(parsed.action, Parsed::Action::done);
  EXPECT_NE(out.find("images at once [16]"), std::string::npos);
}

TEST(Options, Version) {
  Values values;
  testing::internal::CaptureStdout();
  parse_words(table(values), {"-V"});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "vq-test (vq) " VQ_VERSION "\n");
}

TEST(Options, MdocNamesEveryRow) {
  Values values;
  const std::string page = help_mdoc(table(values));
  EXPECT_NE(page.find(".It Fl b , Fl -batch Ns = Ns Ar N\nImages at once.\nFrom 1 to 1024.\n"
                      "The default is\n.Ql 16 .\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find(".Ss Sampling\n"), std::string::npos);
  EXPECT_NE(page.find("One of\n.Cm ancestral\nor\n.Cm purity .\n"), std::string::npos) << page;
}

TEST(Options, WordsAreATable) {
  Values values;
  const std::string words = help_words(table(values));
  EXPECT_NE(words.find("model\tm\tfile\t-\n"), std::string::npos) << words;
  EXPECT_NE(words.find("batch\tb\tvalue\t-\n"), std::string::npos);
  EXPECT_NE(words.find("force\tf\tnothing\t-\n"), std::string::npos);
  EXPECT_NE(words.find("metrics\t-\twords\tfid kid prdc\n"), std::string::npos);
  EXPECT_NE(words.find("text\tt\tvalue\t-\n"), std::string::npos);
}

TEST(Options, NearestWord) {
  EXPECT_EQ(nearest_word("guidence", {"guidance", "guide"}), "guidance");
  EXPECT_EQ(nearest_word("temp", {"temperature", "text"}), "temperature");
  EXPECT_EQ(nearest_word("hlep", {"flip", "help"}), "help");
  EXPECT_EQ(nearest_word("x", {"ab", "b"}), "");
}

}  // namespace
}  // namespace vq::cli
