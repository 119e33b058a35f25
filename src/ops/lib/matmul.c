// Shapes of numpy's matmul.
#include "ops/lib/matmul.h"

#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

static oq_status shapes_differ(const oq_shape *a, const oq_shape *b, oq_error *err) {
    char left[OQ_MAX_RANK * 21];
    char right[OQ_MAX_RANK * 21];
    return oq_fail(err, ONNXQ_BAD_MODEL, "shapes %s and %s cannot be multiplied as matrices",
                   oq_shape_format(a, left, sizeof(left)), oq_shape_format(b, right, sizeof(right)));
}

// The leading axes of a shape of matrices; empty for a vector or a matrix.
static oq_shape leading(const oq_shape *shape) {
    oq_shape out = *shape;
    out.rank = shape->rank > 2 ? shape->rank - 2 : 0;
    return out;
}

oq_status oq_matmul_plan(const oq_shape *a, const oq_shape *b, oq_matmul *out, oq_error *err) {
    *out = (oq_matmul){0};
    if (!a->rank || !b->rank) return shapes_differ(a, b, err);
    const int64_t k = a->dim[a->rank - 1];
    const int64_t b_rows = b->rank == 1 ? b->dim[0] : b->dim[b->rank - 2];
    if (k != b_rows) return shapes_differ(a, b, err);
    const oq_shape a_batch = leading(a);
    const oq_shape b_batch = leading(b);
    OQ_TRY(oq_shape_broadcast(&a_batch, &b_batch, &out->batch, err));
    out->k = (size_t)k;
    out->m = a->rank == 1 ? 1 : (size_t)a->dim[a->rank - 2];
    out->n = b->rank == 1 ? 1 : (size_t)b->dim[b->rank - 1];
    out->a_count = (size_t)oq_shape_count(&a_batch);
    out->b_count = (size_t)oq_shape_count(&b_batch);
    oq_broadcast_strides(&a_batch, &out->batch, out->a_stride);
    oq_broadcast_strides(&b_batch, &out->batch, out->b_stride);
    out->out = out->batch;
    if (a->rank > 1) out->out.dim[out->out.rank++] = (int64_t)out->m;
    if (b->rank > 1) out->out.dim[out->out.rank++] = (int64_t)out->n;
    OQ_TRY(oq_shape_check(&out->out, 16, NULL, err));
    if (out->b_count == 1 && oq_shape_count(&out->batch) == (int64_t)out->a_count) {
        out->m *= out->a_count;
        out->batch.rank = 0;
        out->a_count = 1;
    }
    out->batches = (size_t)oq_shape_count(&out->batch);
    return ONNXQ_OK;
}

void oq_matmul_batch(const oq_matmul *plan, size_t batch, size_t *a, size_t *b) {
    *a = 0;
    *b = 0;
    for (int axis = plan->batch.rank - 1; axis >= 0; axis--) {
        const size_t size = (size_t)plan->batch.dim[axis];
        *a += batch % size * (size_t)plan->a_stride[axis];
        *b += batch % size * (size_t)plan->b_stride[axis];
        batch /= size;
    }
}

// The type of the product of two operands as far as their types tell.
static oq_status product_type(const oq_infer_context *context, const oq_type *a, const oq_type *b,
                              oq_type *out, oq_error *err) {
    const oq_dim k = a->dim[a->rank - 1];
    const oq_dim rows = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (oq_dim_known(k) && oq_dim_known(rows) && k.size != rows.size) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "the first factor has %lld columns, the second has %lld rows: they cannot be multiplied",
            (long long)k.size, (long long)rows.size);
    }
    const int a_rank = a->rank > 2 ? a->rank - 2 : 0;
    const int b_rank = b->rank > 2 ? b->rank - 2 : 0;
    const int rank = a_rank > b_rank ? a_rank : b_rank;
    oq_dim dims[OQ_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        const int ai = i - (rank - a_rank);
        const int bi = i - (rank - b_rank);
        const oq_dim left = ai < 0 ? oq_dim_of(1) : a->dim[ai];
        const oq_dim right = bi < 0 ? oq_dim_of(1) : b->dim[bi];
        OQ_TRY(oq_infer_broadcast_dim(context, left, right, &dims[i], err));
    }
    int n = rank;
    if (a->rank > 1) dims[n++] = a->dim[a->rank - 2];
    if (b->rank > 1) dims[n++] = b->dim[b->rank - 1];
    *out = oq_type_tensor(ONNXQ_UNDEFINED, n, dims);
    return ONNXQ_OK;
}

oq_status oq_matmul_infer_types(oq_infer_context *context, const oq_type *a, const oq_type *b, oq_dtype dtype,
                                oq_error *err) {
    oq_infer_set_dtype(context, 0, dtype);
    if (!a || !b || a->rank < 0 || b->rank < 0) return ONNXQ_OK;
    if (!a->rank || !b->rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "a factor of a matrix product is a scalar");
    oq_type out = {0};
    OQ_TRY(product_type(context, a, b, &out, err));
    oq_infer_set(context, 0, dtype, out.rank, out.dim);
    return ONNXQ_OK;
}

oq_status oq_matmul_infer(oq_infer_context *context, size_t a, size_t b, oq_dtype dtype, oq_error *err) {
    return oq_matmul_infer_types(context, oq_infer_in(context, a), oq_infer_in(context, b), dtype, err);
}

uint64_t oq_matmul_macs(const oq_graph *graph, const oq_node *node, size_t a) {
    const oq_type *left = oq_macs_input(graph, node, a);
    const oq_type *out = oq_macs_output(graph, node, 0);
    return left && out ? oq_macs_times(oq_macs_elements(out, 0), oq_macs_dim(left, left->rank - 1)) : 0;
}
