#include "extractor.hpp"

#include <cstring>

using namespace replay;

static uint64_t first_word(const std::string &name) {
  uint64_t word = 0;
  memcpy(&word, name.data(), std::min<size_t>(8, name.size()));
  return word;
}

Member &replay_extractor::add_path(const replay_text *members, size_t count) {
  size_t node = 0;
  for (size_t depth = 0;; depth++) {
    std::string name(members[depth].start, members[depth].length);
    size_t place = 0;
    while (place < nodes[node].members.size() && nodes[node].members[place].name != name) place++;
    if (place == nodes[node].members.size()) {
      Member member;
      member.name = name;
      member.first_word = first_word(name);
      nodes[node].members.push_back(member);
      nodes[node].lengths |= 1ull << std::min<size_t>(63, name.size());
    }
    if (depth + 1 == count) return nodes[node].members[place];
    if (nodes[node].members[place].node < 0) {
      nodes[node].members[place].node = int(nodes.size());
      nodes.emplace_back();
    }
    node = size_t(nodes[node].members[place].node);
  }
}

void replay_output::grow(size_t count, size_t field_count) {
  if (count <= marks.size() && count * field_count <= fields.size()) return;
  size_t wanted = std::max<size_t>(count, std::max<size_t>(1024, marks.size() * 2));
  fields.resize(wanted * std::max<size_t>(1, field_count));
  records.resize(wanted);
  marks.resize(wanted);
  masks.resize(wanted);
  ordinals.resize(wanted);
}

replay_fault replay_extractor::index(const uint8_t *bytes, size_t length) {
  if (!parser || parser->capacity() < length) {
    parser.reset();
    size_t capacity = std::max<size_t>(length, 1 << 16);
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 16, parser)) return REPLAY_NOT_JSON;
  }
  switch (parser->stage1(bytes, length, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS: return REPLAY_OK;
    case simdjson::EMPTY: parser->n_structural_indexes = 0; return REPLAY_OK;
    case simdjson::UTF8_ERROR: return REPLAY_INVALID_UTF8;
    case simdjson::UNCLOSED_STRING: return REPLAY_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS: return REPLAY_CONTROL_CHARACTER;
    default: return REPLAY_NOT_JSON;
  }
}

bool Numbers::take(uint64_t number, uint64_t ordinal, bool drop_duplicates) {
  if (!state.any) {
    state.any = true;
    state.first = state.greatest = number;
    return true;
  }
  if (number > state.greatest) {
    if (number != state.greatest + 1) {
      state.missing += number - state.greatest - 1;
      holes.emplace_hint(holes.end(), state.greatest + 1, number);
    }
    state.greatest = number;
    return true;
  }
  if (state.duplicates + state.inversions == 0) {
    state.odd_ordinal = ordinal;
    state.odd_number = number;
    state.odd_after = state.greatest;
  }
  auto hole = holes.upper_bound(number);
  if (hole != holes.begin() && (--hole)->second > number) {
    auto [first, end] = *hole;
    holes.erase(hole);
    if (first < number) holes.emplace(first, number);
    if (number + 1 < end) holes.emplace(number + 1, end);
    state.missing--;
    state.inversions++;
    return true;
  }
  if (number < state.first) {
    state.missing += state.first - number - 1;
    if (number + 1 < state.first) holes.emplace(number + 1, state.first);
    state.first = number;
    state.inversions++;
    return true;
  }
  state.duplicates++;
  return !drop_duplicates;
}

