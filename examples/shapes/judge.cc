// The judge: from pixels to objects, without a look at the scene that was drawn.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "formats/error.h"
#include "scene.h"

namespace shapes {
namespace {

// Chroma (largest less smallest channel) is linear along a blend with the near-grey ground, so it
// measures how much of a pixel an object covers.
double chroma(const Rgb& c) { return std::max({c.r, c.g, c.b}) - std::min({c.r, c.g, c.b}); }

constexpr double kFaint = 44;        // chroma below this is ground
constexpr double kSpeck = 6;         // fewer pixels than this on the 32 x 32 board: no object
constexpr double kColourReach = 70;  // largest distance in RGB to the paint of a colour
constexpr double kOneColour = 0.75;  // share of the inner pixels that must agree on it
constexpr double kLeastFit = 0.72;   // overlap below this looks like no shape
constexpr double kSizeBorder = 6.0;  // radius between small and large
constexpr int kTemplateSamples = 8;
constexpr int kWindow = 24;  // side of the square in which shapes are compared

using Board = std::vector<Rgb>;  // kBoard x kBoard
using Window = std::array<float, kWindow * kWindow>;

Board reduce(const vq::Image& picture) {
  if (picture.width != picture.height || picture.width < kBoard || picture.width % kBoard != 0) {
    throw vq::Error("", "the picture is " + std::to_string(picture.width) + "x" +
                            std::to_string(picture.height) +
                            "; its sides must be equal multiples of " + std::to_string(kBoard));
  }
  const int step = picture.width / kBoard;
  Board board(kBoard * kBoard, Rgb{0, 0, 0});
  const double weight = 1.0 / (step * step);
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const uint8_t* p = &picture.rgb[(static_cast<size_t>(y) * picture.width + x) * 3];
      Rgb& cell = board[static_cast<size_t>(y / step * kBoard + x / step)];
      cell = {cell.r + weight * p[0], cell.g + weight * p[1], cell.b + weight * p[2]};
    }
  }
  return board;
}

std::optional<Colour> nearest_colour(const Rgb& c) {
  int best = 0;
  double best_distance = 1e9;
  for (int i = 0; i < kColours; ++i) {
    const Rgb p = paint(static_cast<Colour>(i));
    const double distance = std::hypot(c.r - p.r, c.g - p.g, c.b - p.b);
    if (distance < best_distance) best = i, best_distance = distance;
  }
  if (best_distance > kColourReach) return std::nullopt;
  return static_cast<Colour>(best);
}

// The shape as it would be drawn about (12 + dx, 12 + dy) of a window.
struct Template {
  Shape shape;
  double radius, dx, dy;
  Window window;
  float area;
};

const std::vector<Template>& templates() {
  static const std::vector<Template> all = [] {
    std::vector<Template> made;
    for (int s = 0; s < kShapes; ++s) {
      for (double radius = 4.0; radius <= 8.0; radius += 0.5) {
        for (int half = 0; half < 4; ++half) {
          Template t{static_cast<Shape>(s), radius, 0.5 * (half % 2), 0.5 * (half / 2), {}, 0};
          for (int i = 0; i < kWindow * kWindow; ++i) {
            t.window[static_cast<size_t>(i)] =
                static_cast<float>(coverage(t.shape, {kWindow / 2 + t.dx, kWindow / 2 + t.dy},
                                            radius, i % kWindow, i / kWindow, 1, kTemplateSamples));
          }
          t.area = std::accumulate(t.window.begin(), t.window.end(), 0.0f);
          made.push_back(t);
        }
      }
    }
    return made;
  }();
  return all;
}

// Pixels of one blob: connected, each clearly coloured. Takes them out of `open`.
std::vector<int> take_blob(int start, std::vector<bool>* open) {
  std::vector<int> blob = {start};
  (*open)[static_cast<size_t>(start)] = false;
  for (size_t at = 0; at < blob.size(); ++at) {
    const int x = blob[at] % kBoard, y = blob[at] / kBoard;
    for (const auto& [nx, ny] : {std::pair{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}}) {
      if (nx < 0 || ny < 0 || nx >= kBoard || ny >= kBoard) continue;
      const int next = ny * kBoard + nx;
      if (!(*open)[static_cast<size_t>(next)]) continue;
      (*open)[static_cast<size_t>(next)] = false;
      blob.push_back(next);
    }
  }
  return blob;
}

