// The walk over one block's structural index: records, their fields, what no function wants given up early. All inline,
// so that it is one loop to the compiler.
#pragma once
#include <cstring>

#include "escape.hpp"
#include "extractor.hpp"
#include "tokens.hpp"

namespace replay {

/// A walk over the structural index of a block, or of one line after the other. `s` is the place in the index; positions
/// before `end` are real, and the index has three more entries behind its last one that point at `length`.
struct Walk {
  replay_extractor &x;
  replay_block &b;
  uint8_t *buf;
  const uint32_t *s;
  const uint32_t *end;
  size_t length;  // of what is indexed
  uint8_t *scratch;
  uint8_t *scratch_end;
  bool has_backslash = false;

  // Line by line: brackets were looked at already.
  bool by_lines = false;
  const uint32_t *mark = nullptr;  // the line's marks, from some bracket before the next one that matters

  // The record being walked.
  replay_slice *out = nullptr;
  uint32_t alive = 0;
  size_t left = 0;  // fields not found yet, and the position
  bool needs_position = false;
  uint64_t position = 0;
  uint32_t settled = 0;  // functions that have settled the record before

  uint64_t ordinal = 0;

  /// `next`: moved behind the value. `done`: the record needs no more; moved behind its last bracket.
  enum Result { next, done, fault };

  Result fail(replay_fault fault_kind, size_t offset) {
    b.fault = fault_kind;
    b.fault_offset = offset;
    return fault;
  }

  /// Moves behind the bracket that closes the last of `depth` open ones, all of one kind. False where one is closed by the
  /// other kind, which is known of the innermost 64 levels, or nothing closes it.
  bool skip(size_t depth, bool square) {
    const uint32_t *at = s;
    uint64_t kinds = square ? ~0ull : 0;  // the innermost level in the lowest bit
    size_t unknown = depth > 64 ? depth - 64 : 0;
    while (at < end) {
      // Eight at a time while none of them is a bracket, which is most of the time.
      while (at + 8 <= end &&
             !(is_bracket(buf[at[0]]) | is_bracket(buf[at[1]]) | is_bracket(buf[at[2]]) | is_bracket(buf[at[3]]) |
               is_bracket(buf[at[4]]) | is_bracket(buf[at[5]]) | is_bracket(buf[at[6]]) | is_bracket(buf[at[7]])))
        at += 8;
      for (int step = 0; step < 8 && at < end; step++) {
        uint8_t kind = brackets.kind[buf[*at++]];
        if (kind == no_bracket) continue;
        if (kind < close_brace) {
          kinds = kinds << 1 | (kind & 1);
          if (++depth > 64 + unknown) unknown = depth - 64;
          continue;
        }
        if (depth > unknown && (kinds & 1) != (kind & 1)) {
          s = at;
          return false;
        }
        kinds >>= 1;
        if (--depth == 0) {
          s = at;
          return true;
        }
      }
    }
    s = at;
    return false;
  }

  /// Just behind the value that starts at structural `s` and is no container: the next structural is what follows.
  size_t scalar_end() {
    size_t stop = s + 1 < end ? s[1] : length;
    while (is_space(buf[stop - 1])) stop--;
    return stop;
  }

  /// Notes that the record has a member with this name. True the first time: the first member of a name wins, whatever
  /// its value is.
  bool is_first(const Member &member) {
    uint64_t &met = x.met[size_t(member.node)];
    bool first = met != x.record;
    met = x.record;
    return first;
  }