extern "C" {

replay_output *replay_output_create(void) { return new replay_output(); }
void replay_output_destroy(replay_output *output) { delete output; }
replay_extractor *replay_extractor_create(uint32_t function_count) { return new replay_extractor(function_count); }
void replay_extractor_destroy(replay_extractor *extractor) { delete extractor; }

void replay_extractor_add_field(replay_extractor *extractor, const replay_text *members, size_t count) {
  int field = int(extractor->field_count++);
  if (count > 0) extractor->add_path(members, count).field = field;
  extractor->conditions.resize(extractor->field_count);
  extractor->conditioned.resize(extractor->field_count);
}

void replay_extractor_set_position(replay_extractor *extractor, const replay_text *members, size_t count) {
  extractor->add_path(members, count).is_position = true;
  extractor->has_position = true;
}

void replay_extractor_add_condition(replay_extractor *extractor, uint32_t function, uint32_t field,
                                    const replay_text *values, size_t count) {
  Condition condition{function, {}};
  for (size_t place = 0; place < count; place++) condition.values.emplace_back(values[place].start, values[place].length);
  extractor->conditions[field].push_back(condition);
  extractor->conditioned[field] |= 1u << function;
  extractor->any_condition |= 1u << function;
}

void replay_extractor_drop_duplicates(replay_extractor *extractor, bool drop) { extractor->drop_duplicates = drop; }
void replay_extractor_be_careful(replay_extractor *extractor, bool careful) { extractor->is_careful = careful; }
uint32_t replay_line_kernels(void) { return uint32_t(scan_kernels().size()); }
void replay_extractor_use_kernel(replay_extractor *extractor, uint32_t kernel) {
  extractor->scan.kernel = &scan_kernels()[kernel];
}
void replay_extractor_begin_segment(replay_extractor *extractor) { extractor->numbers = Numbers(); }
replay_numbers replay_extractor_numbers(const replay_extractor *extractor) { return extractor->numbers.state; }
uint64_t replay_extractor_below(const replay_extractor *extractor, uint32_t function) { return extractor->below[function]; }
uint64_t replay_extractor_duplicates(const replay_extractor *extractor, uint32_t function) {
  return extractor->duplicates[function];
}
const char *replay_kernel(void) {
  static const std::string name = simdjson::get_active_implementation()->name();
  return name.c_str();
}

bool replay_unhex(const uint8_t *digits, size_t count, uint8_t *out) {
  if (count % 2) return false;
  auto value = [](uint8_t c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (size_t place = 0; place < count; place += 2) {
    int high = value(digits[place]), low = value(digits[place + 1]);
    if (high < 0 || low < 0) return false;
    out[place / 2] = uint8_t(high << 4 | low);
  }
  return true;
}

static bool has_duplicates(simdjson::dom::element element) {
  if (element.is_object()) {
    std::vector<std::string_view> names;
    for (auto member : simdjson::dom::object(element)) {
      for (auto name : names) if (name == member.key) return true;
      names.push_back(member.key);
      if (has_duplicates(member.value)) return true;
    }
  } else if (element.is_array()) {
    for (auto value : simdjson::dom::array(element)) if (has_duplicates(value)) return true;
  }
  return false;
}

bool replay_validate(replay_extractor *extractor, const uint8_t *bytes, size_t length, bool *duplicates) {
  simdjson::dom::element root;
  auto error = extractor->validator.parse(bytes, length, false).get(root);
  // A number beyond 64 bits is valid JSON that the DOM cannot hold; it is the function's business.
  if (error == simdjson::NUMBER_OUT_OF_RANGE) return true;
  if (error) return false;
  *duplicates = has_duplicates(root);
  return true;
}

bool replay_members(replay_extractor *extractor, const uint8_t *bytes, size_t length, void *context,
                    void (*member)(void *, replay_text, replay_text)) {
  // On demand: values that nobody asks for, numbers beyond 64 bits or deep nesting among them, are passed over.
  simdjson::ondemand::document document;
  simdjson::ondemand::object root;
  if (extractor->names.iterate(bytes, length, length + REPLAY_PADDING).get(document)) return false;
  if (document.get_object().get(root)) return false;
  for (auto field : root) {
    std::string_view key;
    simdjson::ondemand::value value;
    if (field.unescaped_key().get(key) || field.value().get(value)) return false;
    const std::string parent(key);
    member(context, replay_text{nullptr, 0}, replay_text{parent.data(), parent.size()});
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != simdjson::ondemand::json_type::object) continue;
    simdjson::ondemand::object inside;
    if (value.get_object().get(inside)) return false;
    for (auto nested : inside) {
      std::string_view name;
      if (nested.unescaped_key().get(name)) return false;
      member(context, replay_text{parent.data(), parent.size()}, replay_text{name.data(), name.size()});
    }
  }
  return true;
}

}  // extern "C"
