// Records of one archive are mostly written by one program: the same members in the same order. So what the walk finds
// out about a record's names is remembered, and the next record is compared with it. Where it is the same, its fields are
// taken without its tokens.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "walk.hpp"

namespace replay {

/// What a value is, by its first byte; whatever begins in another way is left to the walk.
enum ByteClass : uint8_t { no_class = 0, text_class = 1, word_class = 2, container_class = 4 };

struct ByteClassTable {
  uint8_t of[256] = {};
  ByteClassTable() {
    for (const char *c = "0123456789+-.Eaeflnrstu"; *c; c++) of[uint8_t(*c)] = word_class;
    of[uint8_t('"')] = text_class;
    of[uint8_t('{')] = of[uint8_t('[')] = container_class;
  }
};
inline const ByteClassTable byte_classes;

/// Bytes between two values that are looked at or passed over, or before the first or behind the last one: names,
/// brackets, commas, colons and white space. They begin at a token, so that where they stand again outside strings, in a
/// record without backslashes, they are the same tokens.
struct Step {
  static constexpr size_t most_bytes = 64;

  uint64_t words[most_bytes / 8] = {};
  uint64_t last_mask;  // of the bytes in the last word
  uint32_t last;       // the last word
  uint32_t length;
  uint8_t classes;       // of the value behind the bytes: any of these; none: the record ends with the bytes
  const Member *member;  // whose field is the value; null: it is passed over

  Step(const uint8_t *bytes, size_t length, uint8_t classes, const Member *member)
      : last_mask(~0ull >> (63 - (8 * length - 1) % 64)), last(uint32_t(length - 1) / 8), length(uint32_t(length)),
        classes(classes), member(member) {
    memcpy(words, bytes, length);
  }

  /// Reads up to seven bytes more than are compared: padding behind the block.
  bool is_at(const uint8_t *bytes) const {
    uint64_t word, difference = 0;
    for (uint32_t place = 0; place < last; place++) {
      memcpy(&word, bytes + 8 * place, 8);
      difference |= word ^ words[place];
    }
    memcpy(&word, bytes + 8 * last, 8);
    return (difference | ((word ^ words[last]) & last_mask)) == 0;
  }
};

/// The steps through a record, to the last field that is asked for or to its end.
struct Shape {
  std::vector<Step> steps;

