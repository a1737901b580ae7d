// Checked reads and writes over files, pipes and memory; little-endian integers; safe output files.
//
// Laws: a short read or write is never silent; an output file appears under its own name only when
// it is whole (written to NAME.part, synced, renamed); closing reports the last write error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vq {

using Bytes = std::vector<uint8_t>;

inline std::span<const uint8_t> as_bytes(std::string_view s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}
inline std::string_view as_text(std::span<const uint8_t> b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

// Little-endian, whatever the machine; the caller has checked that there are enough bytes.
inline uint16_t load_u16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
inline uint32_t load_u32(const uint8_t* p) {
  return load_u16(p) | static_cast<uint32_t>(load_u16(p + 2)) << 16;
}
inline uint64_t load_u64(const uint8_t* p) {
  return load_u32(p) | static_cast<uint64_t>(load_u32(p + 4)) << 32;
}
void append_u16(Bytes& out, uint16_t v);
void append_u32(Bytes& out, uint32_t v);
void append_u64(Bytes& out, uint64_t v);

// A source of bytes: a file, standard input ("-") or memory, with a small look-ahead.
class Input {
 public:
  // Opens PATH; "-" is standard input. Throws vq::Error (a folder is refused by name).
  static Input open(const std::string& path);
  static Input memory(Bytes bytes, std::string name);

  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  const std::string& name() const;  // "cub.vqt", "standard input"
  uint64_t offset() const;          // bytes consumed so far

  // Up to `max` bytes without consuming them; fewer only at the end. max <= 64 KiB. Waits for them.
  std::span<const uint8_t> peek(size_t max);
  // Reads exactly n bytes or, at the end, fewer; the return value says how many.
  size_t read(uint8_t* to, size_t n);
  // Reads what is there, at least one byte and at most n; waits only for the first. 0 at the end.
  size_t read_some(uint8_t* to, size_t n);
  // Reads exactly n bytes or throws "ends after N bytes".
  void read_exactly(uint8_t* to, size_t n);
  // Consumes n bytes without keeping them (seeks where the source can); returns how many there
  // were.
  uint64_t skip(uint64_t n);
  // One line without its line end; false at the end. Throws for lines longer than max_bytes.
  // `ended`, when given, says whether the line had a line end (the last one may lack it).
  bool read_line(std::string& line, size_t max_bytes = 1 << 20, bool* ended = nullptr);
  // Everything that is left. Throws when it is more than max_bytes.
  Bytes read_all(uint64_t max_bytes = UINT64_MAX);
  // True when a read would not wait: data, or the end, is there now.
  bool ready();
  // The same, after waiting for it so many seconds at most.
  bool ready_within(double seconds);
  bool seekable() const;
  uint64_t size() const;  // of a seekable source; 0 otherwise
  void seek(uint64_t offset);

 private:
  struct State;
  explicit Input(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// A sink of bytes: a file that appears when it is whole, standard output ("-"), or memory.
class Output {
 public:
  // PATH is written as PATH.part and renamed by close(); an existing PATH needs force. "-" is
  // standard output; what is there and is no regular file (/dev/full, a named pipe) is written
  // directly. Throws vq::Error. Not closed (an exception, say): the .part file is removed.
  // sync: the bytes are on the disk before the name is; without it a power cut may leave an empty
  // file, and thousands of small files are written ten times as fast.
  static Output open(const std::string& path, bool force, bool sync = true);
  // A file that an earlier run left unfinished, to be gone on with: PATH.part, made where it is not
  // there, with nothing of it lost until keep() says how much of it counts. It is a part for good:
  // not closed, and after a signal, it stays. Throws where PATH can only be written directly.
  static Output resume(const std::string& path);
  // Written directly, line by line: for lists that are wanted above all when a run fails. An
  // existing file needs force, and begins anew.
  static Output log(const std::string& path, bool force);
  static Output memory(Bytes* to, std::string name = "memory");

  Output(Output&&) noexcept;
  Output& operator=(Output&&) noexcept;
  ~Output();

  const std::string& name() const;
  uint64_t offset() const;  // bytes written so far
  // May somebody be reading while we write (a pipe, a terminal, memory)? False for regular files.
  bool live() const;
  // Of resume(): the file being written, and that its first `bytes` are written already.
  const std::string& part() const;
  void keep(uint64_t bytes);
  void write(std::span<const uint8_t> bytes);
  void write(std::string_view text) { write(as_bytes(text)); }
  void flush();  // everything written so far is with the kernel
  void close();  // flush, fsync, rename; throws vq::Error on the last write error too

 private:
  struct State;
  explicit Output(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// Removes the .part files of outputs that are open now; async-signal-safe, for signal handlers.
void remove_unfinished_outputs() noexcept;

Bytes read_file(const std::string& path, uint64_t max_bytes = UINT64_MAX);
// For one of many files that can be made again (pictures of a folder): not synced.
void write_file(const std::string& path, std::span<const uint8_t> bytes, bool force);

// Lower-case hexadecimal SHA-256.
std::string sha256(std::span<const uint8_t> bytes);

}  // namespace vq
