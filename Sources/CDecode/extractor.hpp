// The extractor's state; the walk over a block is in extract.cpp.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <simdjson.h>

#include "CDecode.h"
#include "scan.hpp"

struct replay_extractor;

namespace replay {

enum Kind : uint32_t { missing = 0, null_ = 1, string = 2, number = 3, boolean = 4, object = 5, array = 6 };

inline uint32_t tail(size_t length, uint32_t kind) { return uint32_t(length) | kind << 28; }

/// One member name that matters at some place of the record.
struct Member {
  std::string name;
  uint64_t first_word = 0;  // its first eight bytes, zero behind the end
  int field = -1;           // the field that its value is
  int node = -1;            // the node that its members are looked up in
  bool is_position = false;
};

/// The member names that matter inside one object.
struct Node {
  std::vector<Member> members;
  uint64_t lengths = 0;  // bit n: some name has n bytes (63: or more)
};

struct Condition {
  uint32_t function;
  std::vector<std::string> values;
};

/// What a record must hold, as archived, for a function to want it. A record without any of its texts is not looked into,
/// unless it has a backslash: then a text may be written in another way.
struct Sieve {
  /// Another condition of a function, looked at where a text of its first one was found.
  struct Further {
    uint32_t function;
    std::vector<Literal> any;
  };

  bool is_ready = false;
  uint32_t always = 0;  // functions that may want any record
  std::vector<Further> further;

  /// Chooses texts for the functions' conditions; `bytes` shows which of their bytes are rare.
  void prepare(replay_extractor &x, const uint8_t *bytes, size_t length);
  /// Of `functions`, those whose further conditions the record in these bytes may meet.
  uint32_t narrow(const Scan &scan, uint32_t functions, const uint8_t *bytes, size_t start, size_t stop) const;
  /// Functions that may want the record in these bytes.
  uint32_t functions(const Scan &scan, const uint8_t *bytes, size_t start, size_t stop, uint32_t all) const;
};

/// Numbers of the segment's records, to tell duplicates from inversions.
struct Numbers {
  replay_numbers state{};
  std::map<uint64_t, uint64_t> holes;  // by their first number, the one behind their last

  /// True where the record is to be kept.
  bool take(uint64_t number, uint64_t ordinal, bool drop_duplicates);
};

}  // namespace replay

/// The arrays that a block's records are written to.
struct replay_output {
  std::vector<replay_slice> fields, records;
  std::vector<uint64_t> marks;
  std::vector<uint32_t> masks, ordinals;

  void grow(size_t count, size_t field_count);
};

struct replay_extractor {
  explicit replay_extractor(uint32_t function_count)
      : all_functions(function_count == 32 ? ~0u : (1u << function_count) - 1), below(function_count),
        duplicates(function_count) {
    nodes.emplace_back();
  }

  std::vector<replay::Node> nodes;
  uint64_t record = 0;                                     // counts records, for `met`
  std::vector<uint64_t> met;                               // by node: the last record that had its member
  std::vector<std::vector<replay::Condition>> conditions;  // by field
  std::vector<uint32_t> conditioned;                       // by field: functions with a condition on it
  uint32_t all_functions;
  uint32_t any_condition = 0;
  size_t field_count = 0;
  bool has_position = false;
  bool drop_duplicates = false;
  replay::Numbers numbers;
  std::vector<uint64_t> below, duplicates;  // by function
  replay::Scan scan;
  replay::Sieve sieve;
  bool is_careful = false;            // never the fast way: for tests
  bool walks_many = false;            // of the last block's records, by their tokens
  std::vector<uint32_t> line_index;   // tokens of one line

  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
  simdjson::dom::parser validator;
  simdjson::ondemand::parser names;

  replay::Member &add_path(const replay_text *members, size_t count);
  /// Structural index of bytes[0..<length); a fault, or REPLAY_OK with `parser` filled.
  replay_fault index(const uint8_t *bytes, size_t length);
};
