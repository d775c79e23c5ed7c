/// Bytes to records to columns: one call a block. The rules are at `replay_extract`.
#ifndef REPLAY_CDECODE_H
#define REPLAY_CDECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Readable bytes that must follow `length` in every buffer given to `replay_extract`; their content does not matter.
enum { REPLAY_PADDING = 128 };

typedef struct {
  uint32_t offset;
  /// Length in the low 28 bits, kind in the high four: 0 missing, 1 null, 2 string, 3 number, 4 boolean, 5 object,
  /// 6 array.
  uint32_t tail;
} replay_slice;

typedef struct {
  const char *start;
  size_t length;
} replay_text;

enum replay_framing { REPLAY_LINES = 0, REPLAY_CONCATENATED = 1, REPLAY_ARRAY = 2 };

enum replay_fault {
  REPLAY_OK = 0,
  REPLAY_INVALID_UTF8,
  REPLAY_UNCLOSED_STRING,
  REPLAY_CONTROL_CHARACTER,
  REPLAY_NOT_JSON,
  REPLAY_NOT_OBJECT,
  REPLAY_UNFINISHED,
  REPLAY_TWO_VALUES_ON_LINE,
  REPLAY_VALUE_OVER_LINES,
  REPLAY_BAD_ESCAPE,
  REPLAY_BAD_NUMBER,
  REPLAY_NO_SEPARATOR,
  REPLAY_NUL,
  REPLAY_TOO_LONG,
};

/// Owns the arrays that a block's records are written to; may outlive the extractor's next block.
typedef struct replay_output replay_output;
replay_output *replay_output_create(void);
void replay_output_destroy(replay_output *);

/// One block's input and output.
typedef struct {
  replay_output *output;
  uint8_t *bytes;
  /// Whole records only.
  size_t length;
  /// Where unescaped texts may be written: at least `length` bytes from here to `capacity`.
  size_t scratch;
  size_t capacity;
  enum replay_framing framing;
  uint64_t first_ordinal;
  /// Records at or above this ordinal are not looked at.
  uint64_t until_ordinal;
  size_t max_record_bytes;
  /// For each function, the first mark it wants.
  const uint64_t *from;

  const replay_slice *fields;
  const replay_slice *records;
  const uint64_t *marks;
  const uint32_t *masks;
  const uint32_t *ordinals;
  size_t count;
  size_t scanned;
  bool reached_until;
  /// Just behind the last unescaped text.
  size_t scratch_end;
  /// Where the first record that was not looked at begins.
  size_t stopped_at;
  /// The successor of the last scanned record's mark.
  uint64_t next_mark;

  enum replay_fault fault;
  uint64_t fault_ordinal;
  size_t fault_offset;
} replay_block;

typedef struct replay_extractor replay_extractor;

replay_extractor *replay_extractor_create(uint32_t function_count);
void replay_extractor_destroy(replay_extractor *);
/// Adds a field; its index is the number of fields before it. Without members it is missing in every record.
void replay_extractor_add_field(replay_extractor *, const replay_text *members, size_t count);
/// Where the record's own number is; marks are then these numbers, and each must be there.
void replay_extractor_set_position(replay_extractor *, const replay_text *members, size_t count);
/// The function wants only records whose field is a string equal to one of `values`.
void replay_extractor_add_condition(replay_extractor *, uint32_t function, uint32_t field, const replay_text *values,
                                    size_t count);
/// Drops records whose number was seen already in this segment, and counts them.
void replay_extractor_drop_duplicates(replay_extractor *, bool drop);
/// Never goes the fast way through lines, whose results are the same: for tests.
void replay_extractor_be_careful(replay_extractor *, bool careful);
/// How many kernels for lines this processor can run.
uint32_t replay_line_kernels(void);
/// Uses one of them instead of the best one, which is 0: for tests.
void replay_extractor_use_kernel(replay_extractor *, uint32_t kernel);
/// Forgets the numbers of the segment before.
void replay_extractor_begin_segment(replay_extractor *);

/// Splits the block into records, extracts the fields of those that a function wants and answers whether that worked.
///
/// The members of an object are looked at in order and the first one of a name wins. A record is given up at the first
/// field that no function's conditions let through, and a line where no function's conditions find their text is not
/// looked into at all. What is not looked at is checked for UTF-8, closed strings, control characters in them and balanced
/// brackets only. On a fault everything before `fault_ordinal` is in the output.
bool replay_extract(replay_extractor *, replay_block *);

/// Records' own numbers in the segment so far.
typedef struct {
  bool any;
  uint64_t first, greatest, missing, duplicates, inversions;
  /// Ordinal, number and greatest before of the first duplicate or inversion.
  uint64_t odd_ordinal, odd_number, odd_after;
} replay_numbers;
replay_numbers replay_extractor_numbers(const replay_extractor *);

/// For each function, how many of the scanned records in the last block lie below its `from`.
uint64_t replay_extractor_below(const replay_extractor *, uint32_t function);
/// For each function, how many records of the last block, none of them below its `from`, were dropped as duplicates.
uint64_t replay_extractor_duplicates(const replay_extractor *, uint32_t function);

/// Finds where whole values end when there are no lines to go by. State lives across calls on a growing buffer.
typedef struct {
  size_t scanned;
  uint32_t depth;
  bool in_string, escaped, in_scalar;
  /// Just behind the last whole value.
  size_t end;
  /// Values that ended.
  size_t values;
} replay_splitter;

/// Scans `bytes[state.scanned..<length]`; stops behind the first value where `one` is true.
void replay_split(replay_splitter *, const uint8_t *bytes, size_t length, bool one);

/// Just behind the last newline of the bytes; 0 where there is none.
size_t replay_line_cut(const uint8_t *bytes, size_t length);

/// Undoes JSON's escapes; `out` needs `count` bytes. Answers the bytes written, or SIZE_MAX where an escape is wrong.
size_t replay_unescape(const uint8_t *text, size_t count, uint8_t *out);

/// Decodes hexadecimal digits; false where there is anything else or an odd number.
bool replay_unhex(const uint8_t *digits, size_t count, uint8_t *out);

/// Parses the whole of one JSON value as `check` does: numbers, literals, escapes, structure. False where it is not
/// valid JSON. `duplicates` becomes true where an object names a member twice.
bool replay_validate(replay_extractor *, const uint8_t *bytes, size_t length, bool *duplicates);

/// Calls `member` for each member of the object in `bytes` and, with `parent`, for each member of its objects. False
/// where the bytes are no JSON object. `bytes` needs REPLAY_PADDING readable bytes behind it.
bool replay_members(replay_extractor *, const uint8_t *bytes, size_t length, void *context,
                    void (*member)(void *context, replay_text parent, replay_text name));

/// The name of the JSON kernel this processor got, e.g. "icelake" or "fallback".
const char *replay_kernel(void);

#ifdef __cplusplus
}
#endif
#endif
