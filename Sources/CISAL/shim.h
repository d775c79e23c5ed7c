#include <isa-l/crc.h>
#include <isa-l/crc64.h>
#include <isa-l/igzip_lib.h>

/// CRC-64 (ECMA-182, reflected). ISA-L picks its carry-less multiplication for every processor with SSE 4, also for those
/// of 2008 that lack it (Nehalem), where it is an illegal instruction.
static inline uint64_t replay_crc64(uint64_t seed, const uint8_t *bytes, uint64_t count) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("pclmul")) return crc64_ecma_refl_base(seed, bytes, count);
#endif
  return crc64_ecma_refl(seed, bytes, count);
}
