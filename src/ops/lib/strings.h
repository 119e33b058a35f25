// Lists of strings for operators on text: room for them, output tensors from them, letter case.
#ifndef OQ_OPS_LIB_STRINGS_H
#define OQ_OPS_LIB_STRINGS_H

#include "ops/lib/work.h"

typedef struct oq_strings {
    size_t count;
    const char **texts; // not NUL-terminated
    size_t *lengths;    // bytes
} oq_strings;

// Scratch room for `count` strings.
oq_status oq_strings_new(oq_run_context *context, size_t count, oq_strings *out, oq_error *err);
// The elements of a strings tensor, by reference.
oq_status oq_strings_of(oq_run_context *context, const oq_tensor *tensor, oq_strings *out, oq_error *err);
// Output `i` of `shape` from as many strings, which are copied.
oq_status oq_strings_output(oq_run_context *context, size_t i, const oq_shape *shape,
                            const oq_strings *strings, oq_error *err);

typedef enum oq_letter_case { OQ_CASE_SAME, OQ_CASE_LOWER, OQ_CASE_UPPER } oq_letter_case;

// `text` (UTF-8; bytes that are not are kept) in another case, in scratch; *length is updated.
const char *oq_strings_change_case(oq_run_context *context, oq_letter_case into, const char *text,
                                   size_t *length, oq_error *err);

#endif
