// The fast way through a block of lines: what must hold of every line the scan has proved, and only lines that a function
// may want are walked.
#pragma once
#include "shape.hpp"

namespace replay {

/// Goes through the lines of a scanned block.
struct Lines {
  replay_extractor &x;
  replay_block &b;
  Walk walk;
  Shapes shapes;
  bool has_tokens;
  size_t walked = 0;

  const uint32_t *mark;  // the next one
  const uint32_t *marks_end;
  size_t backslash = 0;  // the first of `scan.backslashes` that is not behind us

  Lines(replay_extractor &x, replay_block &b, bool has_tokens)
      : x(x), b(b), walk{x, b, b.bytes, nullptr, nullptr, 0, b.bytes + b.scratch, b.bytes + b.capacity},
        has_tokens(has_tokens), mark(x.scan.marks.data()), marks_end(x.scan.marks_end) {
    walk.by_lines = true;
    *x.scan.marks_end = uint32_t(b.length);  // so that every search ends
  }

  bool has_backslash(size_t start, size_t stop);
  uint32_t may_want(size_t start, size_t stop);
  bool is_blank(size_t start, size_t stop);
  size_t object_end();
  bool line_end(size_t start, size_t &stop);
  Walk::Result by_tokens(size_t start, size_t stop, uint32_t functions);
  bool look_into(size_t start, size_t stop, uint32_t functions);
  bool line(size_t &start);
  bool run();
};

inline bool Lines::is_blank(size_t start, size_t stop) {
  while (start < stop && is_space(b.bytes[start])) start++;
  return start == stop;
}

/// True where the record has an escape: its texts may be written in another way. Asked of later and later records.
inline bool Lines::has_backslash(size_t start, size_t stop) {
  const std::vector<uint32_t> &places = x.scan.backslashes;
  while (backslash < places.size() && places[backslash] < start) backslash++;
  return backslash < places.size() && places[backslash] < stop;
}

/// The functions that may want the line, by the texts in it.
inline uint32_t Lines::may_want(size_t start, size_t stop) {
  uint32_t found = x.sieve.always;
  if (found == x.all_functions || has_backslash(start, stop)) return x.all_functions;
  for (Literal &literal : x.scan.literals) {
    const std::vector<uint32_t> &places = literal.places;
    while (literal.next < places.size() && places[literal.next] < start) literal.next++;
    if (literal.next < places.size() && places[literal.next] < stop) found |= literal.functions;
  }
  return found == 0 || x.sieve.further.empty() ? found : x.sieve.narrow(x.scan, found, b.bytes, start, stop);
}

/// Moves behind the bracket that closes the object which begins at the next mark, and answers just behind it; 0 where
/// brackets are not closed each by its own kind on this line, or nest too deep for this.
inline size_t Lines::object_end() {
  uint64_t kinds = 0;  // the innermost level in the lowest bit: square or not
  size_t depth = 0;
  const uint8_t *buf = b.bytes;
  if (buf[*mark] != '{') return 0;
  do {
    if (mark == marks_end) return 0;
    uint8_t c = buf[*mark++];
    if (is_open(c)) {
      if (++depth > 64) return 0;
      kinds = kinds << 1 | is_square(c);
    } else if (is_close(c)) {
      if ((kinds & 1) != is_square(c)) return 0;
      kinds >>= 1;
      depth--;
    } else if (!is_space(c) || c == '\n') {
      return 0;
    }
  } while (depth > 0);
  return mark[-1] + 1;
}

/// Moves behind the end of the line and answers where it is; false where anything but white space is before it.
inline bool Lines::line_end(size_t start, size_t &stop) {
  while (mark < marks_end && b.bytes[*mark] != '\n')
    if (!is_space(b.bytes[*mark++])) return false;
  stop = *mark;
  mark += mark < marks_end;
  return start == stop || is_blank(start, stop);
}

/// One line from `start` on; moves `start` to the next one. False where the slow way has to say what is wrong.
inline bool Lines::line(size_t &start) {
  size_t first = start;
  while (first < b.length && is_space(b.bytes[first]) && b.bytes[first] != '\n') first++;
  if (first == b.length || b.bytes[first] == '\n') {
    bool good = line_end(first, start);
    start++;
    return good;
  }
  walk.ordinal = b.first_ordinal + b.scanned;
  if (walk.ordinal >= b.until_ordinal) {
    b.reached_until = true;
    b.stopped_at = first;
    return true;
  }
  while (*mark < first) mark++;  // white space
  walk.mark = mark;
  bool is_tombstone = b.bytes[first] == 'n' && first + 4 <= b.length && memcmp(b.bytes + first, "null", 4) == 0;
  size_t stop = is_tombstone ? first + 4 : *mark == first ? object_end() : 0;
  size_t line_stop;
  if (stop == 0 || stop - first > b.max_record_bytes || !line_end(stop, line_stop)) return false;
  uint32_t functions = may_want(first, stop);
  if (is_tombstone) functions &= ~x.any_condition;
  b.next_mark = walk.ordinal + 1;
  if (functions && !look_into(first, stop, functions)) return false;
  b.scanned++;
  start = line_stop + 1;
  return true;
}

/// Finds where the record's tokens begin, and walks it.
inline Walk::Result Lines::by_tokens(size_t start, size_t stop, uint32_t functions) {
  walked++;
  if (has_tokens) {
    walk.s = x.scan.token(start);
    walk.end = x.scan.tokens_end;  // the line's brackets close, so that the walk does not leave it
  } else {
    walk.s = x.line_index.data();
    uint32_t *end = x.scan.kernel->line(b.bytes, start, stop, x.line_index.data());
    std::fill_n(end, 3, uint32_t(stop));
    walk.end = end;
  }
  const uint32_t *first = walk.s;
  Walk::Result result = walk.record(functions);
  if (result != Walk::fault && !walk.has_backslash) shapes.learn(walk, first);
  return result;
}

/// Takes the fields of the record and keeps it where a function wants it; false where one that is asked for is not JSON.
inline bool Lines::look_into(size_t start, size_t stop, uint32_t functions) {
  b.output->grow(b.count + 1, x.field_count);
  walk.out = b.output->fields.data() + b.count * x.field_count;
  walk.length = stop;
  walk.has_backslash = has_backslash(start, stop);
  Walk::Result result;
  if (walk.has_backslash || !shapes.predict(walk, start, functions, result))
    result = by_tokens(start, stop, functions);
  if (result == Walk::fault) return false;
  walk.keep(start, stop);
  return true;
}

/// False where something is not as it should be; then nothing of this holds.
inline bool Lines::run() {
  for (size_t start = 0; start < b.length && !b.reached_until;)
    if (!line(start)) return false;
  return true;
}

}  // namespace replay
