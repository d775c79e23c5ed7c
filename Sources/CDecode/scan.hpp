// One pass over a block of lines, 64 bytes at a time, that finds where strings, brackets and lines are, proves what must
// hold of every byte, and notes where the texts are that some function waits for.
#pragma once
#include <string>
#include <vector>

#include "CDecode.h"

namespace replay {

/// A string that a record must hold, as archived, for a condition to be met. One that JSON cannot hold without an escape
/// is none: so it lies in one line, and between its two quotes there is no other.
struct Literal {
  std::string quoted;
  /// Places in `quoted`, below 64, and the bytes there: what is looked for in a word.
  size_t probe = 1, last;
  uint8_t probe_byte, last_byte;
  uint32_t functions = 0;        // that a record with this text may be for
  std::vector<uint32_t> places;  // where it begins in the block, ascending; at any quote, as `holds` sees it
  size_t next = 0;               // the first of `places` that is not behind us

  explicit Literal(const std::string &value);
  static bool can_be(const std::string &value);
  /// Takes the rarest byte as the one to look for.
  void choose_probe(const uint32_t counts[256]);
  /// Notes those of 64 places from `base` on where all of it is, in `bytes[0..<length]`.
  void verify(const uint8_t *bytes, size_t length, size_t base, uint64_t hits);
};

/// Runs of words that are not all ASCII. A character does not reach into a word of ASCII, so each run is proven alone.
struct Runs {
  const uint8_t *bytes;
  size_t from = 0;
  bool is_high = false, are_valid = true;

  /// A run begins or ends at `base`.
  void turn(size_t base);
};

struct Scan;
/// Scans `bytes[0..<length]`, behind which REPLAY_PADDING bytes are readable. False where UTF-8, a string or a control
/// character in one is not as JSON demands: then the rest of `scan` is not filled.
typedef bool (*ScanBlock)(Scan &scan, const uint8_t *bytes, size_t length, bool tokens);
/// Writes where the tokens of `bytes[start..<stop]` begin, which hold no half string, to `out` and answers behind
/// the last one; `out` has room for as many as there are bytes and 64 more.
typedef uint32_t *(*IndexLine)(const uint8_t *bytes, size_t start, size_t stop, uint32_t *out);

/// True where the text is in `bytes[start..<stop]`, behind which REPLAY_PADDING bytes are readable.
typedef bool (*HoldsText)(const Literal &, const uint8_t *bytes, size_t start, size_t stop);

struct ScanKernel {
  ScanBlock block;
  IndexLine line;
  HoldsText holds;
};

/// Those that this processor can run, the best one first. Their results are the same.
const std::vector<ScanKernel> &scan_kernels();

/// Where tokens begin in 64 bytes, one bit a byte, the first one lowest; and how many begin before them.
struct TokenWord {
  uint64_t bits;
  uint32_t before;
};

/// What a block's bytes are.
struct Scan {
  /// Outside strings, ascending: brackets, control characters such as line ends, bytes above ASCII, and some letters that
  /// no JSON value begins with.
  std::vector<uint32_t> marks;
  uint32_t *marks_end = nullptr;
  std::vector<uint32_t> backslashes;  // their places, ascending
  std::vector<uint32_t> tokens;       // where tokens begin, as they come; filled where asked for
  std::vector<TokenWord> token_words;
  uint32_t *tokens_end = nullptr;
  std::vector<Literal> literals;
  const ScanKernel *kernel = &scan_kernels().front();

  /// The first token at `place` or behind it.
  const uint32_t *token(size_t place) const {
    TokenWord word = token_words[place / 64];
    return tokens.data() + word.before + __builtin_popcountll(word.bits & ((1ull << place % 64) - 1));
  }
  void resize(size_t length);
  void note_backslashes(size_t base, uint64_t bits);
};

}  // namespace replay
