// The directory of a zip archive in memory: which records there are, and where their bytes lie.
//
// Layout (PKWARE's APPNOTE): local headers with their data, the central directory, its end; the
// zip64 extensions carry what does not fit 32 bits. Only the central directory is believed, and a
// record's local header says where its data begin and must give the same name.
// Laws: every record lies between its local header and the central directory; no name is there
// twice; no byte outside the archive is read. Nothing is unpacked here: a record is stored (its
// bytes are the file's own) or compressed. Encrypted and multi-part archives are refused.
// Limit: 2^20 records, ten times what a checkpoint of the largest networks holds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vq {

struct ZipRecord {
  std::string_view name;  // in the archive's memory
  std::span<const uint8_t> bytes;
  bool stored = false;  // false: the bytes are compressed
  uint32_t crc = 0;     // of the unpacked bytes
};

class ZipDirectory {
 public:
  // The bytes must outlive the directory. WHERE names the archive in messages (vq::Error).
  ZipDirectory(std::span<const uint8_t> archive, const std::string& where);

  const std::vector<ZipRecord>& records() const { return records_; }  // as the directory lists them
  const ZipRecord* find(std::string_view name) const;                 // null when there is none

 private:
  std::vector<ZipRecord> records_;
  std::unordered_map<std::string_view, size_t> by_name_;
};

}  // namespace vq
