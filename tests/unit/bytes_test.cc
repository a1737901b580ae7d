#include "formats/bytes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

TEST(Bytes, LittleEndianBothWays) {
  Bytes out;
  append_u16(out, 0x1234);
  append_u32(out, 0x89abcdef);
  append_u64(out, 0xfedcba9876543210);
  EXPECT_EQ(out, (Bytes{0x34, 0x12, 0xef, 0xcd, 0xab, 0x89, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba,
                        0xdc, 0xfe}));
  EXPECT_EQ(load_u16(out.data()), 0x1234);
  EXPECT_EQ(load_u32(out.data() + 2), 0x89abcdefu);
  EXPECT_EQ(load_u64(out.data() + 6), 0xfedcba9876543210u);
}

// The examples of FIPS 180-4's supplement, and the lengths at which padding needs a second block.
TEST(Bytes, Sha256) {
  EXPECT_EQ(sha256({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(Bytes(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256(Bytes(55, 'a')),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256(Bytes(64, 'a')),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

// The same reading from memory, a file and a pipe.
void read_in_pieces(Input input) {
  EXPECT_EQ(as_text(input.peek(3)), "one");
  EXPECT_EQ(input.offset(), 0u);
  std::string line;
  bool ended = false;
  ASSERT_TRUE(input.read_line(line, 100, &ended));
  EXPECT_EQ(line, "one");
  EXPECT_TRUE(ended);
  EXPECT_EQ(input.offset(), 4u);
  uint8_t two[3];
  input.read_exactly(two, 3);
  EXPECT_EQ(as_text(two), "two");
  EXPECT_EQ(input.skip(1), 1u);
  EXPECT_EQ(as_text(input.peek(1000)), "three\n\nlast");
  EXPECT_TRUE(input.read_line(line));
  EXPECT_EQ(line, "three");
  EXPECT_TRUE(input.read_line(line));
  EXPECT_EQ(line, "");
  EXPECT_TRUE(input.ready());
  EXPECT_TRUE(input.read_line(line, 100, &ended));
  EXPECT_EQ(line, "last");
  EXPECT_FALSE(ended);
  EXPECT_FALSE(input.read_line(line));
  EXPECT_EQ(input.skip(10), 0u);
  EXPECT_EQ(input.offset(), 19u);
  EXPECT_EQ(error_of([&] { input.read_exactly(two, 1); }),
            input.name() + ": ends after 19 bytes; was it cut short?");
}

constexpr std::string_view kText = "one\ntwo\nthree\n\nlast";

TEST(Input, FromMemoryFileAndPipe) {
  TempFolder folder;
  read_in_pieces(Input::memory(bytes_of(kText), "memory"));
  read_in_pieces(Input::open(folder.write("a", kText)));
  const std::string fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::thread writer([&] {
    const int fd = ::open(fifo.c_str(), O_WRONLY);
    for (const char c : kText) {  // a byte at a time: every read is a short one
      EXPECT_EQ(::write(fd, &c, 1), 1);
    }
    ::close(fd);
  });
  read_in_pieces(Input::open(fifo));
  writer.join();
}

void seek_about(Input input) {
  EXPECT_TRUE(input.seekable());
  EXPECT_EQ(input.size(), kText.size());
  input.seek(8);
  EXPECT_EQ(as_text(input.peek(5)), "three");
  input.seek(0);
  EXPECT_EQ(as_text(input.read_all()), kText);
  input.seek(1);
  EXPECT_EQ(as_text(input.peek(2)), "ne");
}

TEST(Input, SeeksWhereItCan) {
  TempFolder folder;
  seek_about(Input::memory(bytes_of(kText), "m"));
  seek_about(Input::open(folder.write("a", kText)));
}

TEST(Input, LongStreamsAndLimits) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i) + "\n";
  TempFolder folder;
  Input input = Input::open(folder.write("a", text));
  std::string line;
  for (int i = 0; i < 100000; ++i) {
    ASSERT_TRUE(input.read_line(line));
    ASSERT_EQ(line, std::to_string(i));
  }
  EXPECT_EQ(error_of([&] { read_file(folder / "a", 1000); }, folder.path()),
            "a: holds more than 1000 bytes");
  EXPECT_EQ(read_file(folder / "a"), bytes_of(text));
  Input long_line = Input::memory(Bytes(200, 'x'), "m");
  EXPECT_EQ(error_of([&] { long_line.read_line(line, 100); }),
            "m: a line is longer than 100 bytes");
}

TEST(Input, ReadyOnlyWhenThereIsSomething) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Input input = Input::open("/dev/fd/" + std::to_string(ends[0]));
  EXPECT_FALSE(input.ready());
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_FALSE(input.ready_within(0.05));
  EXPECT_GE(std::chrono::steady_clock::now() - asked, std::chrono::milliseconds(50));
  ASSERT_EQ(::write(ends[1], "ab", 2), 2);
  EXPECT_TRUE(input.ready());
  uint8_t some[10];
  EXPECT_EQ(input.read_some(some, 10), 2u);  // and does not wait for the other eight
  EXPECT_FALSE(input.ready());
  ::close(ends[1]);
  EXPECT_TRUE(input.ready());
  EXPECT_EQ(input.read_some(some, 10), 0u);
  ::close(ends[0]);
}

TEST(Input, RefusesFoldersAndWhatIsNotThere) {
  TempFolder folder;
  EXPECT_EQ(error_of([&] { Input::open(folder / "no"); }, folder.path()),
            "no: cannot open: No such file or directory");
  EXPECT_EQ(error_of([&] { Input::open("/tmp"); }), "/tmp: is a folder, not a file");
}

TEST(Output, AppearsWhenItIsWhole) {
  TempFolder folder;
  const std::string path = folder / "a";
  Output output = Output::open(path, false);
  output.write("hello ");
  output.write(std::string(200000, 'x'));
  output.flush();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(std::filesystem::exists(path + ".part"));
  EXPECT_EQ(output.offset(), 200006u);
  EXPECT_FALSE(output.live());
  output.close();
  EXPECT_EQ(file_content(path), "hello " + std::string(200000, 'x'));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST(Output, NotClosedLeavesNothing) {
  TempFolder folder;
  {
    Output output = Output::open(folder / "a", false);
    output.write("half");
    output.flush();
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Output, ExistingFilesNeedForce) {
  TempFolder folder;
  const std::string path = folder.write("a", "old");
  try {
    Output::open(path, false);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "exists already");
    EXPECT_EQ(e.kind(), Error::Kind::usage);
  }
  { Output::open(path, true).write("given up"); }
  EXPECT_EQ(file_content(path), "old");
  write_file(path, as_bytes("new"), true);
  EXPECT_EQ(file_content(path), "new");
  EXPECT_EQ(error_of([&] { Output::open(folder.path(), true); }),
            folder.path() + ": is a folder, not a file");
  EXPECT_EQ(error_of([&] { Output::open(folder / "no/b", true); }, folder.path()),
            "no/b: cannot create: No such file or directory");
}

TEST(Output, ALinkStaysALink) {
  TempFolder folder;
  folder.write("real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  write_file(folder / "link", as_bytes("new"), true);
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(file_content(folder / "real"), "new");
}

TEST(Output, TwoWritersOfOneFile) {
  TempFolder folder;
  Output first = Output::open(folder / "a", false);
  first.write("first");
  EXPECT_NE(error_of([&] {
              Output::open(folder / "a", false);
            }).find("is being written by another process"),
            std::string::npos);
  first.close();
  EXPECT_EQ(file_content(folder / "a"), "first");
}

TEST(Output, NoSpaceIsSaid) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  Output output = Output::open("/dev/full", false);
  EXPECT_TRUE(output.live());
  output.write("hello");
  EXPECT_EQ(error_of([&] { output.close(); }), "/dev/full: No space left on device");
  EXPECT_FALSE(std::filesystem::exists("/dev/full.part"));
}

TEST(Output, Memory) {
  Bytes bytes;
  Output output = Output::memory(&bytes);
  output.write("ab");
  EXPECT_EQ(as_text(bytes), "ab");
  EXPECT_EQ(output.offset(), 2u);
  output.close();
}

TEST(Output, ASignalHandlerRemovesWhatIsUnfinished) {
  TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGTERM, [](int) {
      remove_unfinished_outputs();
      ::_exit(7);
    });
    Output finished = Output::open(folder / "finished", false);
    finished.close();
    Output a = Output::open(folder / "a", false);
    Output b = Output::open(folder / "b", false);
    a.write("half");
    a.flush();
    ::raise(SIGTERM);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.part"));
  EXPECT_FALSE(std::filesystem::exists(folder / "b.part"));
  EXPECT_TRUE(std::filesystem::exists(folder / "finished"));
}

TEST(OutputLog, LinesAreThereAtOnceAndStay) {
  const TempFolder folder;
  {
    Output log = Output::log(folder / "bad.txt", false);
    log.write("one\n");
    log.flush();
    EXPECT_EQ(file_content(folder / "bad.txt"), "one\n");
    log.write("two\n");
  }
  EXPECT_EQ(file_content(folder / "bad.txt"), "one\ntwo\n") << "also when it is not closed";
  EXPECT_EQ(error_of([&] { Output::log(folder / "bad.txt", false); }, folder.path()),
            "bad.txt: exists already");
  Output::log(folder / "bad.txt", true).close();
  EXPECT_EQ(file_content(folder / "bad.txt"), "");
}

}  // namespace
}  // namespace vq
