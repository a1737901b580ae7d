#include "scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <sstream>

namespace shapes {
namespace {

constexpr std::array<std::string_view, kShapes> kShapeNames = {"circle", "square", "triangle",
                                                               "star",   "heart",  "cross"};
constexpr std::array<std::string_view, kColours> kColourNames = {
    "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"};
constexpr std::array<std::string_view, 2> kSizeNames = {"small", "large"};
constexpr std::array<std::string_view, 5> kPlaceNames = {
    "in the centre", "at the top", "at the bottom", "on the left", "on the right"};
constexpr std::array<std::string_view, 4> kRelationNames = {"above", "below", "to the left of",
                                                            "to the right of"};
constexpr std::array<std::string_view, 5> kPatternNames = {"plain", "striped", "checkered",
                                                           "dotted", "shaded"};

// Saturated, so that an object stands out from either ground by its chroma alone.
constexpr std::array<Rgb, kColours> kPalette = {{{212, 24, 56},
                                                 {250, 138, 0},
                                                 {252, 226, 60},
                                                 {36, 164, 64},
                                                 {52, 200, 220},
                                                 {40, 80, 220},
                                                 {148, 32, 172},
                                                 {250, 124, 192}}};

constexpr double kSmallRadius = 5.0;
constexpr double kLargeRadius = 7.0;
constexpr int kSamplesPerUnit = 8;  // subpixels along a side of a pixel on the smallest board

double radius_of(Size size) { return size == Size::kSmall ? kSmallRadius : kLargeRadius; }

// Is the point inside the shape of radius one about the origin? y grows downwards.
bool inside(Shape shape, double x, double y) {
  switch (shape) {
    case Shape::kCircle:
      return x * x + y * y <= 1;
    case Shape::kSquare:
      return std::abs(x) <= 0.9 && std::abs(y) <= 0.9;
    case Shape::kTriangle:
      return y <= 0.86 && std::abs(x) <= (y + 1) / 1.86;
    case Shape::kCross: {
      const double a = std::abs(x), b = std::abs(y);
      return std::max(a, b) <= 0.97 && std::min(a, b) <= 0.33;
    }
    case Shape::kHeart: {
      const double u = 1.16 * x, v = 0.12 - 1.14 * y;
      const double q = u * u + v * v - 1;
      return q * q * q - u * u * v * v * v <= 0;
    }
    case Shape::kStar: {
      // Fold the plane onto half a point of the star; the edge is then one straight line from the
      // tip (angle 0, radius 1) to the notch (angle 36 degrees, radius kNotch).
      constexpr double kNotch = 0.46, kHalf = M_PI / 5;
      double angle = std::abs(std::atan2(x, 0.06 - y));
      angle = std::abs(angle - 2 * kHalf * std::round(angle / (2 * kHalf)));
      const double r = 1.04 * std::hypot(x, y - 0.06) / 1.08;
      const double px = r * std::cos(angle), py = r * std::sin(angle);
      const double nx = kNotch * std::cos(kHalf), ny = kNotch * std::sin(kHalf);
      return (nx - 1) * py - ny * (px - 1) >= 0;
    }
  }
  return false;
}

// The ground at a point of the board. Patterns repeat every eight units and stay faint.
Rgb ground_at(const Ground& ground, double x, double y) {
  const Rgb low = ground.dark ? Rgb{36, 40, 52} : Rgb{228, 225, 216};
  const Rgb high = ground.dark ? Rgb{56, 60, 73} : Rgb{248, 245, 237};
  double mix = 0.5;
  switch (ground.pattern) {
    case Pattern::kPlain:
      break;
    case Pattern::kStriped:
      mix = std::fmod(ground.upright ? x : y, 8) < 4;
      break;
    case Pattern::kCheckered:
      mix = (std::fmod(x, 8) < 4) != (std::fmod(y, 8) < 4);
      break;
    case Pattern::kDotted:
      mix = std::hypot(std::fmod(x, 8) - 4, std::fmod(y, 8) - 4) < 2 ? 1 : 0.15;
      break;
    case Pattern::kShaded:
      mix = 1 - y / kBoard;
      break;
  }
  return {low.r + mix * (high.r - low.r), low.g + mix * (high.g - low.g),
          low.b + mix * (high.b - low.b)};
}

// A well-mixed stream of numbers from two keys (the SplitMix64 step).
class Dice {
 public:
  Dice(uint64_t seed, uint64_t key) : state_(seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u) {
    state_ = next() ^ (key * 0xd1342543de82ef95u);
    next();
  }
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int below(int n) { return static_cast<int>((next() >> 33) % static_cast<uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

std::string_view article(std::string_view word) {
  return std::string_view("aeiou").find(word.front()) != std::string_view::npos ? "an" : "a";
}

std::string phrase(const Object& object, bool say_size) {
  std::string words;
  if (say_size) words = std::string(kSizeNames[static_cast<size_t>(object.size)]) + " ";
  words += std::string(name(object.colour)) + " " + std::string(name(object.shape));
  return std::string(article(words)) + " " + words;
}

Relation relation_of(const Object& first) {
  switch (first.place) {
    case Place::kTop:
      return Relation::kAbove;
    case Place::kBottom:
      return Relation::kBelow;
    case Place::kLeft:
      return Relation::kLeftOf;
    default:
      return Relation::kRightOf;
  }
}

template <size_t N>
int find_word(const std::array<std::string_view, N>& names, std::string_view word) {
  const auto it = std::find(names.begin(), names.end(), word);
  return it == names.end() ? -1 : static_cast<int>(it - names.begin());
}

// Takes the words of a caption from the left.
class Words {
 public:
  explicit Words(std::string_view text) {
    std::istringstream in{std::string(text)};
    for (std::string word; in >> word;) words_.push_back(word);
  }
  bool empty() const { return at_ == words_.size(); }
  std::string_view peek() const { return empty() ? std::string_view() : words_[at_]; }
  void skip() { ++at_; }

  // The entry of `names` (each may be several words) that comes next, taken; or -1.
  template <size_t N>
  int take(const std::array<std::string_view, N>& names) {
    for (size_t i = 0; i < N; ++i) {
      if (take(names[i])) return static_cast<int>(i);
    }
    return -1;
  }
  bool take(std::string_view expected) {
    const Words wanted{expected};
    if (wanted.words_.size() > words_.size() - at_) return false;
    if (!std::equal(wanted.words_.begin(), wanted.words_.end(),
                    words_.begin() + static_cast<std::ptrdiff_t>(at_))) {
      return false;
    }
    at_ += wanted.words_.size();
    return true;
  }

 private:
  std::vector<std::string> words_;
  size_t at_ = 0;
};

std::optional<AskedObject> take_object(Words* words) {
  if (words->peek() != "a" && words->peek() != "an") return std::nullopt;
  words->skip();
  AskedObject asked;
  if (const int size = words->take(kSizeNames); size >= 0) asked.size = static_cast<Size>(size);
  const int colour = words->take(kColourNames);
  const int shape = words->take(kShapeNames);
  if (colour < 0 || shape < 0) return std::nullopt;
  asked.colour = static_cast<Colour>(colour);
  asked.shape = static_cast<Shape>(shape);
  return asked;
}

}  // namespace

std::string_view name(Shape shape) { return kShapeNames[static_cast<size_t>(shape)]; }
std::string_view name(Colour colour) { return kColourNames[static_cast<size_t>(colour)]; }

Rgb paint(Colour colour) { return kPalette[static_cast<size_t>(colour)]; }

Point centre_of(Place place) {
  switch (place) {
    case Place::kTop:
      return {16, 8};
    case Place::kBottom:
      return {16, 24};
    case Place::kLeft:
      return {8, 16};
    case Place::kRight:
      return {24, 16};
    case Place::kCentre:
      break;
  }
  return {16, 16};
}

double coverage(Shape shape, Point centre, double radius, double left, double top, double unit,
                int samples) {
  const double reach = radius + unit;
  if (std::abs(left + unit / 2 - centre.x) > reach || std::abs(top + unit / 2 - centre.y) > reach) {
    return 0;
  }
  int hits = 0;
  for (int j = 0; j < samples; ++j) {
    for (int i = 0; i < samples; ++i) {
      const double x = left + unit * (i + 0.5) / samples, y = top + unit * (j + 0.5) / samples;
      hits += inside(shape, (x - centre.x) / radius, (y - centre.y) / radius);
    }
  }
  return static_cast<double>(hits) / (samples * samples);
}

Scene make_scene(uint64_t seed, uint64_t index, Count count) {
  constexpr int kKinds = kShapes * kColours;
  std::array<int, kKinds> kinds;
  std::iota(kinds.begin(), kinds.end(), 0);
  Dice shuffle(~seed, index / kKinds);
  for (int i = kKinds - 1; i > 0; --i) std::swap(kinds[i], kinds[shuffle.below(i + 1)]);

  Dice dice(seed, index);
  const auto object_of_kind = [&dice](int kind) {
    return Object{static_cast<Shape>(kind % kShapes), static_cast<Colour>(kind / kShapes),
                  dice.chance(50) ? Size::kSmall : Size::kLarge, Place::kCentre};
  };
  Scene scene;
  const int kind = kinds[index % kKinds];
  scene.objects.push_back(object_of_kind(kind));
  if (count == Count::kTwo || (count == Count::kMixed && dice.chance(40))) {
    // Never the same kind twice: the caption could not tell the two apart.
    scene.objects.push_back(object_of_kind((kind + 1 + dice.below(kKinds - 1)) % kKinds));
    constexpr std::array<std::array<Place, 2>, 4> kPairs = {{{Place::kTop, Place::kBottom},
                                                             {Place::kBottom, Place::kTop},
                                                             {Place::kLeft, Place::kRight},
                                                             {Place::kRight, Place::kLeft}}};
    const auto& pair = kPairs[static_cast<size_t>(dice.below(4))];
    scene.objects[0].place = pair[0];
    scene.objects[1].place = pair[1];
  } else {
    scene.objects[0].place = static_cast<Place>(dice.below(5));
  }
  scene.ground = {static_cast<Pattern>(dice.below(5)), dice.chance(50), dice.chance(50)};
  scene.say_place = dice.chance(75);
  scene.say_ground = dice.chance(50);
  for (size_t i = 0; i < scene.objects.size(); ++i) scene.say_size.push_back(dice.chance(67));
  return scene;
}

vq::Image draw(const Scene& scene, int side) {
  const double unit = static_cast<double>(kBoard) / side;
  const int samples = std::max(4, kSamplesPerUnit * kBoard / side);
  vq::Image image;
  image.width = image.height = side;
  image.rgb.reserve(static_cast<size_t>(side) * side * 3);
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column) {
      const double left = column * unit, top = row * unit;
      // Four looks at the ground soften the rims of its dots.
      Rgb mixed{0, 0, 0};
      for (int k = 0; k < 4; ++k) {
        const Rgb part = ground_at(scene.ground, left + unit * (0.25 + 0.5 * (k % 2)),
                                   top + unit * (0.25 + 0.5 * (k / 2)));
        mixed = {mixed.r + part.r / 4, mixed.g + part.g / 4, mixed.b + part.b / 4};
      }
      for (const Object& object : scene.objects) {
        const double a = coverage(object.shape, centre_of(object.place), radius_of(object.size),
                                  left, top, unit, samples);
        const Rgb colour = paint(object.colour);
        mixed = {mixed.r + a * (colour.r - mixed.r), mixed.g + a * (colour.g - mixed.g),
                 mixed.b + a * (colour.b - mixed.b)};
      }
      for (const double v : {mixed.r, mixed.g, mixed.b}) {
        image.rgb.push_back(static_cast<uint8_t>(std::lround(v)));
      }
    }
  }
  return image;
}

namespace {

// One way of a separable filter: `stride` numbers from a pixel to the next along it.
std::vector<double> filtered(const std::vector<double>& from, const std::vector<double>& weights,
                             int length, size_t stride) {
  const int reach = static_cast<int>(weights.size()) / 2;
  std::vector<double> to(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    const int here = static_cast<int>(i / stride) % length;
    for (int k = -reach; k <= reach; ++k) {
      const int there = std::clamp(here + k, 0, length - 1);
      const ptrdiff_t away = (there - here) * static_cast<ptrdiff_t>(stride);
      to[i] += weights[static_cast<size_t>(k + reach)] *
               from[static_cast<size_t>(static_cast<ptrdiff_t>(i) + away)];
    }
  }
  return to;
}

}  // namespace

vq::Image blurred(const vq::Image& picture, double deviation) {
  if (deviation <= 0) return picture;
  const int reach = static_cast<int>(std::ceil(3 * deviation));
  std::vector<double> weights;
  for (int k = -reach; k <= reach; ++k) {
    weights.push_back(std::exp(-0.5 * k * k / (deviation * deviation)));
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  std::vector<double> numbers(picture.rgb.begin(), picture.rgb.end());
  numbers = filtered(numbers, weights, picture.width, 3);
  numbers = filtered(numbers, weights, picture.height, 3 * static_cast<size_t>(picture.width));
  vq::Image result = picture;
  std::transform(numbers.begin(), numbers.end(), result.rgb.begin(),
                 [](double v) { return static_cast<uint8_t>(std::lround(v)); });
  return result;
}

std::string caption(const Scene& scene) {
  const Object& first = scene.objects[0];
  std::string text = phrase(first, scene.say_size[0]);
  if (scene.objects.size() == 2) {
    text += " " + std::string(kRelationNames[static_cast<size_t>(relation_of(first))]) + " " +
            phrase(scene.objects[1], scene.say_size[1]);
  } else if (scene.say_place) {
    text += " " + std::string(kPlaceNames[static_cast<size_t>(first.place)]);
  }
  if (scene.say_ground) {
    text += std::string(" on a ") + (scene.ground.dark ? "dark " : "light ") +
            std::string(kPatternNames[static_cast<size_t>(scene.ground.pattern)]) + " ground";
  }
  return text;
}

std::optional<Asked> parse_caption(std::string_view text) {
  Words words(text);
  Asked asked;
  const auto first = take_object(&words);
  if (!first) return std::nullopt;
  asked.objects.push_back(*first);
  if (const int relation = words.take(kRelationNames); relation >= 0) {
    asked.relation = static_cast<Relation>(relation);
    const auto second = take_object(&words);
    if (!second) return std::nullopt;
    asked.objects.push_back(*second);
  } else if (const int place = words.take(kPlaceNames); place >= 0) {
    asked.place = static_cast<Place>(place);
  }
  if (words.take("on a")) {
    if (!words.take("dark") && !words.take("light")) return std::nullopt;
    if (words.take(kPatternNames) < 0 || !words.take("ground")) return std::nullopt;
  }
  if (!words.empty()) return std::nullopt;
  return asked;
}

}  // namespace shapes
