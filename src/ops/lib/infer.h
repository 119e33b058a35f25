// Helpers of shape inference that all operator families share: symbolic dimensions, broadcasting, constants.
//
// The elements of a shape-like integer tensor (in_dims, out_dims) are oq_dim too: a known number, a symbol,
// or unknown. A negative number, such as the -1 of Reshape, cannot be a size; it is kept as a literal, see
// oq_dim_number.
#ifndef OQ_OPS_LIB_INFER_H
#define OQ_OPS_LIB_INFER_H

#include "ops/ops.h"

#define OQ_INFER_MAX_DIMS 1024 // longest integer tensor whose elements are followed

// --- elements of shape-like tensors ---
oq_dim oq_dim_number(int64_t value);                  // any integer, negative ones as literals
bool oq_dim_is_number(oq_dim dim, int64_t *value);    // true when the value is known
oq_dim oq_dim_as_size(oq_dim dim);                    // the element used as a size: negative = anonymous
oq_dim oq_dim_add(oq_dim a, int64_t b);               // a symbol survives + 0, * 1 and / 1 only
oq_dim oq_dim_multiply(oq_dim a, oq_dim b);           // 0 times anything is 0; overflow is anonymous
oq_dim oq_dim_divide(oq_dim a, int64_t b);            // exact or anonymous
oq_dim oq_dims_product(const oq_dim *dims, size_t n); // 1 for none

// --- inputs ---
// Type of input i when it is a tensor (its dtype or rank may still be unknown), else NULL.
const oq_type *oq_infer_in(const oq_infer_context *context, size_t i);
oq_dtype oq_infer_dtype(const oq_infer_context *context, size_t i);       // UNDEFINED when unknown
int oq_infer_rank(const oq_infer_context *context, size_t i);             // -1 when unknown
oq_dim oq_infer_dim(const oq_infer_context *context, size_t i, int axis); // anonymous when unknown
static inline bool oq_infer_given(const oq_infer_context *context, size_t i) {
    return i < context->input_count && context->node->inputs[i] != OQ_NONE;
}
// All elements of an integer input of rank 0 or 1, when every one is known; false otherwise (also when there
// are more than `capacity`).
bool oq_infer_ints(const oq_infer_context *context, size_t i, int64_t *values, size_t capacity,
                   size_t *count);
bool oq_infer_int(const oq_infer_context *context, size_t i, int64_t *value); // one element
// Elements of an integer input, known or symbolic, or NULL.
const oq_dim *oq_infer_elements(const oq_infer_context *context, size_t i, size_t *count);
// How many elements input i (rank 1) has, or -1.
int64_t oq_infer_length(const oq_infer_context *context, size_t i);

// --- outputs ---
void oq_infer_set(oq_infer_context *context, size_t out, oq_dtype dtype, int rank, const oq_dim *dims);
void oq_infer_set_type(oq_infer_context *context, size_t out, const oq_type *type);
// Element type only, rank unknown.
void oq_infer_set_dtype(oq_infer_context *context, size_t out, oq_dtype dtype);
// Type of input `from` as it is; its elements, when followed, too.
void oq_infer_same(oq_infer_context *context, size_t out, size_t from);
// Elements of an integer output (copied into the arena); more than OQ_INFER_MAX_DIMS are not followed.
oq_status oq_infer_set_elements(oq_infer_context *context, size_t out, const oq_dim *elements, size_t count,
                                oq_error *err);

// --- rules ---
// "axis 5 is out of range for rank 4" as BAD_MODEL; *out in [0, rank).
oq_status oq_infer_axis(const oq_infer_context *context, int64_t axis, int rank, int *out, oq_error *err);
// Broadcast of two dimensions; an error when both are known, differ and neither is 1.
oq_status oq_infer_broadcast_dim(const oq_infer_context *context, oq_dim a, oq_dim b, oq_dim *out,
                                 oq_error *err);
// Multidirectional broadcast of inputs [first, end) to output 0 with `dtype`; rank unknown when one is.
oq_status oq_infer_broadcast(oq_infer_context *context, size_t first, size_t end, oq_dtype dtype,
                             oq_error *err);
// Element type of output 0 from an int attribute holding an ONNX data type; `otherwise` when it is missing.
// An unknown number is an error.
oq_status oq_infer_dtype_attr(const oq_infer_context *context, const char *name, oq_dtype otherwise,
                              oq_dtype *out, oq_error *err);

// --- whole `infer` functions for table entries ---
oq_status oq_infer_unary(oq_infer_context *context, oq_error *err);  // output 0 as input 0
oq_status oq_infer_binary(oq_infer_context *context, oq_error *err); // all inputs broadcast, dtype of input 0
oq_status oq_infer_compare(oq_infer_context *context, oq_error *err); // the same with bool out
// Output 0: some of the slices of input 0 along the attribute axis, or (without it) some of its elements.
oq_status oq_infer_some(oq_infer_context *context, oq_error *err);

// Follows integer arithmetic over in_dims of two inputs, elementwise with broadcasting of one element:
// out_dims[k] = f(a[k], b[k]). For Add, Sub, Mul, Div, Max, Min, ... beside oq_infer_binary.
oq_status oq_infer_elements_binary(oq_infer_context *context, oq_dim (*f)(oq_dim a, oq_dim b), oq_error *err);

#endif
