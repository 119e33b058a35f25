// Gemm: Y = alpha * A' * B' + beta * C, C broadcast to [M, N].
#include "ops/lib/factor.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

typedef struct gemm {
    bool trans_a, trans_b;
    float alpha, beta;
    size_t m, n, k;
} gemm;

static gemm read_attributes(const oq_node *node) {
    return (gemm){.trans_a = oq_node_int(node, "transA", 0) != 0,
                  .trans_b = oq_node_int(node, "transB", 0) != 0,
                  .alpha = oq_node_float(node, "alpha", 1.0F),
                  .beta = oq_node_float(node, "beta", 1.0F)};
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *a = oq_infer_in(context, 0);
    const oq_type *b = oq_infer_in(context, 1);
    const gemm g = read_attributes(context->node);
    if (!a || !b) return ONNXQ_OK;
    if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "Gemm multiplies matrices: A and B must have rank 2");
    }
    oq_dim dims[2] = {OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS};
    if (a->rank == 2) dims[0] = a->dim[g.trans_a];
    if (b->rank == 2) dims[1] = b->dim[!g.trans_b];
    if (a->rank == 2 && b->rank == 2) {
        const oq_dim columns = a->dim[!g.trans_a];
        const oq_dim rows = b->dim[g.trans_b];
        if (oq_dim_known(columns) && oq_dim_known(rows) && columns.size != rows.size) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "A' has %lld columns but B' has %lld rows",
                           (long long)columns.size, (long long)rows.size);
        }
    }
    oq_infer_set(context, 0, a->dtype, 2, dims);
    return ONNXQ_OK;
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    const oq_tensor *b = oq_in(context, 1);
    if (!b || b->shape.rank != 2 || oq_dtype_info(b->dtype)->work != OQ_WORK_F32) return ONNXQ_OK;
    const bool transposed = read_attributes(context->node).trans_b;
    oq_packed *packed = NULL;
    OQ_TRY(oq_factor_pack(context, b, 1, (size_t)b->shape.dim[transposed], (size_t)b->shape.dim[!transposed],
                          transposed, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

// y = alpha * y + beta * c in one working type; c by strides (0 along broadcast axes), NULL: left out.
#define SCALE_AND_ADD(NAME, T, SCALED)                                                                       \
    static void NAME(const gemm *g, T *y, const T *c, const int64_t stride[2]) {                             \
        for (size_t i = 0; i < g->m; i++) {                                                                  \
            const T *row = c ? c + (int64_t)i * stride[0] : NULL;                                            \
            for (size_t j = 0; j < g->n; j++) {                                                              \
                T *to = &y[i * g->n + j];                                                                    \
                if (g->alpha != 1.0F) *to = SCALED(T, g->alpha, *to);                                        \
                if (!row) continue;                                                                          \
                const T add = row[(int64_t)j * stride[1]];                                                   \
                *to += g->beta != 1.0F ? SCALED(T, g->beta, add) : add;                                      \
            }                                                                                                \
        }                                                                                                    \
    }
#define SCALED_FLOAT(T, FACTOR, VALUE)   ((T)(FACTOR) * (VALUE))
#define SCALED_INTEGER(T, FACTOR, VALUE) scaled_integer((double)(FACTOR), (int64_t)(VALUE))

// Integers times a float factor: in double, toward zero, saturated.
static uint64_t scaled_integer(double factor, int64_t value) {
    const double product = factor * (double)value;
    if (!(product > -0x1p63)) return (uint64_t)INT64_MIN;
    return product < 0x1p63 ? (uint64_t)(int64_t)product : (uint64_t)INT64_MAX;
}

SCALE_AND_ADD(finish_f32, float, SCALED_FLOAT)
SCALE_AND_ADD(finish_f64, double, SCALED_FLOAT)
SCALE_AND_ADD(finish_u64, uint64_t, SCALED_INTEGER)

static oq_status finish(oq_run_context *context, const gemm *g, const oq_tensor *c, const oq_array_target *y,
                        oq_error *err) {
    const void *values = NULL;
    int64_t strides[OQ_MAX_RANK] = {0};
    if (c) {
        oq_shape onto;
        OQ_TRY(oq_shape_broadcast(&c->shape, &y->tensor->shape, &onto, err));
        if (!oq_shape_equal(&onto, &y->tensor->shape)) {
            char shown[OQ_MAX_RANK * 21];
            return oq_fail(err, ONNXQ_BAD_MODEL, "C of shape %s does not broadcast to [%zu,%zu]",
                           oq_shape_format(&c->shape, shown, sizeof(shown)), g->m, g->n);
        }
        oq_broadcast_strides(&c->shape, &onto, strides);
        OQ_TRY(oq_array_in(context, c, y->work, &values, err));
    }
    if (!values && g->alpha == 1.0F) return ONNXQ_OK;
    if (y->work == OQ_WORK_F32) {
        finish_f32(g, y->data, values, strides);
    } else if (y->work == OQ_WORK_F64) {
        finish_f64(g, y->data, values, strides);
    } else {
        finish_u64(g, y->data, values, strides);
    }
    return ONNXQ_OK;
}

static oq_status read_shapes(const oq_tensor *a, const oq_tensor *b, gemm *g, oq_error *err) {
    char left[OQ_MAX_RANK * 21];
    char right[OQ_MAX_RANK * 21];
    const bool matrices = a->shape.rank == 2 && b->shape.rank == 2;
    if (!matrices || a->shape.dim[!g->trans_a] != b->shape.dim[g->trans_b]) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "A%s %s and B%s %s cannot be multiplied", g->trans_a ? "'" : "",
                       oq_shape_format(&a->shape, left, sizeof(left)), g->trans_b ? "'" : "",
                       oq_shape_format(&b->shape, right, sizeof(right)));
    }
    g->m = (size_t)a->shape.dim[g->trans_a];
    g->k = (size_t)a->shape.dim[!g->trans_a];
    g->n = (size_t)b->shape.dim[!g->trans_b];
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *a = oq_in(context, 0);
    const oq_tensor *b = oq_in(context, 1);
    const oq_packed *packed = context->state;
    const oq_work_type work = oq_dtype_info(a->dtype)->work;
    gemm g = read_attributes(context->node);
    OQ_TRY(read_shapes(a, b, &g, err));
    const oq_shape shape = OQ_SHAPE((int64_t)g.m, (int64_t)g.n);
    oq_array_target y;
    OQ_TRY(oq_array_out(context, 0, a->dtype, &shape, work, &y, err));
    oq_product p = {.work = work,
                    .m = g.m,
                    .n = g.n,
                    .k = g.k,
                    .a_row = g.trans_a ? 1 : g.k,
                    .a_column = g.trans_a ? g.m : 1,
                    .b_transposed = g.trans_b,
                    .ldb = g.trans_b ? g.k : g.n,
                    .packed = packed ? packed->panels : NULL,
                    .c = y.data,
                    .ldc = g.n,
                    .pool = context->pool};
    OQ_TRY(oq_array_in(context, a, work, &p.a, err));
    if (!packed) {
        OQ_TRY(oq_array_in(context, b, work, &p.b, err));
        OQ_TRY(oq_product_space(context, work, g.k, g.n, &p.space, err));
    }
    oq_product_run(&p);
    OQ_TRY(finish(context, &g, oq_in(context, 2), &y, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *a = oq_macs_input(graph, node, 0);
    const oq_type *b = oq_macs_input(graph, node, 1);
    if (!a || !b) return 0;
    const gemm g = read_attributes(node);
    return oq_macs_times(oq_macs_elements(a, 0), oq_macs_dim(b, g.trans_b ? 0 : 1));
}

// Since 7 broadcasting is always on.
static oq_status upgrade_7(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    oq_node_remove_attr(context->node, "broadcast");
    return ONNXQ_OK;
}

#define WIDE (OQ_T(UINT32) | OQ_T(UINT64) | OQ_T(INT32) | OQ_T(INT64))
#define RUNS                                                                                                 \
    .infer = infer, .run = run, .prepare = prepare, .release = oq_packed_free, .spent = 1U << 1, .macs = macs
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3 | WIDE}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | WIDE}, {0}};
static const oq_attr_spec attrs_1[] = {{"alpha", OQ_ATTR_FLOAT, false},   {"beta", OQ_ATTR_FLOAT, false},
                                       {"transA", OQ_ATTR_INT, false},    {"transB", OQ_ATTR_INT, false},
                                       {"broadcast", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_7[] = {{"alpha", OQ_ATTR_FLOAT, false},
                                       {"beta", OQ_ATTR_FLOAT, false},
                                       {"transA", OQ_ATTR_INT, false},
                                       {"transB", OQ_ATTR_INT, false},
                                       {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "A:T, B:T, C:T -> Y:T", .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 6, .signature = "A:T, B:T, C:T -> Y:T", .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 7,
     .signature = "A:T, B:T, C:T -> Y:T",
     .types = types_1,
     .attrs = attrs_7,
     .upgrade = upgrade_7,
     RUNS},
    {.since = 9, .signature = "A:T, B:T, C:T -> Y:T", .types = types_9, .attrs = attrs_7, RUNS},
    {.since = 11, .signature = "A:T, B:T, C?:T -> Y:T", .types = types_9, .attrs = attrs_7, RUNS},
    {.since = 13, .signature = "A:T, B:T, C?:T -> Y:T", .types = types_13, .attrs = attrs_7, RUNS},
};
OQ_ONNX_OP(Gemm, versions);
