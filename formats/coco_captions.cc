#include "formats/coco_captions.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>

#include "formats/error.h"
#include "formats/json_text.h"

namespace vq {
namespace {

constexpr uint64_t kMaxJson = uint64_t{1} << 30;  // train2014 has 67 MB
constexpr int kMaxDepth = 64;                     // as parse_json

// The input as the characters that the parser asks for, a piece at a time.
class Feed {
 public:
  explicit Feed(Input& input) : input_(input), piece_(1 << 16) {
    if (as_text(input.peek(3)) == "\xEF\xBB\xBF") fail("it begins with a byte order mark");
    fill();
  }
  bool at_end() const { return at_ == end_; }
  char current() const { return static_cast<char>(piece_[at_]); }
  void advance() {
    if (++at_ == end_) fill();
    if (at_ < end_ && piece_[at_] == 0) fail("it holds a NUL");  // the parser would stop here
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(input_.name(), "not valid JSON: " + what);
  }

 private:
  void fill() {
    at_ = 0;
    end_ = input_.read(piece_.data(), piece_.size());
    total_ += end_;
    if (total_ > kMaxJson) throw Error(input_.name(), "is larger than 1 GiB");
  }

  Input& input_;
  Bytes piece_;
  size_t at_ = 0, end_ = 0;
  uint64_t total_ = 0;
};

struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  Feed* feed = nullptr;  // none: the end

  char operator*() const { return feed->current(); }
  Cursor& operator++() {
    feed->advance();
    return *this;
  }
  bool operator==(const Cursor& other) const {
    return (!feed || feed->at_end()) == (!other.feed || other.feed->at_end());
  }
};

// A member that is wanted: not there, there with a value that will do, or there with another.
template <class T>
struct Member {
  bool there = false;
  std::optional<T> value;
};

struct Element {
  Member<int64_t> id, image_id;
  Member<std::string> file_name, caption;
};

// The parser's events; depth 1 is inside the root, 2 inside a list of it, 3 inside its elements.
class Handler : public nlohmann::json_sax<Json> {
 public:
  Handler(CocoCaptions& result, std::string name) : result_(result), name_(std::move(name)) {}

  void check_complete() const {
    if (!images_seen_) throw Error(name_, "has no \"images\"");
    if (!annotations_seen_) throw Error(name_, "has no \"annotations\"");
  }

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_float(double, const std::string&) override { return other(); }
  bool binary(Json::binary_t&) override { return other(); }
  bool number_integer(int64_t value) override { return number(value); }
  bool number_unsigned(uint64_t value) override {
    return value <= INT64_MAX ? number(static_cast<int64_t>(value)) : other();
  }
  bool string(std::string& value) override {
    check_place();
    if (Member<std::string>* member = text_member()) *member = {true, std::move(value)};
    if (Member<int64_t>* member = number_member()) *member = {true, {}};
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) top_ = std::move(name);
    if (depth_ == 3) member_ = std::move(name);
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == 1 && is_list()) not_a_list();
    if (depth_ == 2 && in_list_) element_ = {};
    if (depth_ == 3) other();
    enter();
    return true;
  }
  bool end_object() override {
    if (--depth_ == 2 && in_list_) finish();
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == 0) no_object();
    if (depth_ == 1 && is_list())
      begin_list();
    else if (depth_ > 1)
      other();
    enter();
    return true;
  }
  bool end_array() override {
    if (--depth_ == 1) in_list_ = false;
    return true;
  }
  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception& e) override {
    throw Error(name_, fmt::format("not valid JSON: at byte {}: {}", byte, json_reason(e.what())));
  }

 private:
  [[noreturn]] void no_object() const {
    throw Error(name_, "is not a JSON object with \"images\"");
  }
  [[noreturn]] void not_a_list() const {
    throw Error(name_, fmt::format("\"{}\" is not a list", top_));
  }

  bool is_list() const { return top_ == "images" || top_ == "annotations"; }

  void enter() {
    if (++depth_ > kMaxDepth) {
      throw Error(name_, fmt::format("not valid JSON: nested deeper than {} levels", kMaxDepth));
    }
  }

  void begin_list() {
    in_list_ = true;
    in_images_ = top_ == "images";
    (in_images_ ? images_seen_ : annotations_seen_) = true;
    if (in_images_) result_.images.clear();
    if (!in_images_) result_.annotations.clear();
  }

  size_t element_number() const {
    return in_images_ ? result_.images.size() : result_.annotations.size();
  }
  std::string where() const { return fmt::format("{}: {}[{}]", name_, top_, element_number()); }

  // A value that is no object stands where only objects may.
  void check_place() const {
    if (depth_ == 0) no_object();
    if (depth_ == 1 && is_list()) not_a_list();
    if (depth_ == 2 && in_list_) {
      throw Error(name_, fmt::format("{}[{}] is not an object", top_, element_number()));
    }
  }

  Member<int64_t>* number_member() {
    if (depth_ != 3 || !in_list_) return nullptr;
    if (member_ == "id") return &element_.id;
    return member_ == "image_id" ? &element_.image_id : nullptr;
  }
  Member<std::string>* text_member() {
    if (depth_ != 3 || !in_list_) return nullptr;
    if (member_ == "file_name") return &element_.file_name;
    return member_ == "caption" ? &element_.caption : nullptr;
  }

  bool number(int64_t value) {
    check_place();
    if (Member<int64_t>* member = number_member()) *member = {true, value};
    if (Member<std::string>* member = text_member()) *member = {true, {}};
    return true;
  }
  // A value of a kind that no wanted member has.
  bool other() {
    check_place();
    if (Member<int64_t>* member = number_member()) *member = {true, {}};
    if (Member<std::string>* member = text_member()) *member = {true, {}};
    return true;
  }

  int64_t whole_number(const Member<int64_t>& member, const char* name) const {
    if (!member.there) throw Error(where(), fmt::format("has no \"{}\"", name));
    if (!member.value) throw Error(where(), fmt::format("\"{}\" is not a whole number", name));
    return *member.value;
  }

  void finish() {
    if (in_images_) {
      const int64_t id = whole_number(element_.id, "id");
      const Member<std::string>& file = element_.file_name;
      if (file.there && file.value.value_or("").empty()) {
        throw Error(where(), "\"file_name\" is not a path");
      }
      if (file.there && file.value->find('\0') != std::string::npos) {
        throw Error(where(), "\"file_name\" holds a NUL");
      }
      result_.images.push_back({id, file.value.value_or("")});
      return;
    }
    if (!element_.caption.value) {
      throw Error(where(), "has no \"caption\"", "are these annotations of another kind?");
    }
    const int64_t image = whole_number(element_.image_id, "image_id");
    const int64_t id = whole_number(element_.id, "id");
    result_.annotations.push_back({id, image, std::move(*element_.caption.value)});
    result_.annotations.back().caption.shrink_to_fit();
  }

  CocoCaptions& result_;
  std::string name_, top_, member_;
  int depth_ = 0;
  bool in_list_ = false, in_images_ = false, images_seen_ = false, annotations_seen_ = false;
  Element element_;
};

}  // namespace

CocoCaptions read_coco_captions(Input& input) {
  CocoCaptions result;
  Handler handler(result, input.name());
  Feed feed(input);
  Json::sax_parse(Cursor{&feed}, Cursor{}, &handler);
  handler.check_complete();
  return result;
}

}  // namespace vq
