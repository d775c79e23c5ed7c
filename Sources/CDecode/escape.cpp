#include "escape.hpp"

namespace replay {

namespace {

inline int hex4(const uint8_t *digits) {
  int value = 0;
  for (int place = 0; place < 4; place++) {
    uint8_t c = digits[place], lower = c | 32;
    int digit = c >= '0' && c <= '9' ? c - '0' : (lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

bool unescape_into(const uint8_t *from, const uint8_t *stop, uint8_t *&to) {
  while (from < stop) {
    if (*from != '\\') {
      *to++ = *from++;
      continue;
    }
    if (stop - from < 2) return false;
    uint8_t c = from[1];
    from += 2;
    switch (c) {
      case '"': case '\\': case '/': *to++ = c; continue;
      case 'b': *to++ = '\b'; continue;
      case 'f': *to++ = '\f'; continue;
      case 'n': *to++ = '\n'; continue;
      case 'r': *to++ = '\r'; continue;
      case 't': *to++ = '\t'; continue;
      case 'u': break;
      default: return false;
    }
    if (stop - from < 4) return false;
    int32_t point = hex4(from);
    from += 4;
    if (point < 0 || (point >= 0xdc00 && point < 0xe000)) return false;
    if (point >= 0xd800 && point < 0xdc00) {
      if (stop - from < 6 || from[0] != '\\' || from[1] != 'u') return false;
      int32_t low = hex4(from + 2);
      if (low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      from += 6;
    }
    if (point < 0x80) {
      *to++ = uint8_t(point);
    } else if (point < 0x800) {
      *to++ = uint8_t(0xc0 | point >> 6);
      *to++ = uint8_t(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      *to++ = uint8_t(0xe0 | point >> 12);
      *to++ = uint8_t(0x80 | (point >> 6 & 0x3f));
      *to++ = uint8_t(0x80 | (point & 0x3f));
    } else {
      *to++ = uint8_t(0xf0 | point >> 18);
      *to++ = uint8_t(0x80 | (point >> 12 & 0x3f));
      *to++ = uint8_t(0x80 | (point >> 6 & 0x3f));
      *to++ = uint8_t(0x80 | (point & 0x3f));
    }
  }
  return true;
}

}  // namespace replay

extern "C" size_t replay_unescape(const uint8_t *text, size_t count, uint8_t *out) {
  uint8_t *to = out;
  return replay::unescape_into(text, text + count, to) ? size_t(to - out) : SIZE_MAX;
}
