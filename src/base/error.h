// Errors as values: the internal names of the public status and error, and the two helpers that every room
// uses.
#ifndef OQ_BASE_ERROR_H
#define OQ_BASE_ERROR_H

#include "onnxq/onnxq.h"

typedef onnxq_status oq_status;
typedef onnxq_error oq_error;

// Fills `err` (when not NULL and still clean: the first cause is kept) with `code` and the formatted
// sentence, and returns `code`. The sentence names the file, node or tensor and says what to do; no capital,
// no full stop.
__attribute__((format(printf, 3, 4))) oq_status oq_fail(oq_error *err, oq_status code, const char *format,
                                                        ...);
#ifdef __clang_analyzer__ // static analysis does not see into oq_fail, and must know that it returns no
                          // success
#define oq_fail(err, code, ...) ((oq_fail)((err), (code), __VA_ARGS__), (code))
#endif

// Adds where it happened to an error that is already set; parts that are already set stay. NULL parts are
// skipped.
void oq_error_at_file(oq_error *err, const char *file);
void oq_error_at_node(oq_error *err, const char *node, const char *op_type);
void oq_error_at_tensor(oq_error *err, const char *tensor);

// Puts a formatted prefix before the sentence of an error that is set, as the executor does with "node 'x'
// (Conv): ".
__attribute__((format(printf, 2, 3))) void oq_error_prefix(oq_error *err, const char *format, ...);

// Resets `err` to "no error"; NULL is allowed.
void oq_error_clear(oq_error *err);

// Returns from the calling function when `expression` is not ONNXQ_OK.
#define OQ_TRY(expression)                                                                                   \
    do {                                                                                                     \
        const oq_status oq_try_status_ = (expression);                                                       \
        if (oq_try_status_ != ONNXQ_OK) return oq_try_status_;                                               \
    } while (0)

// The same for functions with one cleanup label `done:` and a local `oq_status status`.
#define OQ_TRY_DONE(expression)                                                                              \
    do {                                                                                                     \
        status = (expression);                                                                               \
        if (status != ONNXQ_OK) goto done;                                                                   \
    } while (0)

#endif
