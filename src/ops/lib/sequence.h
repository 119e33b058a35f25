// Sequences and optionals: values, positions, types.
#ifndef OQ_OPS_LIB_SEQUENCE_H
#define OQ_OPS_LIB_SEQUENCE_H

#include "ops/lib/schema.h"
#include "ops/ops.h"

// Input i as a sequence; BAD_MODEL when it is none.
oq_status oq_need_sequence(const oq_run_context *context, size_t i, const oq_list **out, oq_error *err);
// Position input i in [-count, count) (or up to count when `end`), `otherwise` when it is left out.
oq_status oq_position_input(oq_run_context *context, size_t i, int64_t count, bool end, int64_t otherwise,
                            int64_t *out, oq_error *err);
// Output `out` = a sequence of these values, each retained.
oq_status oq_out_sequence(oq_run_context *context, size_t out, const oq_value *const *items, size_t count,
                          oq_error *err);

// A new tensor data[.., from : from + size, ..] along `axis` (which goes when `squeeze`), strings included.
oq_status oq_tensor_part(oq_mem *mem, const oq_tensor *data, int axis, int64_t from, int64_t size,
                         bool squeeze, oq_tensor *out, oq_error *err);

// What holds for a value of either type: sizes that differ become anonymous, ranks that differ unknown.
oq_status oq_infer_union(oq_infer_context *context, oq_type *type, const oq_type *other, oq_error *err);
// Output `out` is a sequence, or an optional, of `elem`.
oq_status oq_infer_set_container(oq_infer_context *context, size_t out, oq_type_kind kind,
                                 const oq_type *elem, oq_error *err);
// A type that is only known to be of this kind and dtype: shapes forgotten, through containers.
oq_status oq_infer_shapeless(oq_infer_context *context, oq_type *type, oq_error *err);

#endif