Seen look_at(const std::vector<int>& blob, const Board& board) {
  // The blob's own chroma: the median over its more coloured half, free of the blended rim.
  std::vector<double> chromas;
  for (const int i : blob) chromas.push_back(chroma(board[static_cast<size_t>(i)]));
  std::vector<double> sorted = chromas;
  std::sort(sorted.begin(), sorted.end());
  const double full = sorted[sorted.size() * 3 / 4];

  Seen seen;
  std::array<int, kColours + 1> votes{};
  int inner = 0;
  double cover = 0;
  for (size_t k = 0; k < blob.size(); ++k) {
    const double a = std::min(1.0, chromas[k] / full);
    cover += a;
    seen.x += a * (blob[k] % kBoard + 0.5);
    seen.y += a * (blob[k] / kBoard + 0.5);
    if (a < 0.85) continue;
    const auto colour = nearest_colour(board[static_cast<size_t>(blob[k])]);
    ++votes[colour ? static_cast<size_t>(*colour) : kColours];
    ++inner;
  }
  seen.x /= cover;
  seen.y /= cover;
  const auto most = std::max_element(votes.begin(), votes.begin() + kColours);
  if (*most >= kOneColour * inner) seen.colour = static_cast<Colour>(most - votes.begin());

  // The blob and the faint rim around it, on a window about its middle.
  const int left = static_cast<int>(std::lround(seen.x)) - kWindow / 2;
  const int top = static_cast<int>(std::lround(seen.y)) - kWindow / 2;
  Window window{};
  const auto put = [&](int x, int y) {
    const int wx = x - left, wy = y - top;
    if (x < 0 || y < 0 || x >= kBoard || y >= kBoard) return;
    if (wx < 0 || wy < 0 || wx >= kWindow || wy >= kWindow) return;
    const double a = (chroma(board[static_cast<size_t>(y * kBoard + x)]) - 16) / (full - 16);
    window[static_cast<size_t>(wy * kWindow + wx)] = static_cast<float>(std::clamp(a, 0.0, 1.0));
  };
  for (const int i : blob) {
    for (int k = 0; k < 9; ++k) put(i % kBoard + k % 3 - 1, i / kBoard + k / 3 - 1);
  }
  const float area = std::accumulate(window.begin(), window.end(), 0.0f);

  // The centre of mass is not the drawn centre (a triangle's lies low), so shifts are tried too.
  for (const Template& t : templates()) {
    if (t.area < 0.6f * area || t.area > area / 0.6f) continue;
    for (int shift = 0; shift < 25; ++shift) {
      const int sx = shift % 5 - 2, sy = shift / 5 - 2;
      float common = 0;
      for (int y = std::max(0, sy); y < kWindow + std::min(0, sy); ++y) {
        const float* a = &window[static_cast<size_t>(y * kWindow)];
        const float* b = &t.window[static_cast<size_t>((y - sy) * kWindow)];
        for (int x = std::max(0, sx); x < kWindow + std::min(0, sx); ++x) {
          common += std::min(a[x], b[x - sx]);
        }
      }
      const double fit = common / (area + t.area - common);
      if (fit <= seen.fit) continue;
      seen.fit = fit;
      seen.shape = t.shape;
      seen.radius = t.radius;
    }
  }
  if (seen.fit < kLeastFit) seen.shape.reset();
  return seen;
}

bool is(const AskedObject& asked, const Seen& seen) {
  return seen.shape == asked.shape && seen.colour == asked.colour;
}

bool size_is(const AskedObject& asked, const Seen& seen) {
  return !asked.size || *asked.size == (seen.radius < kSizeBorder ? Size::kSmall : Size::kLarge);
}

bool place_is(Place place, const Seen& seen) {
  const Point want = centre_of(place);
  return std::abs(seen.x - want.x) < 4 && std::abs(seen.y - want.y) < 4;
}

bool relation_is(Relation relation, const Seen& first, const Seen& second) {
  const double right = first.x - second.x, down = first.y - second.y;
  const bool upright = std::abs(down) > std::abs(right);
  switch (relation) {
    case Relation::kAbove:
      return upright && down < 0;
    case Relation::kBelow:
      return upright && down > 0;
    case Relation::kLeftOf:
      return !upright && right < 0;
    case Relation::kRightOf:
      return !upright && right > 0;
  }
  return false;
}

}  // namespace

std::vector<Seen> see(const vq::Image& picture) {
  const Board board = reduce(picture);
  std::vector<bool> open;
  for (const Rgb& c : board) open.push_back(chroma(c) >= kFaint);
  std::vector<std::vector<int>> blobs;
  for (int i = 0; i < kBoard * kBoard; ++i) {
    if (!open[static_cast<size_t>(i)]) continue;
    auto blob = take_blob(i, &open);
    if (blob.size() >= kSpeck) blobs.push_back(std::move(blob));
  }
  std::stable_sort(blobs.begin(), blobs.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::vector<Seen> seen;
  for (const auto& blob : blobs) seen.push_back(look_at(blob, board));
  return seen;
}

Verdict judge(const Asked& asked, const std::vector<Seen>& seen) {
  Verdict verdict;
  if (seen.size() != asked.objects.size()) return verdict;
  if (seen.size() == 1) {
    verdict.right = is(asked.objects[0], seen[0]);
    verdict.placed = verdict.right && size_is(asked.objects[0], seen[0]) &&
                     (!asked.place || place_is(*asked.place, seen[0]));
    return verdict;
  }
  // Two objects of one kind may answer to the two descriptions either way round.
  for (size_t i = 0; i < 2; ++i) {
    const Seen &first = seen[i], &second = seen[1 - i];
    if (!is(asked.objects[0], first) || !is(asked.objects[1], second)) continue;
    verdict.right = true;
    verdict.placed =
        verdict.placed || (size_is(asked.objects[0], first) && size_is(asked.objects[1], second) &&
                           (!asked.relation || relation_is(*asked.relation, first, second)));
  }
  return verdict;
}

}  // namespace shapes
