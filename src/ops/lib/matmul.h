// Shapes of numpy's matmul: vectors promoted, any rank, leading axes broadcast; and its inference.
#ifndef OQ_OPS_LIB_MATMUL_H
#define OQ_OPS_LIB_MATMUL_H

#include "ops/ops.h"

// a: [batch..., m, k] times b: [batch..., k, n]. When b is one matrix, the rows of all of a are one product:
// m is then the product of all but the last axis of a, and there is one batch.
typedef struct oq_matmul {
    size_t m, n, k;
    size_t batches;                                       // products to compute
    size_t a_count, b_count;                              // different matrices of a and of b
    oq_shape batch;                                       // [batches] as a shape
    int64_t a_stride[OQ_MAX_RANK], b_stride[OQ_MAX_RANK]; // in matrices, 0 along broadcast axes
    oq_shape out;                                         // of the result, promoted axes removed
} oq_matmul;

oq_status oq_matmul_plan(const oq_shape *a, const oq_shape *b, oq_matmul *out, oq_error *err);
// Which matrices of a and b make product `batch`.
void oq_matmul_batch(const oq_matmul *plan, size_t batch, size_t *a, size_t *b);

// Inference for operators whose factors are inputs `a` and `b` and whose result has element type `dtype`.
oq_status oq_matmul_infer(oq_infer_context *context, size_t a, size_t b, oq_dtype dtype, oq_error *err);
// The same for factors of these types.
oq_status oq_matmul_infer_types(oq_infer_context *context, const oq_type *a, const oq_type *b, oq_dtype dtype,
                                oq_error *err);
// Multiply-accumulates of a node whose left factor is input `a`.
uint64_t oq_matmul_macs(const oq_graph *graph, const oq_node *node, size_t a);

#endif
