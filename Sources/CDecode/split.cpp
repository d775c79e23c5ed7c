#include <cstring>

#include "CDecode.h"

// Values one after another: a value ends where its bracket closes; a top-level string where its quote does; any other
// scalar where white space, a comma or a bracket follows.
extern "C" void replay_split(replay_splitter *s, const uint8_t *bytes, size_t length, bool one) {
  size_t at = s->scanned;
  size_t values = s->values;
  auto ended = [&](size_t end) {
    s->end = end;
    s->values++;
  };
  while (at < length && !(one && s->values > values)) {
    if (s->in_string) {
      if (s->escaped) {
        s->escaped = false;
        at++;
        continue;
      }
      while (at < length && bytes[at] != '"' && bytes[at] != '\\') at++;
      if (at == length) break;
      s->escaped = bytes[at] == '\\';
      s->in_string = s->escaped;
      at++;
      if (!s->in_string && s->depth == 0) ended(at);
      continue;
    }
    uint8_t c = bytes[at];
    bool separator = c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ',';
    bool structural = c == '{' || c == '[' || c == '"' || c == '}' || c == ']';
    if (s->in_scalar && (separator || structural)) {
      s->in_scalar = false;
      ended(at);
      continue;
    }
    at++;
    switch (c) {
      case '"': s->in_string = true; break;
      case '{':
      case '[': s->depth++; break;
      case '}':
      case ']':
        if (s->depth > 0 && --s->depth == 0) ended(at);
        break;
      default:
        if (s->depth == 0 && !separator && !s->in_scalar) s->in_scalar = true;
    }
  }
  s->scanned = at;
}

extern "C" size_t replay_line_cut(const uint8_t *bytes, size_t length) {
  while (length > 0 && bytes[length - 1] != '\n') length--;
  return length;
}
