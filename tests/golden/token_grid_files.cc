// The golden files of token-grid version 1: what a reader must take, and what it must refuse.

#include <algorithm>
#include <random>

#include "tests/golden/token_grid_parts.h"

namespace vq::golden {
namespace {

using Tokens = std::vector<int>;

std::string text_line(const Header& h, const Record& record) {
  std::string line = record.key + "\t" + std::to_string(h.height) + "x" + std::to_string(h.width) +
                     ":" + std::to_string(h.codebook_size) + (h.mask ? "_" : "") + ":" +
                     h.codec.substr(0, 16) + "\t";
  for (size_t i = 0; i < record.tokens.size(); ++i) {
    const int token = record.tokens[i];
    line += (i > 0 ? " " : "") + (token == h.codebook_size ? "_" : std::to_string(token));
  }
  return line + "\t" + record.json + "\n";
}

std::string text_lines(const Header& h, const std::vector<Block>& blocks) {
  std::string out;
  for (const Block& block : blocks) {
    for (const Record& record : block.records) out += text_line(h, record);
  }
  return out;
}

std::string text(const Header& h, const std::vector<Block>& blocks) {
  return "#" + header_line(h) + text_lines(h, blocks);
}

Record some(std::string key, Tokens tokens = {5, 17, 512, 3, 3, 511}, std::string json = "{}") {
  return {std::move(key), std::move(tokens), std::move(json)};
}

Block block_of(std::vector<Record> records) {
  Block block;
  block.records = std::move(records);
  return block;
}

// Three blocks of two.
std::vector<Block> plain() {
  std::vector<Block> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back(block_of({some("k" + std::to_string(2 * i), {i, 1, 2, 3, 4, 511}),
                               some("k" + std::to_string(2 * i + 1), {i, 500, 2, 3, 4, 256},
                                    R"({"label":)" + std::to_string(i) + "}")}));
  }
  return blocks;
}

std::vector<Block> random_blocks(const Header& h, int packing) {
  std::mt19937 random(7);
  std::vector<Block> blocks;
  for (int i = 0; i < 2; ++i) {
    Block block;
    block.packing = packing;
    for (int j = 0; j < 3; ++j) {
      Record record{"r" + std::to_string(3 * i + j), {}, "{}"};
      for (int t = 0; t < h.height * h.width; ++t) {
        const unsigned choices = static_cast<unsigned>(h.codebook_size + (h.mask && i == 1));
        record.tokens.push_back(static_cast<int>(random() % choices));
      }
      block.records.push_back(std::move(record));
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

class Maker {
 public:
  Files make() {
    passed_binary();
    passed_text();
    failed_frames();
    failed_headers();
    failed_blocks();
    failed_records();
    failed_streams();
    failed_text();
    return std::move(files_);
  }

 private:
  void pass(const std::string& name, std::string bytes, std::string as_text) {
    const size_t dot = name.find('.');
    files_.passed[name] = std::move(bytes);
    files_.passed[name.substr(0, dot) + ".text"] = std::move(as_text);
  }

  void fail(const std::string& name, std::string bytes, std::string message) {
    files_.failed[name] = std::move(bytes);
    files_.messages[name] = std::move(message);
  }

  void pass_stream(const std::string& name, const Header& h, const std::vector<Block>& blocks) {
    pass(name + ".vqt", stream(h, blocks), text(h, blocks));
  }

  void pass_random(const std::string& name, int k, bool mask, int packing, int height = 3,
                   int width = 5) {
    Header h;
    h.codebook_size = k;
    h.mask = mask;
    h.height = height;
    h.width = width;
    pass_stream(name, h, random_blocks(h, packing));
  }

  void passed_binary() {
    const Header h;
    Block block = block_of({{"a", {5, 17, 512, 3, 3, 511}, R"({"caption":"red"})"},
                            {"b", {0, 1, 2, 256, 257, 511}, "{}"}});
    pass("example.vqt", example(), text(h, {block}));
    pass("empty-stream.vqt", stream(h, {}), text(h, {}));
    pass("no-index.vqt", stream(h, plain(), false), text(h, plain()));
    pass("concatenated.vqt", stream(h, plain()) + stream(h, {block}),
         text(h, plain()) + text_lines(h, {block}));
    Header unmasked = h;
    unmasked.mask = false;
    pass("mask-in-a-later-stream.vqt", stream(unmasked, plain()) + stream(h, {block}),
         text(unmasked, plain()) + text_lines(h, {block}));
    pass("other-skippable-frames.vqt",
         stream(h, plain(), false) + skippable(0x184D2A50, "") + skippable(0x184D2A5F, "anything") +
             stream(h, {block}, false),
         text(h, plain()) + text_lines(h, {block}));
    pass_stream("all-masked", h,
                {block_of({some("m", Tokens(6, 512)), some("n", Tokens(6, 512))})});
    pass_random("packing-lsb-9-bits", 512, true, 0);
    pass_random("packing-lohi-16-bits", 65536, true, 1);
    pass_random("packing-lsb-16-bits", 65536, false, 0);
    pass_random("packing-lohi-8-bits", 256, false, 1);
    pass_random("packing-lohi-4-bits", 11, true, 1);
    pass_random("one-code", 1, false, 1);
    pass_random("one-code-masked", 1, true, 0);
    pass_random("one-token", 3000, true, -1, 1, 1);
    pass_random("long-row", 7, false, -1, 1, 300);
    Header shortened = h;
    shortened.rest = R"(,"history":[],"note":{"kept":[1,2.5,null,"é"]})";
    pass_stream("further-header-members", shortened, plain());
    shortened.rest =
        R"(,"history":[{"tool":"vq-encode","version":"0.1.0","arguments":["-m","c"]}])";
    pass_stream("history", shortened, plain());
    Header unknown = h;
    unknown.codec.clear();
    pass_stream("unknown-codec", unknown, plain());
    pass_stream(
        "json-of-every-kind", h,
        {block_of({some("é/ü", {1, 2, 3, 4, 5, 6},
                        R"({"captions":["a","b\nc","\u0001"],"x":{"y":[-1,0.5,true,null]}})"),
                   some("# no comment", {1, 2, 3, 4, 5, 6},
                        R"({"":"","label":18446744073709551615})")})});
  }

  void passed_text() {
    const Header h;
    const std::string lines = text_lines(h, plain());
    pass("text.txt", text(h, plain()), text(h, plain()));
    const std::string first = lines.substr(0, lines.find('\n') + 1);
    const std::string header = "#" + header_line(h);
    pass("text-header-last.txt", first + header, header + first);
    std::string dos = "# a comment\r\n\r\n" + text(h, plain());
    for (size_t at = 15; (at = dos.find('\n', at)) != std::string::npos; at += 2) {
      dos.replace(at, 1, "\r\n");
    }
    pass("text-comments-and-crlf.txt", dos, text(h, plain()));
    pass("text-three-columns.txt", "k\t2x3:512_:0f3a9c01d2e4b576\t 1  2 3 4 5 _ \n",
         header + text_line(h, some("k", {1, 2, 3, 4, 5, 512})));
    std::string pictures = header;
    for (const char* key : {"P6 2 2 255", "GIF89a", "ustar", "{\"images\":[]}", "[1]", "PK"}) {
      pictures += text_line(h, some(key));
    }
    pass("text-keys-like-other-files.txt", pictures.substr(header.size()), pictures);
    pass("text-no-last-line-end.txt", text(h, plain()).substr(0, text(h, plain()).size() - 1),
         text(h, plain()));
  }

  // A stream whose middle block is replaced by these bytes.
  static std::string around(const std::string& middle) {
    const Header h;
    const std::vector<Block> blocks = plain();
    Block last = blocks[2];
    last.first = 4;
    return frame(header_line(h)) + frame(block_content(h, blocks[0])) + middle +
           frame(block_content(h, last)) + frame(end_line(6, 3));
  }

  static std::string middle_block() {
    Block block = plain()[1];
    block.first = 2;
    return block_content(Header{}, block);
  }

  void failed_frames() {
    const std::string good = frame(middle_block());
    const auto with = [&](size_t at, char value) {
      std::string bytes = good;
      bytes[at] = value;
      return around(bytes);
    };
    const char descriptor = good[4];
    const std::string lost = "; records 2..3 are lost";
    fail("frame-checksum-wrong.vqt", with(good.size() - 1, static_cast<char>(good.back() ^ 1)),
         "the checksum is wrong" + lost);
    fail("frame-content-changed.vqt", with(40, static_cast<char>(good[40] ^ 4)),
         "the checksum is wrong" + lost);
    fail("frame-without-checksum.vqt", with(4, static_cast<char>(descriptor & ~0x04)),
         "a frame without a checksum" + lost);
    fail("frame-without-content-size.vqt", with(4, 0x04),
         "a frame without its content size" + lost);
    fail("frame-with-dictionary.vqt", with(4, static_cast<char>(descriptor | 1)),
         "a frame that needs a dictionary" + lost);
    fail("frame-reserved-bit.vqt", with(4, static_cast<char>(descriptor | 8)),
         "a frame with a reserved bit set" + lost);
    fail("frame-magic.vqt", with(0, 'X'), "not the beginning of a zstd frame" + lost);
    std::string large = le(0xFD2FB528, 4);
    large += static_cast<char>(0xA4);
    large += le((8 << 20) + 1, 4) + le(1, 3) + le(0, 4);
    fail("frame-over-8-mib.vqt", around(large),
         "a frame of 8388609 bytes; 8388608 are allowed" + lost);
    fail("frame-empty.vqt", around(frame("")), "a block of only 0 bytes" + lost);
    fail("frame-block-type.vqt", with(6, static_cast<char>(good[6] | 6)),
         "a broken zstd block" + lost);
    fail("skippable-too-long.vqt", around(le(0x184D2A50, 4) + le(1 << 30, 4) + "x"),
         "a skippable frame of 1073741824 bytes" + lost);
    fail("bytes-between-frames.vqt", around(good + "xyzzy"),
         "not the beginning of a zstd frame; no record is lost");
  }

  void failed_headers() {
    const auto bad = [&](const std::string& name, const std::string& line,
                         const std::string& message) {
      fail("header-" + name + ".vqt", frame(line) + frame(end_line(0, 0)), message);
    };
    const auto change = [](auto edit) {
      Header h;
      edit(h);
      return header_line(h);
    };
    bad("other-format", change([](Header& h) { h.format = "other"; }), "is not a token grid");
    bad("newer-version", change([](Header& h) { h.version = 2; }),
        "token-grid version 2; this program reads version 1");
    bad("height-zero", change([](Header& h) { h.height = 0; }), "\"height\" must be");
    bad("too-many-tokens", change([](Header& h) { h.height = h.width = 257; }),
        "more than 65536 tokens");
    bad("codebook-too-large", change([](Header& h) { h.codebook_size = 65537; }),
        "\"codebook_size\" must be");
    bad("codec-not-hexadecimal", change([](Header& h) { h.codec = "my codec"; }),
        "codec 'my codec' is not");
    bad("not-valid-json",
        R"({"format":"vq-token-grid","version":1,)"
        "\n",
        "not valid JSON");
    bad("without-width",
        R"({"format":"vq-token-grid","version":1,"height":2,"codebook_size":2})"
        "\n",
        "\"width\" must be");
    bad("mask-not-boolean", change([](Header& h) { h.rest = R"(,"mask":1)"; }), "\"mask\" must be");
    bad("history-not-a-list", change([](Header& h) { h.rest = R"(,"history":{})"; }),
        "\"history\" must be");
    bad("two-lines", change([](Header& h) { h.rest += "\n"; }), "a frame that is not one line");
    std::string endless = header_line(Header{});
    endless.pop_back();
    bad("without-line-end", endless, "a frame that is not one line");
    fail("header-missing.vqt", frame(block_content(Header{}, plain()[0])) + frame(end_line(2, 1)),
         "has no header before it");
  }

  void failed_blocks() {
    const auto bad = [&](const std::string& name, auto edit, const std::string& message) {
      std::string content = middle_block();
      edit(content);
      fail("block-" + name + ".vqt", around(frame(content)), message + "; records 2..3 are lost");
    };
    bad(
        "magic", [](std::string& c) { c[0] = 'X'; }, "neither a line nor a block");
    bad(
        "short-head", [](std::string& c) { c.resize(21); }, "a block of only 21 bytes");
    bad(
        "packing-unknown", [](std::string& c) { c[4] = 2; }, "packing 2 is not known");
    bad(
        "flag-unknown", [](std::string& c) { c[5] = 2; }, "block flags 0x2 are not known");
    bad(
        "no-records", [](std::string& c) { c[6] = 0; }, "a block without records");
    bad(
        "other-height", [](std::string& c) { c[8] = 3; },
        "a block of another stream (3x3 of 512 codes, codec 0f3a9c01)");
    bad(
        "other-codebook", [](std::string& c) { c[12] = 0; },
        "a block of another stream (2x3 of 257 codes, codec 0f3a9c01)");
    bad(
        "other-codec", [](std::string& c) { c[14] = 0; },
        "a block of another stream (2x3 of 512 codes, codec 003a9c01)");
    bad(
        "keys-missing", [](std::string& c) { c[6] = 60; }, "the block ends within its keys");
    bad(
        "tokens-missing", [](std::string& c) { c.resize(32); }, "the block ends within its tokens");
    bad(
        "json-line-missing", [](std::string& c) { c.resize(c.size() - 12); },
        "another number of JSON lines");
    bad(
        "json-without-line-end", [](std::string& c) { c.pop_back(); },
        "another number of JSON lines");
    bad(
        "bits-behind-last-token", [](std::string& c) { c[41] = static_cast<char>(c[41] | 0x80); },
        "bits set behind the last token");
    Header unmasked;
    unmasked.mask = false;
    fail("block-mask-not-announced.vqt", stream(unmasked, {block_of({some("a")})}),
         "a block has a [mask], the header says none");
    Block gap = plain()[1];
    gap.first = 3;
    fail("block-number-gap.vqt", around(frame(block_content(Header{}, gap))),
         "begins with record 3; record 2 was expected");
    gap.first = 1;
    fail("block-number-repeated.vqt", around(frame(block_content(Header{}, gap))),
         "begins with record 1; record 2 was expected");
  }

  void failed_records() {
    const auto bad = [&](const std::string& name, Record record, const std::string& message,
                         int codebook_size = 512) {
      Header h;
      h.codebook_size = codebook_size;
      fail("record-" + name + ".vqt", stream(h, {block_of({some("a", Tokens(6, 0)), record})}),
           "record 1" + message);
    };
    const Tokens good(6, 1);
    bad("key-empty", some("", good), ": the key is empty");
    bad("key-control-character", some("a\tb", good), ": the key has a control character (code 9)");
    bad("key-too-long", some(std::string(4097, 'k'), good),
        ": the key has 4097 bytes; 4096 are allowed");
    bad("json-not-valid", some("b", good, "{x}"), " (b): not valid JSON");
    bad("json-not-an-object", some("b", good, "[1]"), " (b): its JSON is not an object");
    bad("json-too-deep",
        some("b", good, R"({"a":)" + std::string(64, '[') + std::string(64, ']') + "}"),
        " (b): not valid JSON: nested deeper");
    bad("token-outside-codebook", some("b", {1, 1, 1, 1, 1, 501}),
        " (b): token 501 is outside the codebook (0..499)", 500);
  }

  void failed_streams() {
    const Header h;
    const std::string head = frame(header_line(h));
    const std::string whole = stream(h, plain(), false);
    const std::string end = frame(end_line(6, 3));
    const std::string body = whole.substr(0, whole.size() - end.size());
    fail("stream-empty-file.vqt", "", "is empty");
    fail("stream-without-end.vqt", body, "ends after record 5 without an end mark");
    fail("stream-header-only.vqt", head, "ends before the first record without an end mark");
    fail("stream-cut-in-block.vqt", body.substr(0, body.size() - 20),
         "ends after record 3 without an end mark; was it cut short?");
    fail("stream-cut-before-next.vqt", body + whole, "ends after record 5 without an end mark");
    fail("stream-end-records-wrong.vqt", body + frame(end_line(7, 3)),
         "counts 7 records in 3 blocks");
    fail("stream-end-blocks-wrong.vqt", body + frame(end_line(6, 2)),
         "counts 6 records in 2 blocks");
    fail("stream-end-twice.vqt", whole + end, "an end mark without a header");
    fail("stream-block-behind-end.vqt", whole + frame(middle_block()), "has no header before it");
    fail("stream-trailing-bytes.vqt", whole + "hello, world",
         "not the beginning of a zstd frame; it stands behind the end mark");
    const std::string indexed = stream(h, plain());
    std::string broken = indexed;
    broken[whole.size() + 30] = static_cast<char>(broken[whole.size() + 30] ^ 1);
    fail("index-checksum-wrong.vqt", broken, "the checksum is wrong");
    broken = indexed;
    broken[broken.size() - 8] = static_cast<char>(broken[broken.size() - 8] ^ 1);
    fail("index-length-wrong.vqt", broken, "the index does not end with its length");
    fail("index-cut.vqt", indexed.substr(0, indexed.size() - 3),
         "a broken frame; no record is lost");
    const auto seam = [&](const std::string& name, auto edit, const std::string& message) {
      Header other;
      edit(other);
      fail("seam-" + name + ".vqt", whole + stream(other, {}), message);
    };
    seam(
        "other-grid", [](Header& o) { o.height = 3; }, "has grids of 3x3");
    seam(
        "other-codebook", [](Header& o) { o.codebook_size = 511; }, "has a codebook of 511");
    seam(
        "other-codec", [](Header& o) { o.codec = "ffffffffffffffff"; },
        "was made with codec ffffffffffffffff");
  }

  void failed_text() {
    const auto bad = [&](const std::string& name, const std::string& line,
                         const std::string& message) {
      fail("text-" + name + ".txt", "#" + header_line(Header{}) + line + "\n",
           "line 2: " + message);
    };
    const std::string start = "a\t2x3:512_:0f3a9c01d2e4b576\t";
    bad("too-few-tokens", start + "1 2 3 4 5\t{}", "has 5 tokens");
    bad("too-many-tokens", start + "1 2 3 4 5 6 7\t{}", "has 7 tokens");
    bad("token-outside-codebook", start + "1 2 3 4 5 512\t{}", "token 512 is outside");
    bad("token-negative", start + "1 2 3 4 5 -1\t{}", "token -1 is outside");
    bad("not-a-token", start + "1 2 3 4 5 x\t{}", "'x' is not a token");
    bad("without-grid", "a\t1 2 3 4 5 6\t{}", "'1 2 3 4 5 6' is not a grid");
    bad("one-column", "hello", "'' is not a grid");
    bad("five-columns", start + "1 2 3 4 5 6\t{}\t{}", "has more than four columns");
    bad("key-empty", start.substr(1) + "1 2 3 4 5 6\t{}", "the key is empty");
    bad("json-not-an-object", start + "1 2 3 4 5 6\t7", "its JSON is not an object");
    bad("other-grid", "a\t3x2:512_:0f3a9c01d2e4b576\t1 2 3 4 5 6\t{}", "has grids of 3x2");
    bad("other-codec", "a\t2x3:512_:ffffffff\t1 2 3 4 5 6\t{}", "was made with codec ffffffff");
    Header unmasked;
    unmasked.mask = false;
    fail("text-mask-not-announced.txt",
         "#" + header_line(unmasked) + "a\t2x3:512:0f3a9c01d2e4b576\t1 2 3 4 5 _\t{}\n",
         "line 2: has a [mask]");
    fail("text-cut-in-last-line.txt", start + "1 2 3 4 5 6", "was it cut short?");
    fail("text-header-newer-version.txt",
         "#"
         R"({"format":"vq-token-grid","version":9,"height":1,"width":1,"codebook_size":2})"
         "\n",
         "line 1: token-grid version 9");
  }

  Files files_;
};

}  // namespace

Files all_files() { return Maker().make(); }

}  // namespace vq::golden
