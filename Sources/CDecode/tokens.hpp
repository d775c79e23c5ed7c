// What single bytes and tokens of JSON are.
#pragma once
#include <cstddef>
#include <cstdint>

namespace replay {

/// What each byte is among the brackets: its lowest bit tells square ones.
enum Bracket : uint8_t { no_bracket = 0, open_brace = 2, open_square = 3, close_brace = 4, close_square = 5 };

struct BracketTable {
  uint8_t kind[256] = {};
  BracketTable() {
    kind[uint8_t('{')] = open_brace;
    kind[uint8_t('[')] = open_square;
    kind[uint8_t('}')] = close_brace;
    kind[uint8_t(']')] = close_square;
  }
};
inline const BracketTable brackets;

/// True where the bytes are a number by RFC 8259.
inline bool is_number(const uint8_t *at, const uint8_t *end) {
  auto digits = [&] {
    const uint8_t *first = at;
    while (at < end && uint8_t(*at - '0') < 10) at++;
    return at - first;
  };
  if (at < end && *at == '-') at++;
  bool zero = at < end && *at == '0';
  ptrdiff_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (at < end && *at == '.') {
    at++;
    if (digits() == 0) return false;
  }
  if (at < end && (*at | 32) == 'e') {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (digits() == 0) return false;
  }
  return at == end;
}

/// True for the four brackets, and for some bytes that no JSON value begins with.
inline bool is_bracket(uint8_t c) { return (c & 0xd9) == 0x59; }

/// Of the four brackets: true for the two that open, the two that close, and the two square ones.
inline bool is_open(uint8_t c) { return (c & 0xdf) == 0x5b; }
inline bool is_close(uint8_t c) { return (c & 0xdf) == 0x5d; }
inline bool is_square(uint8_t c) { return !(c & 0x20); }

inline bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace replay
