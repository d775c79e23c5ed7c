// JSON's escapes undone.
#pragma once
#include <cstddef>
#include <cstdint>

#include "CDecode.h"

namespace replay {

/// Writes the text between `from` and `stop` without its escapes and moves `to` behind it; never longer than it was.
/// False where an escape is none of JSON's, or a surrogate stands alone.
bool unescape_into(const uint8_t *from, const uint8_t *stop, uint8_t *&to);

}  // namespace replay
