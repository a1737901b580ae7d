// Small pictures of coloured shapes, the captions that describe them, and a judge that looks only
// at pixels.
//
// A scene is one object in one of five places, or two objects with a relation between them, on a
// quiet ground. Everything is drawn on a board of 32 x 32 units: the centres of objects are
// multiples of eight units and there are two radii, so that the object edges fall the same way into
// the token grid of a codec that reduces by 4 or by 8.
//
// Law: what see() finds in draw(scene) agrees with caption(scene), for every scene.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/image.h"

namespace shapes {

inline constexpr int kBoard = 32;  // units along one side of a picture

enum class Shape { kCircle, kSquare, kTriangle, kStar, kHeart, kCross };
enum class Colour { kRed, kOrange, kYellow, kGreen, kCyan, kBlue, kPurple, kPink };
enum class Size { kSmall, kLarge };
enum class Place { kCentre, kTop, kBottom, kLeft, kRight };
enum class Relation { kAbove, kBelow, kLeftOf, kRightOf };
enum class Pattern { kPlain, kStriped, kCheckered, kDotted, kShaded };

inline constexpr int kShapes = 6;
inline constexpr int kColours = 8;

struct Object {
  Shape shape = Shape::kCircle;
  Colour colour = Colour::kRed;
  Size size = Size::kLarge;
  Place place = Place::kCentre;
};

struct Ground {
  Pattern pattern = Pattern::kPlain;
  bool dark = false;
  bool upright = false;  // stripes run from top to bottom rather than from side to side
};

// One or two objects. The caption names the first one first.
struct Scene {
  std::vector<Object> objects;
  Ground ground;
  // What the caption mentions; leaving things out teaches a model to choose for itself.
  bool say_place = true;
  bool say_ground = true;
  std::vector<bool> say_size;  // one per object
};

enum class Count { kOne, kTwo, kMixed };

// Scene number `index` of a seed, the same whatever other scenes are made. Any 48 consecutive
// scenes that start at a multiple of 48 show every pair of shape and colour once as the first
// object, so captions drawn from them are balanced. kMixed makes one-object scenes of 3 in 5.
Scene make_scene(uint64_t seed, uint64_t index, Count count);

// The picture, `side` x `side` pixels; side is a multiple of 32.
vq::Image draw(const Scene& scene, int side = kBoard);

// The picture under a Gaussian blur of `deviation` pixels; the border goes on outside.
vq::Image blurred(const vq::Image& picture, double deviation);

// "a small red star at the top on a dark striped ground"; "an orange heart above a large blue
// cross"
std::string caption(const Scene& scene);

// What a caption asks for; what it leaves open is empty.
struct AskedObject {
  Shape shape = Shape::kCircle;
  Colour colour = Colour::kRed;
  std::optional<Size> size;
};
struct Asked {
  std::vector<AskedObject> objects;  // one or two
  std::optional<Place> place;        // with one object
  std::optional<Relation> relation;  // with two objects: of the first to the second
};

// Reads a caption of this grammar; nothing if it is not one.
std::optional<Asked> parse_caption(std::string_view text);

// One blob of colour found in a picture. Lengths are in board units.
struct Seen {
  std::optional<Shape> shape;    // empty: it looks like none of the shapes
  std::optional<Colour> colour;  // empty: none of the colours, or several of them
  double x = 0, y = 0, radius = 0;
  double fit = 0;  // overlap with the best drawn shape, 0..1
};

// Everything in a picture that is not ground, largest first. The picture's sides are multiples of
// 32 and equal; otherwise throws vq::Error.
std::vector<Seen> see(const vq::Image& picture);

struct Verdict {
  bool right = false;   // every asked object is there in its shape and colour, and nothing else
  bool placed = false;  // right, and sizes, place or relation are as asked too
};
Verdict judge(const Asked& asked, const std::vector<Seen>& seen);

// What drawing (scene.cc) and judging (judge.cc) share.
struct Rgb {
  double r, g, b;
};
struct Point {
  double x, y;
};

std::string_view name(Shape shape);
std::string_view name(Colour colour);
Rgb paint(Colour colour);
Point centre_of(Place place);

// The share, 0..1, of a square cell that a shape covers, from samples x samples points of it. The
// cell is `unit` wide and (left, top) is its corner.
double coverage(Shape shape, Point centre, double radius, double left, double top, double unit,
                int samples);

}  // namespace shapes
