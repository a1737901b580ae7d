#include "lib/codec/picture_feed.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

// Pictures of `count` shapes, in memory; number `broken` is none.
class Numbered : public ExampleReader {
 public:
  explicit Numbered(int count, int broken = -1) : count_(count), broken_(broken) {}
  bool next(Example& example) override {
    if (next_ == count_) return false;
    example = {};
    example.key = "p" + std::to_string(next_);
    example.picture.path = "memory";
    example.picture.member = example.key;
    Image image{20 + next_ % 13, 17 + next_ % 7, {}};
    for (int i = 0; i < 3 * image.width * image.height; ++i) {
      image.rgb.push_back(static_cast<uint8_t>(i * next_ * 31 + i / 7));
    }
    example.picture.bytes =
        std::make_shared<Bytes>(next_ == broken_ ? Bytes{1, 2, 3} : encode_png(image));
    ++next_;
    return true;
  }

 private:
  int count_, broken_, next_ = 0;
};

PictureFeed::Pull pull_all(std::shared_ptr<ExampleReader> set, const ViewPlan& plan) {
  return [set, plan](FedPicture& p) {
    p.views = plan.views();
    return set->next(p.example);
  };
}

std::vector<std::string> summary(const ViewPlan& plan, int threads, int64_t ahead, int broken) {
  PictureFeed feed(pull_all(std::make_shared<Numbered>(60, broken), plan), plan, threads, ahead);
  std::vector<std::string> all;
  for (FedPicture p; feed.next(p); p = {}) {
    EXPECT_EQ(p.images.size(), p.bad ? 0 : p.views.size());
    if (p.bad) all.push_back(p.example.key + " " + p.bad->what());
    for (size_t i = 0; i < p.images.size(); ++i) {
      all.push_back(plan.key(p.example.key, p.views[i]) + " " + sha256(p.images[i].rgb));
    }
  }
  return all;
}

TEST(PictureFeed, ThreadsChangeNothing) {
  ViewPlan plan{.size = 16, .resize = Resize::paper_train, .crops = 3, .flip = true, .seed = 5};
  const auto alone = summary(plan, 1, 1, 41);
  ASSERT_EQ(alone.size(), 59u * 6 + 1);
  EXPECT_EQ(alone[0].substr(0, 9), "p0@crop0 ");
  EXPECT_EQ(alone[1].substr(0, 14), "p0@crop0+flip ");
  EXPECT_EQ(alone[41 * 6].substr(0, 12), "p41 memory: ");
  for (const auto& [threads, ahead] : {std::pair{2, 3}, {5, 64}, {7, 2}}) {
    EXPECT_EQ(summary(plan, threads, ahead, 41), alone);
  }
}

TEST(PictureFeed, CropsAreOfSeedKeyAndNumberAlone) {
  const ViewPlan plan{.size = 16, .resize = Resize::paper_train, .crops = 2, .seed = 5};
  EXPECT_EQ(plan.draws("a", 0), plan.draws("a", 0));
  EXPECT_NE(plan.draws("a", 0), plan.draws("a", 1));
  EXPECT_NE(plan.draws("a", 0), plan.draws("b", 0));
  ViewPlan other = plan;
  other.seed = 6;
  EXPECT_NE(plan.draws("a", 0), other.draws("a", 0));
  other.seed = 5;
  other.crops = 9;
  EXPECT_EQ(plan.draws("a", 1), other.draws("a", 1));
  // Uniform: the mean of 5 * 400 draws is 1/2 within four standard errors.
  double sum = 0;
  for (int i = 0; i < 400; ++i) {
    for (double u : plan.draws("key" + std::to_string(i), 0)) sum += u;
  }
  EXPECT_NEAR(sum / 2000, 0.5, 4 * std::sqrt(1.0 / 12 / 2000));
}

TEST(PictureFeed, KeysSayWhichView) {
  ViewPlan plan;
  EXPECT_EQ(plan.key("a/b", {0, false}), "a/b");
  plan.flip = true;
  EXPECT_EQ(plan.key("a/b", {0, false}), "a/b");
  EXPECT_EQ(plan.key("a/b", {0, true}), "a/b@flip");
  plan.crops = 4;
  EXPECT_EQ(plan.key("a/b", {3, false}), "a/b@crop3");
  EXPECT_EQ(plan.views().size(), 8u);
}

TEST(PictureFeed, NoMoreThanAheadAreTaken) {
  std::atomic<int> taken{0};
  auto set = std::make_shared<Numbered>(100);
  const ViewPlan plan{.size = 8};
  PictureFeed feed(
      [&taken, set, plan](FedPicture& p) {
        ++taken;
        p.views = plan.views();
        return set->next(p.example);
      },
      plan, 4, 6);
  FedPicture p;
  for (int out = 1; out <= 20; ++out) {
    ASSERT_TRUE(feed.next(p));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_LE(taken, out + 6);
  }
}

TEST(PictureFeed, WhatEndsTheListComesBehindWhatWasBefore) {
  auto set = std::make_shared<Numbered>(5);
  const ViewPlan plan{.size = 8};
  PictureFeed feed(
      [set, plan](FedPicture& p) {
        p.views = plan.views();
        if (!set->next(p.example)) throw Error("list", "is cut off");
        return true;
      },
      plan, 3, 8);
  FedPicture p;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(feed.next(p));
    EXPECT_EQ(p.example.key, "p" + std::to_string(i));
  }
  for (int i = 0; i < 2; ++i) EXPECT_EQ(error_of([&] { feed.next(p); }), "list: is cut off");
}

TEST(PictureFeed, DroppedWhileItWaitsForInput) {
  const auto open = std::make_shared<std::atomic<bool>>(false);
  const auto begin = std::chrono::steady_clock::now();
  {
    PictureFeed feed(
        [open](FedPicture&) {
          while (!*open) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          return false;
        },
        {}, 3, 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(feed.ready());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  *open = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // it ends before the test does
}

}  // namespace
}  // namespace vq