  size_t container_end(size_t start);
  bool skip_in_line();
  uint32_t may_want(size_t start);
  bool unescape(size_t start, size_t length, replay_slice *slice);
  bool matches(const Member &member, const uint8_t *key, size_t length);
  const Member *find(const Node &node, size_t key, size_t colon);
  Result finish(int depth);
  Result object(int node, int depth);
  Result container(const Member *member, int depth);
  Result value(const Member *member, int depth);
  Result scalar(const Member &member, size_t start, size_t stop, int depth);
  Result raw(const Member &member, size_t start, size_t stop, int depth);
  bool decide(size_t field);
  bool read_position(size_t start, size_t stop, bool quoted);
  void begin(uint32_t functions);
  void close();
  Result record(uint32_t functions);
  bool separated(size_t stop);
  bool keep(size_t start, size_t stop);
  bool run(bool check_newlines);
};

/// In a line whose brackets were looked at: just behind the bracket that closes the one at `start`.
inline size_t Walk::container_end(size_t start) {
  size_t depth = 1;
  while (*mark <= start) mark++;
  for (;; mark++) {
    uint8_t c = buf[*mark];
    depth = depth + is_open(c) - is_close(c);
    if (depth == 0) return *mark + 1;
  }
}

/// There: moves behind the bracket that closes the one just before `s`.
inline bool Walk::skip_in_line() {
  size_t stop = container_end(s[-1]);
  do {
    if (s >= end) return false;
  } while (*s++ + 1 != stop);
  return true;
}

/// The functions that may want the record whose first bracket is at `s`, by the texts in it.
inline uint32_t Walk::may_want(size_t start) {
  if (b.framing != REPLAY_LINES || x.has_position || x.sieve.always == x.all_functions || buf[start] != '{')
    return x.all_functions;
  const uint32_t *before = s++;
  bool is_whole = skip(1, false);
  size_t stop = s[-1] + 1;
  s = before;
  return is_whole ? x.sieve.functions(x.scan, buf, start, stop, x.all_functions) : x.all_functions;
}

inline bool Walk::unescape(size_t start, size_t length, replay_slice *slice) {
  if (size_t(scratch_end - scratch) < length) return false;
  uint8_t *to = scratch;
  if (!unescape_into(buf + start, buf + start + length, to)) return false;
  *slice = {uint32_t(scratch - buf), tail(size_t(to - scratch), string)};
  scratch = to;
  return true;
}

inline bool Walk::matches(const Member &member, const uint8_t *key, size_t length) {
  return member.name.size() == length && memcmp(member.name.data(), key, length) == 0;
}

/// The member that the key at `key` (its quote) names, or null. Reads up to eight bytes behind the key: padding.
inline const Member *Walk::find(const Node &node, size_t key, size_t colon) {
  size_t stop = colon;
  while (is_space(buf[stop - 1])) stop--;
  const uint8_t *name = buf + key + 1;
  size_t length = stop - key - 2;
  if (has_backslash && memchr(name, '\\', length)) {
    std::string plain(length, 0);
    uint8_t *to = reinterpret_cast<uint8_t *>(&plain[0]);
    uint8_t *first = to;
    if (!unescape_into(name, name + length, to)) return nullptr;
    for (const Member &member : node.members)
      if (matches(member, first, size_t(to - first))) return &member;
    return nullptr;
  }
  if (!(node.lengths >> (length < 63 ? length : 63) & 1)) return nullptr;
  uint64_t word;
  memcpy(&word, name, 8);
  if (length < 8) word &= (1ull << length * 8) - 1;
  for (const Member &member : node.members)
    if (member.first_word == word && member.name.size() == length &&
        (length <= 8 || memcmp(member.name.data() + 8, name + 8, length - 8) == 0))
      return &member;
  return nullptr;
}

/// Takes from `alive` the functions whose conditions on this field fail. False when none is left.
inline bool Walk::decide(size_t field) {
  uint32_t asked = x.conditioned[field] & alive;
  if (!asked) return alive != 0;
  const replay_slice slice = out[field];
  for (const Condition &condition : x.conditions[field]) {
    if (!(alive >> condition.function & 1)) continue;
    bool met = false;
    if (slice.tail >> 28 == string) {
      size_t length = slice.tail & 0x0fffffff;
      for (const std::string &value : condition.values)
        if (value.size() == length && memcmp(value.data(), buf + slice.offset, length) == 0) met = true;
    }
    if (!met) alive &= ~(1u << condition.function);
  }
  return alive != 0;
}

inline bool Walk::read_position(size_t start, size_t stop, bool quoted) {
  if (quoted) start++, stop--;
  else if (!is_number(buf + start, buf + stop)) return false;
  if (start >= stop || stop - start > 20) return false;
  uint64_t value = 0;
  for (size_t at = start; at < stop; at++) {
    uint8_t digit = uint8_t(buf[at] - '0');
    if (digit > 9 || __builtin_mul_overflow(value, uint64_t(10), &value) ||
        __builtin_add_overflow(value, uint64_t(digit), &value))
      return false;
  }
  if (value == UINT64_MAX) return false;  // its successor could not be written down
  position = value;
  needs_position = false;
  for (uint32_t function = 0; function < x.below.size(); function++) {
    if (value >= b.from[function]) continue;
    x.below[function]++;
    settled |= 1u << function;
  }
  alive &= ~settled;
  return true;
}

/// Gives up the rest of the record, in which `depth` brackets are open.
inline Walk::Result Walk::finish(int depth) {
  return by_lines || skip(size_t(depth), false) ? done : fail(REPLAY_UNFINISHED, b.length);
}

/// Takes the container from `start` to `stop` as it stands.
inline Walk::Result Walk::raw(const Member &member, size_t start, size_t stop, int depth) {
  out[member.field] = {uint32_t(start), tail(stop - start, buf[start] == '{' ? Kind::object : Kind::array)};
  left--;
  return decide(size_t(member.field)) || needs_position ? next : finish(depth);
}

inline Walk::Result Walk::container(const Member *member, int depth) {
  size_t start = *s;
  bool is_object = buf[start] == '{';
  bool wanted = member && member->field >= 0 && out[member->field].tail == 0;
  s++;
  if (member && member->node >= 0 && is_first(*member) && is_object) {
    Result result = object(member->node, depth + 1);
    if (result != next) return result;
  } else if (by_lines ? !skip_in_line() : !skip(1, !is_object)) {
    return fail(REPLAY_UNFINISHED, start);
  }
  return wanted ? raw(*member, start, s[-1] + 1, depth) : next;
}

/// The value from `start` to `stop`, which is no container. Does not move.
inline Walk::Result Walk::scalar(const Member &member, size_t start, size_t stop, int depth) {
  uint8_t c = buf[start];
  bool quoted = c == '"';
  if (quoted && (stop - start < 2 || buf[stop - 1] != '"')) return fail(REPLAY_NOT_JSON, start);
  if (member.node >= 0) is_first(member);
  if (member.is_position && needs_position) {
    if (!read_position(start, stop, quoted)) return fail(REPLAY_BAD_NUMBER, start);
    left--;
    if (!alive) return finish(depth);
  }
  if (member.field < 0 || out[member.field].tail != 0) return next;
  replay_slice &slice = out[member.field];
  size_t length = stop - start;
  if (quoted) {
    slice = {uint32_t(start + 1), tail(length - 2, string)};
    if (has_backslash && memchr(buf + start + 1, '\\', length - 2)) {
      if (!unescape(start + 1, length - 2, &slice)) return fail(REPLAY_BAD_ESCAPE, start);
      if (memchr(buf + slice.offset, 0, slice.tail & 0x0fffffff)) return fail(REPLAY_NUL, start);
    }
  } else if (c == '-' || uint8_t(c - '0') < 10) {
    if (!is_number(buf + start, buf + stop)) return fail(REPLAY_NOT_JSON, start);
    slice = {uint32_t(start), tail(length, number)};
  } else if (length == 4 && memcmp(buf + start, "null", 4) == 0) {
    slice = {uint32_t(start), tail(4, null_)};
  } else if ((length == 4 && memcmp(buf + start, "true", 4) == 0) ||
             (length == 5 && memcmp(buf + start, "false", 5) == 0)) {
    slice = {uint32_t(start), tail(length, boolean)};
  } else {
    return fail(REPLAY_NOT_JSON, start);
  }
  left--;
  return decide(size_t(member.field)) || needs_position ? next : finish(depth);
}

/// The value at `s`, which belongs to `member` (null: nobody asked), inside `depth` open brackets.
inline Walk::Result Walk::value(const Member *member, int depth) {
  size_t start = *s;
  switch (buf[start]) {
    case '{':
    case '[': return container(member, depth);
    case '}':
    case ']':
    case ',':
    case ':': return fail(REPLAY_NOT_JSON, start);
    default: break;
  }
  size_t stop = member ? scalar_end() : 0;
  s++;
  return member ? scalar(*member, start, stop, depth) : next;
}

/// The members of the object whose `{` is just behind `s` and is the `depth`th open bracket.
inline Walk::Result Walk::object(int node, int depth) {
  if (s < end && buf[*s] == '}') {
    s++;
    return next;
  }
  for (;;) {
    if (s + 2 >= end) return fail(REPLAY_UNFINISHED, b.length);
    if (buf[s[0]] != '"' || buf[s[1]] != ':') return fail(REPLAY_NOT_JSON, buf[s[0]] == '"' ? s[1] : s[0]);
    const Member *member = find(x.nodes[size_t(node)], s[0], s[1]);
    s += 2;
    Result result = value(member, depth);
    if (result != next) return result;
    if (left == 0) return finish(depth);
    if (s >= end) return fail(REPLAY_UNFINISHED, b.length);
    uint8_t c = buf[*s++];
    if (c == '}') return next;
    if (c != ',') return fail(REPLAY_NOT_JSON, s[-1]);
  }
}

/// Nothing of the record is known yet but who may want it.
inline void Walk::begin(uint32_t functions) {
  memset(out, 0, x.field_count * sizeof(replay_slice));
  left = x.field_count + x.has_position;
  needs_position = x.has_position;
  settled = 0;
  x.record++;
  alive = functions;
  if (!x.has_position)
    for (uint32_t function = 0; function < x.below.size(); function++)
      if (ordinal < b.from[function]) alive &= ~(1u << function);
}

/// All of the record was looked at: no function wants it whose condition is on a field that is not there.
inline void Walk::close() {
  if (left > 0 && alive)
    for (size_t field = 0; field < x.field_count; field++)
      if (out[field].tail == 0) alive &= ~x.conditioned[field];
}

/// The record at `s`, to just behind it.
inline Walk::Result Walk::record(uint32_t functions) {
  size_t start = *s;
  begin(functions);
  if (buf[start] != '{') {
    bool tombstone = scalar_end() - start == 4 && memcmp(buf + start, "null", 4) == 0;
    if (!tombstone || needs_position) return fail(REPLAY_NOT_OBJECT, start);
    s++;
    alive &= ~x.any_condition;
    return next;
  }
  s++;
  if ((!alive && !needs_position) || left == 0) return finish(1);
  Result result = object(0, 1);
  if (result == fault) return fault;
  if (needs_position) return fail(REPLAY_BAD_NUMBER, start);
  close();
  return next;
}

/// True where what follows the record that ends at `stop` is as the framing says.
inline bool Walk::separated(size_t stop) {
  if (b.framing != REPLAY_LINES || s >= end || buf[stop] == '\n') return true;
  return memchr(buf + stop, '\n', *s - stop) != nullptr;
}

/// Takes the record into the output where a function wants it.
inline bool Walk::keep(size_t start, size_t stop) {
  uint64_t mark = x.has_position ? position : ordinal;
  b.next_mark = mark + 1;
  if (x.has_position) {
    if (!x.numbers.take(position, ordinal, x.drop_duplicates)) {
      for (uint32_t function = 0; function < x.duplicates.size(); function++)
        x.duplicates[function] += !(settled >> function & 1);
      return false;
    }
    b.next_mark = x.numbers.state.greatest + 1;
  }
  if (!alive) return false;
  b.output->records[b.count] = {uint32_t(start), tail(stop - start, Kind::object)};
  b.output->marks[b.count] = mark;
  b.output->masks[b.count] = alive;
  b.output->ordinals[b.count] = uint32_t(b.scanned);
  b.count++;
  return true;
}

inline bool Walk::run(bool check_newlines) {
  size_t stop = 0;
  while (s < end) {
    ordinal = b.first_ordinal + b.scanned;
    b.fault_ordinal = ordinal;
    if (ordinal >= b.until_ordinal) {
      b.reached_until = true;
      b.stopped_at = *s;
      break;
    }
    if (b.framing == REPLAY_ARRAY && buf[*s] == ',' && ordinal > 0) {
      s++;
      if (s >= end) return fail(REPLAY_NOT_JSON, b.length), false;
    } else if (b.framing == REPLAY_ARRAY && ordinal > 0) {
      return fail(REPLAY_NO_SEPARATOR, *s), false;
    }
    b.output->grow(b.count + 1, x.field_count);
    out = b.output->fields.data() + b.count * x.field_count;
    size_t start = *s;
    if (record(may_want(start)) == fault) return false;
    stop = s[-1] + 1;
    if (buf[start] != '{') stop = start + 4;
    if (stop - start > b.max_record_bytes) return fail(REPLAY_TOO_LONG, start), false;
    if (!separated(stop)) return fail(REPLAY_TWO_VALUES_ON_LINE, stop), false;
    if (check_newlines && memchr(buf + start, '\n', stop - start)) return fail(REPLAY_VALUE_OVER_LINES, start), false;
    keep(start, stop);
    b.scanned++;
  }
  return true;
}

}  // namespace replay