  bool learn(Walk &walk, const uint32_t *first);
  bool follow(Walk &walk, size_t place, Walk::Result &result) const;
};

/// Learns the shape of the record whose first token is `first` and which has no backslash. Which of its members the walk
/// enters or takes depends on the names before them and on what is a container, and on no other value but by conditions,
/// which are looked at when the steps are followed. False where something in it is odd: then it has no shape.
inline bool Shape::learn(Walk &walk, const uint32_t *first) {
  const replay_extractor &x = walk.x;
  const uint8_t *buf = walk.buf;
  auto byte = [&](const uint32_t *token) -> uint8_t {
    return token < walk.end && *token < walk.length ? buf[*token] : 0;
  };
  auto add = [&](size_t from, size_t stop, uint8_t classes, const Member *member) {
    if (stop - from > Step::most_bytes) return false;
    steps.emplace_back(buf + from, stop - from, classes, member);
    return true;
  };
  std::vector<int> open{0};  // the nodes of the objects we are in
  std::vector<bool> found(x.field_count), met(x.nodes.size());
  size_t left = x.field_count;
  const uint32_t *from = first, *s = first + 1;
  bool is_first = true;
  for (;;) {
    if (byte(s) == '}') {
      open.pop_back();
      if (open.empty()) return add(*from, *s + 1, no_class, nullptr);
      s++;
      is_first = false;
      continue;
    }
    if (!is_first && byte(s++) != ',') return false;
    if (byte(s) != '"' || byte(s + 1) != ':') return false;
    const Member *member = walk.find(x.nodes[size_t(open.back())], s[0], s[1]);
    s += 2;
    uint8_t kind = byte_classes.of[byte(s)];
    bool is_taken = member && member->field >= 0 && !found[size_t(member->field)];
    if (member && member->node >= 0) {
      bool is_met = met[size_t(member->node)];
      met[size_t(member->node)] = true;
      if (kind == container_class) {
        if (byte(s) != '{' || is_met || is_taken) return false;
        open.push_back(member->node);  // entered: its bracket is among the bytes
        s++;
        is_first = true;
        continue;
      }
    }
    if (kind == no_class) return false;
    if (!add(*from, *s, kind == container_class ? kind : text_class | word_class, is_taken ? member : nullptr))
      return false;
    size_t depth = 0;
    do {
      uint8_t c = byte(s++);
      if (c == 0) return false;
      depth = depth + is_open(c) - is_close(c);
    } while (depth > 0);
    from = s;
    is_first = false;
    if (!is_taken) continue;
    found[size_t(member->field)] = true;
    if (--left == 0) return true;
  }
}

/// Where the string ends that begins just before `place`; there is one, and no backslash in it. Reads up to
/// 31 bytes behind it.
inline size_t closing_quote(const uint8_t *bytes, size_t place) {
  typedef uint8_t Bytes __attribute__((ext_vector_type(32)));
  typedef bool Mask __attribute__((ext_vector_type(32)));
  for (;; place += 32) {
    Bytes v;
    memcpy(&v, bytes + place, sizeof v);
    uint32_t quotes = __builtin_bit_cast(uint32_t, __builtin_convertvector(v == uint8_t('"'), Mask));
    if (quotes) return place + size_t(__builtin_ctz(quotes));
  }
}

/// Takes the record at `place`, which is begun, by these steps. False where it does not have this shape: then it has to
/// be begun again. Otherwise the result is what the walk's would be. The scan has proved that strings and brackets close.
inline bool Shape::follow(Walk &walk, size_t place, Walk::Result &result) const {
  const uint8_t *buf = walk.buf;
  result = Walk::next;
  for (const Step &step : steps) {
    if (place + step.length > walk.length || !step.is_at(buf + place)) return false;
    if (step.classes == no_class) return true;
    size_t start = place + step.length;
    uint8_t kind = byte_classes.of[buf[start]] & step.classes;
    place = start + 1;
    if (kind == text_class) {
      place = closing_quote(buf, place) + 1;
    } else if (kind == word_class) {
      while (byte_classes.of[buf[place]] == word_class) place++;
      if (buf[place] != ',' && buf[place] != '}') return false;
    } else if (kind == container_class) {
      place = walk.container_end(start);
    } else {
      return false;
    }
    if (!step.member) continue;
    result = kind == container_class ? walk.raw(*step.member, start, place, 0)
                                     : walk.scalar(*step.member, start, place, 0);
    if (result != Walk::next) return true;
  }
  return true;
}

/// The shapes of a block's last records.
struct Shapes {
  static constexpr size_t most = 4;
  static constexpr int most_credit = 64, to_learn = 8;

  Shape shapes[most];
  size_t count = 0, last = 0, next = 0;
  /// What a wrong guess and learning cost is paid from what right guesses save: a block without shapes is walked soon.
  int credit = most_credit;

  bool predict(Walk &walk, size_t start, uint32_t functions, Walk::Result &result);
  void learn(Walk &walk, const uint32_t *first);
};

/// Does the same as `walk.record(functions)` would. False where the record has no known shape: nothing holds then.
inline bool Shapes::predict(Walk &walk, size_t start, uint32_t functions, Walk::Result &result) {
  if (credit <= 0) return false;
  const uint32_t *mark = walk.mark;
  for (size_t tried = 0, shape = last; tried < count; tried++, shape = shape + 1 < count ? shape + 1 : 0) {
    walk.begin(functions);
    if (!walk.alive) return result = Walk::done, true;
    if (shapes[shape].follow(walk, start, result)) {
      last = shape;
      credit = std::min(credit + 1, most_credit);
      walk.close();
      return true;
    }
    walk.mark = mark;
  }
  credit -= count > 0;
  return false;
}

/// Learns the shape of a record that was walked.
inline void Shapes::learn(Walk &walk, const uint32_t *first) {
  if (credit < most_credit / 2 || walk.x.field_count == 0 || walk.buf[*first] != '{') return;
  credit -= to_learn;
  Shape shape;
  if (!shape.learn(walk, first)) return;
  if (count < most) count++;
  shapes[next] = std::move(shape);
  last = next;
  next = (next + 1) % most;
}

}  // namespace replay
