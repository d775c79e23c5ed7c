// Which records can be passed over because a text is not in them.
#include <algorithm>
#include <cstring>

#include "extractor.hpp"

namespace replay {

/// Texts that are looked for in one scan: more of them cost more than they save.
static const size_t max_literals = 8;

void Sieve::prepare(replay_extractor &x, const uint8_t *bytes, size_t length) {
  is_ready = true;
  always = x.all_functions;
  // The condition with the longest texts, which are likely the rarest: by a rule, not by what is found, so that which
  // records are passed over does not depend on how the archive is cut into blocks.
  std::vector<const Condition *> chosen(x.below.size(), nullptr);
  std::vector<size_t> longest(x.below.size(), 0);
  for (const auto &conditions : x.conditions)
    for (const Condition &condition : conditions) {
      size_t shortest = SIZE_MAX;
      for (const std::string &value : condition.values) shortest = std::min(shortest, value.size() + 1);
      if (condition.values.empty() || shortest <= longest[condition.function]) continue;
      longest[condition.function] = shortest;
      chosen[condition.function] = &condition;
    }
  uint32_t counts[256] = {};
  for (size_t at = 0; at < std::min<size_t>(length, 8 << 10); at++) counts[bytes[at]]++;
  std::vector<Literal> &literals = x.scan.literals;
  for (size_t function = 0; function < chosen.size(); function++) {
    if (!chosen[function] || literals.size() + chosen[function]->values.size() > max_literals) continue;
    always &= ~(1u << function);
    for (const std::string &value : chosen[function]->values) {
      if (!Literal::can_be(value)) continue;
      Literal literal(value);
      auto known = std::find_if(literals.begin(), literals.end(), [&](auto &one) { return one.quoted == literal.quoted; });
      if (known == literals.end()) known = literals.insert(literals.end(), literal);
      known->functions |= 1u << function;
      known->choose_probe(counts);
    }
  }
  for (const auto &conditions : x.conditions)
    for (const Condition &condition : conditions) {
      if (&condition == chosen[condition.function] || condition.values.size() > max_literals) continue;
      if (always >> condition.function & 1) continue;
      further.push_back({condition.function, {}});
      for (const std::string &value : condition.values) {
        if (!Literal::can_be(value)) continue;
        further.back().any.emplace_back(value);
        further.back().any.back().choose_probe(counts);
      }
    }
}

uint32_t Sieve::narrow(const Scan &scan, uint32_t functions, const uint8_t *bytes, size_t start, size_t stop) const {
  for (const Further &condition : further) {
    if (!(functions >> condition.function & 1)) continue;
    bool found = false;
    for (const Literal &literal : condition.any) found = found || scan.kernel->holds(literal, bytes, start, stop);
    if (!found) functions &= ~(1u << condition.function);
  }
  return functions;
}

uint32_t Sieve::functions(const Scan &scan, const uint8_t *bytes, size_t start, size_t stop, uint32_t all) const {
  if (memchr(bytes + start, '\\', stop - start)) return all;
  uint32_t found = always;
  for (const Literal &literal : scan.literals)
    if (scan.kernel->holds(literal, bytes, start, stop)) found |= literal.functions;
  return narrow(scan, found, bytes, start, stop);
}

}  // namespace replay
