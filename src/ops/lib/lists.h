// Lists of integers that operators take as attribute or as input: axes, shapes, indices.
#ifndef OQ_OPS_LIB_LISTS_H
#define OQ_OPS_LIB_LISTS_H

#include "ops/lib/infer.h"
#include "ops/lib/work.h"

// All integers of an int32 or int64 tensor as int64: its own data or a converted scratch copy.
oq_status oq_list_of(oq_run_context *context, const oq_tensor *tensor, const int64_t **values, size_t *count,
                     oq_error *err);
// Of input i; *values is NULL and *count 0 when it is left out.
oq_status oq_list_input(oq_run_context *context, size_t i, const int64_t **values, size_t *count,
                        oq_error *err);
// Of input i when the node's version has one, else of attribute `name` (older versions).
oq_status oq_list_input_or_attr(oq_run_context *context, size_t i, const char *name, const int64_t **values,
                                size_t *count, oq_error *err);
// One integer of input i; `otherwise` when it is left out.
oq_status oq_int_input(oq_run_context *context, size_t i, int64_t otherwise, int64_t *value, oq_error *err);

// The same for inference. KNOWN: values filled; LEFT_OUT: neither input nor attribute; UNKNOWN: an input
// whose values do not follow.
typedef enum oq_list_state { OQ_LIST_LEFT_OUT, OQ_LIST_KNOWN, OQ_LIST_UNKNOWN } oq_list_state;
oq_list_state oq_infer_list(const oq_infer_context *context, size_t i, const char *name,
                            int64_t values[OQ_INFER_MAX_DIMS], size_t *count);

// Axes [-rank, rank) to flags; out of range or named twice is an error. `op_type` is named in it.
oq_status oq_axes_flags(const char *op_type, const int64_t *axes, size_t count, int rank,
                        bool flags[OQ_MAX_RANK], oq_error *err);
// Axes [-rank, rank) to [0, rank), in their order; the same errors. At most OQ_MAX_RANK.
oq_status oq_axes_list(const char *op_type, const int64_t *axes, size_t count, int rank, int out[OQ_MAX_RANK],
                       oq_error *err);
// One axis at run time.
oq_status oq_axis(const oq_run_context *context, int64_t axis, int rank, int *out, oq_error *err);

// index in [-size, size) to [0, size); false when out of range.
static inline bool oq_index(int64_t index, int64_t size, int64_t *out) {
    *out = index < 0 ? index + size : index;
    return *out >= 0 && *out < size;
}

#endif
