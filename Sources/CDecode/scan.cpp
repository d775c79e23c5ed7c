#include "scan.hpp"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace replay {

/// Bit n of the result: whether an odd number of the bits up to n is set.
static inline uint64_t shifted_xor(uint64_t bits) {
  for (int distance = 1; distance < 64; distance *= 2) bits ^= bits << distance;
  return bits;
}

/// Writes `base` plus the place of each bit to `out` and answers behind the last one; may write up to 64 entries more.
static inline __attribute__((always_inline)) uint32_t *each_place(uint64_t bits, uint32_t base, uint32_t *out) {
  uint32_t *end = out + __builtin_popcountll(bits);
  while (out < end)
    for (int step = 0; step < 4; step++) {
      *out++ = base + uint32_t(__builtin_ctzll(bits | 1ull << 63));
      bits &= bits - 1;
    }
  return end;
}

namespace any_processor {
static inline uint32_t *places(uint64_t bits, uint32_t base, uint32_t *out) { return each_place(bits, base, out); }
static inline uint64_t prefix_xor(uint64_t bits) { return shifted_xor(bits); }
#include "scan_kernel.inc"
}  // namespace any_processor

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,pclmul"))), apply_to = function)
namespace avx2 {
static inline uint32_t *places(uint64_t bits, uint32_t base, uint32_t *out) { return each_place(bits, base, out); }
static inline uint64_t prefix_xor(uint64_t bits) {
  return uint64_t(_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, int64_t(bits)), _mm_set1_epi8(-1), 0)));
}
#include "scan_kernel.inc"
}  // namespace avx2
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2,avx2,bmi,bmi2,lzcnt,popcnt,pclmul"))), apply_to = function)
namespace avx512 {
/// The bytes 0 to 63, compressed by the bits, and sixteen of them a time made wider.
static inline uint32_t *places(uint64_t bits, uint32_t base, uint32_t *out) {
  static const uint8_t numbers[64] __attribute__((aligned(64))) = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
      32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  uint32_t *end = out + __builtin_popcountll(bits);
  __m512i found = _mm512_maskz_compress_epi8(bits, _mm512_load_si512(numbers)), first = _mm512_set1_epi32(int(base));
  _mm512_storeu_si512(out, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found))));
  for (out += 16; __builtin_expect(out < end, 0); out += 16) {
    found = _mm512_shuffle_i64x2(found, found, 0x39);  // the next sixteen to the front
    _mm512_storeu_si512(out, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found))));
  }
  return end;
}
static inline uint64_t prefix_xor(uint64_t bits) {
  return uint64_t(_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, int64_t(bits)), _mm_set1_epi8(-1), 0)));
}
#include "scan_kernel.inc"
}  // namespace avx512
#pragma clang attribute pop
#endif

static std::vector<ScanKernel> runnable() {
  std::vector<ScanKernel> kernels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("pclmul");
  if (v3 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi2"))
    kernels.push_back({avx512::scan_block, avx512::index_line, avx512::holds});
  if (v3) kernels.push_back({avx2::scan_block, avx2::index_line, avx2::holds});
#endif
  kernels.push_back({any_processor::scan_block, any_processor::index_line, any_processor::holds});
  return kernels;
}

const std::vector<ScanKernel> &scan_kernels() {
  static const std::vector<ScanKernel> kernels = runnable();
  return kernels;
}

Literal::Literal(const std::string &value) : quoted('"' + value + '"') {
  last = std::min<size_t>(quoted.size() - 1, 63);
  probe_byte = uint8_t(quoted[probe]);
  last_byte = uint8_t(quoted[last]);
}

void Literal::choose_probe(const uint32_t counts[256]) {
  for (size_t place = 1; place < last; place++)
    if (counts[uint8_t(quoted[place])] < counts[uint8_t(quoted[probe])]) probe = place;
  probe_byte = uint8_t(quoted[probe]);
}

bool Literal::can_be(const std::string &value) {
  return std::none_of(value.begin(), value.end(), [](uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; });
}

void Literal::verify(const uint8_t *bytes, size_t length, size_t base, uint64_t hits) {
  for (; hits; hits &= hits - 1) {
    size_t place = base + size_t(__builtin_ctzll(hits));
    if (place + quoted.size() > length) return;  // what is behind the block is not looked at
    if (memcmp(bytes + place, quoted.data(), quoted.size()) == 0) places.push_back(uint32_t(place));
  }
}

void Runs::turn(size_t base) {
  if (is_high) are_valid &= simdjson::validate_utf8(reinterpret_cast<const char *>(bytes) + from, base - from);
  is_high = !is_high;
  from = base;
}

void Scan::note_backslashes(size_t base, uint64_t bits) {
  for (; bits; bits &= bits - 1) backslashes.push_back(uint32_t(base) + uint32_t(__builtin_ctzll(bits)));
}

void Scan::resize(size_t length) {
  size_t words = (length + 63) / 64;
  if (token_words.size() > words) return;  // as many words as before: the 80 make up for a longer last one
  token_words.resize(words + 1);
  tokens.resize(length + 80);
  marks.resize(length + 80);
}

}  // namespace replay
