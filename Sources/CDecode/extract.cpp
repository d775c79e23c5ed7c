#include <cstring>

#include "lines.hpp"

using namespace replay;

namespace {

/// Newlines in the bytes, 32 at a time in byte-wide counters that are emptied before they can overflow.
size_t count_newlines(const uint8_t *bytes, size_t length) {
  typedef uint8_t vector __attribute__((vector_size(32)));
  size_t lines = 0, at = 0;
  while (at + 32 <= length) {
    vector counts = {};
    for (int round = 0; round < 255 && at + 32 <= length; round++, at += 32) {
      vector v;
      memcpy(&v, bytes + at, 32);
      counts -= (vector)(v == '\n');
    }
    for (int lane = 0; lane < 32; lane++) lines += counts[lane];
  }
  for (; at < length; at++) lines += bytes[at] == '\n';
  return lines;
}

/// Lines that hold anything but white space.
size_t count_filled_lines(const uint8_t *bytes, size_t length) {
  size_t lines = 0;
  bool filled = false;
  for (size_t at = 0; at < length; at++) {
    if (bytes[at] == '\n') {
      lines += filled;
      filled = false;
    } else if (!is_space(bytes[at])) {
      filled = true;
    }
  }
  return lines + filled;
}

/// Nothing of the block is looked at yet.
void begin(replay_extractor &x, replay_block &b) {
  b.count = b.scanned = 0;
  b.reached_until = false;
  b.fault = REPLAY_OK;
  std::fill(x.below.begin(), x.below.end(), 0);
  std::fill(x.duplicates.begin(), x.duplicates.end(), 0);
  b.output->grow(1, x.field_count);
}

/// The fast way; false where something in the block is not as it should be, whatever it is.
bool pass_lines(replay_extractor &x, replay_block &b) {
  begin(x, b);
  if (b.length == 0) return true;
  bool has_tokens = x.walks_many;
  x.scan.resize(b.length);
  if (x.line_index.size() < b.length + 80) x.line_index.resize(b.length + 80);
  for (Literal &literal : x.scan.literals) {
    literal.places.clear();
    literal.next = 0;
  }
  if (!x.scan.kernel->block(x.scan, b.bytes, b.length, has_tokens)) return false;
  Lines lines(x, b, has_tokens);
  bool good = lines.run();
  x.walks_many = lines.walked * 5 > b.scanned;
  b.scratch_end = size_t(lines.walk.scratch - b.bytes);
  return good;
}

/// One pass over `length` bytes whose structural index is made.
bool pass(replay_extractor &x, replay_block &b, size_t length, bool check_newlines) {
  begin(x, b);
  const uint32_t *index = x.parser->structural_indexes.get();
  uint8_t *scratch = b.bytes + b.scratch;
  Walk walk{x, b, b.bytes, index, index + x.parser->n_structural_indexes, length, scratch, b.bytes + b.capacity};
  walk.has_backslash = memchr(b.bytes, '\\', length) != nullptr;
  bool good = walk.run(check_newlines);
  b.scratch_end = size_t(walk.scratch - b.bytes);
  return good;
}

/// Where the first record ends that has no structural index; its kind of fault.
size_t find_fault(replay_extractor &x, replay_block &b, replay_fault &kind) {
  size_t start = 0;
  replay_splitter splitter{};
  while (start < b.length) {
    size_t stop;
    if (b.framing == REPLAY_LINES) {
      const void *newline = memchr(b.bytes + start, '\n', b.length - start);
      stop = newline ? size_t(static_cast<const uint8_t *>(newline) - b.bytes) + 1 : b.length;
    } else {
      replay_split(&splitter, b.bytes, b.length, true);
      stop = splitter.end > start ? splitter.end : b.length;
    }
    std::vector<uint8_t> copy(b.bytes + start, b.bytes + stop);
    copy.resize(copy.size() + REPLAY_PADDING);
    kind = x.index(copy.data(), stop - start);
    if (kind != REPLAY_OK) return start;
    start = stop;
  }
  return start;
}

}  // namespace

/// The way for every framing that finds the first fault and says what it is.
static bool extract_carefully(replay_extractor &x, replay_block &b) {
  size_t length = b.length;
  replay_fault kind = x.index(b.bytes, length);
  if (kind != REPLAY_OK) {
    length = find_fault(x, b, kind);
    replay_fault prefix = x.index(b.bytes, length);
    if (prefix != REPLAY_OK) return b.fault = prefix, b.fault_ordinal = b.first_ordinal, b.fault_offset = 0, false;
  }
  bool good = pass(x, b, length, false);
  if (b.framing == REPLAY_LINES) {
    // A record over several lines, or two on one, is the first fault of its block even where another was found first.
    // The second pass fails, so that the numbers it takes again do not matter.
    size_t looked_at = b.reached_until ? b.stopped_at : length;
    size_t lines = good ? count_newlines(b.bytes, looked_at) + (looked_at > 0 && b.bytes[looked_at - 1] != '\n') : 0;
    if (!good || (lines != b.scanned && count_filled_lines(b.bytes, looked_at) != b.scanned))
      good = pass(x, b, length, true);
  }
  if (good && kind != REPLAY_OK && !b.reached_until && b.first_ordinal + b.scanned >= b.until_ordinal) {
    // The bound stands exactly before the record that has no structural index: nobody asked for that one.
    b.reached_until = true;
    b.stopped_at = length;
    while (b.stopped_at < b.length && is_space(b.bytes[b.stopped_at])) b.stopped_at++;
  }
  if (good && kind != REPLAY_OK && !b.reached_until) {
    b.fault = kind;
    b.fault_ordinal = b.first_ordinal + b.scanned;
    b.fault_offset = length;
    good = false;
  }
  return good;
}

extern "C" bool replay_extract(replay_extractor *extractor, replay_block *block) {
  replay_extractor &x = *extractor;
  replay_block &b = *block;
  x.met.resize(x.nodes.size());
  if (b.framing == REPLAY_LINES && !x.sieve.is_ready && b.length > 0) x.sieve.prepare(x, b.bytes, b.length);
  bool is_fast = b.framing == REPLAY_LINES && !x.has_position && !x.is_careful;
  bool good = (is_fast && pass_lines(x, b)) || extract_carefully(x, b);
  if (!x.has_position)
    for (size_t function = 0; function < x.below.size(); function++) {
      uint64_t from = b.from[function];
      x.below[function] = from <= b.first_ordinal ? 0 : std::min<uint64_t>(from - b.first_ordinal, b.scanned);
    }
  b.fields = b.output->fields.data();
  b.records = b.output->records.data();
  b.marks = b.output->marks.data();
  b.masks = b.output->masks.data();
  b.ordinals = b.output->ordinals.data();
  return good;
}
