// QGemm: alpha * A' x B' + C on 8-bit factors, C in int32 steps of the product; quantized, or as floats.
#include "ops/lib/factor.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/qparam.h"

#include "kernels/rows.h"

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, C, Y_SCALE, Y_ZERO };

// Whether the attribute transposes factor `input`.
static bool transposes(const oq_node *node, size_t input) {
    return oq_node_int(node, input == A ? "transA" : "transB", 0) != 0;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const bool quantized = oq_infer_given(context, Y_ZERO);
    const oq_dtype dtype = quantized ? oq_infer_dtype(context, Y_ZERO) : ONNXQ_FLOAT;
    const int a_rank = oq_infer_rank(context, A);
    const int b_rank = oq_infer_rank(context, B);
    if ((a_rank >= 0 && a_rank != 2) || (b_rank >= 0 && b_rank != 2))
        return oq_fail(err, ONNXQ_BAD_MODEL, "QGemm multiplies matrices: A and B must have rank 2");
    const oq_dim dims[] = {oq_infer_dim(context, A, transposes(context->node, A)),
                           oq_infer_dim(context, B, !transposes(context->node, B))};
    oq_infer_set(context, 0, dtype, 2, dims);
    return ONNXQ_OK;
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    const oq_tensor *b = oq_in(context, B);
    if (!b || b->shape.rank != 2) return ONNXQ_OK;
    const bool transposed = transposes(context->node, B);
    oq_packed *packed = NULL;
    OQ_TRY(oq_factor_pack_8(context, b, 1, (size_t)b->shape.dim[transposed],
                            (size_t)b->shape.dim[!transposed], transposed, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

static oq_status read_shapes(const oq_run_context *context, oq_gemm_8 *g, oq_error *err) {
    const oq_shape *a = &oq_in(context, A)->shape;
    const oq_shape *b = &oq_in(context, B)->shape;
    const bool ta = transposes(context->node, A);
    const bool tb = transposes(context->node, B);
    char left[OQ_MAX_RANK * 21];
    char right[OQ_MAX_RANK * 21];
    if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
        return oq_fail(err, ONNXQ_BAD_MODEL, "A%s %s and B%s %s cannot be multiplied", ta ? "'" : "",
                       oq_shape_format(a, left, sizeof left), tb ? "'" : "",
                       oq_shape_format(b, right, sizeof right));
    g->m = (size_t)a->dim[ta];
    g->k = (size_t)a->dim[!ta];
    g->n = (size_t)b->dim[!tb];
    g->lda = g->k;
    g->ldc = g->n;
    return ONNXQ_OK;
}

// A as rows of k, and B packed.
static oq_status take_factors(oq_run_context *context, oq_gemm_8 *g, oq_error *err) {
    const oq_tensor *a = oq_in(context, A);
    const oq_tensor *b = oq_in(context, B);
    const oq_packed *packed = context->state;
    void *space = NULL;
    g->a = a->data;
    g->a_signed = a->dtype == ONNXQ_INT8;
    g->b_signed = b->dtype == ONNXQ_INT8;
    if (transposes(context->node, A)) {
        const oq_shape onto = OQ_SHAPE((int64_t)g->m, (int64_t)g->k);
        const int64_t strides[] = {1, (int64_t)g->m};
        OQ_TRY(oq_scratch_array(context, g->m * g->k, 1, &space, err));
        oq_array_gather(a->data, strides, &onto, 1, space);
        g->a = space;
    }
    if (packed) {
        g->b = packed->panels;
        return ONNXQ_OK;
    }
    const bool transposed = transposes(context->node, B);
    OQ_TRY(oq_scratch_array(context, 1, oq_gemm_8_packed_bytes(g->k, g->n), &space, err));
    oq_gemm_8_pack(b->data, g->b_signed, transposed ? g->k : g->n, transposed, g->k, g->n, space);
    g->b = space;
    return ONNXQ_OK;
}

// Adds C, broadcast to [m, n], to the sums.
static oq_status add_c(oq_run_context *context, const oq_gemm_8 *g, oq_error *err) {
    const oq_tensor *c = oq_in(context, C);
    const oq_shape onto = OQ_SHAPE((int64_t)g->m, (int64_t)g->n);
    oq_shape shape;
    int64_t strides[OQ_MAX_RANK];
    if (!c) return ONNXQ_OK;
    OQ_TRY(oq_shape_broadcast(&c->shape, &onto, &shape, err));
    if (!oq_shape_equal(&shape, &onto))
        return oq_fail(err, ONNXQ_BAD_MODEL, "C of QGemm does not broadcast to [%zu,%zu]", g->m, g->n);
    oq_broadcast_strides(&c->shape, &onto, strides);
    for (size_t i = 0; i < g->m * g->n; i++) {
        const int64_t at = (int64_t)(i / g->n) * strides[0] + (int64_t)(i % g->n) * strides[1];
        g->c[i] = (int32_t)((uint32_t)g->c[i] + (uint32_t)((const int32_t *)c->data)[at]);
    }
    return ONNXQ_OK;
}

// Output 0 from the sums: multiplied per column or all alike, and quantized when there is a zero point.
static oq_status finish(oq_run_context *context, const oq_gemm_8 *g, const oq_qparams *a, const oq_qparams *b,
                        oq_error *err) {
    const oq_tensor *zero = oq_in(context, Y_ZERO);
    const oq_shape shape = OQ_SHAPE((int64_t)g->m, (int64_t)g->n);
    const float alpha = oq_node_float(context->node, "alpha", 1.0F);
    const size_t step = b->count > 1;
    oq_qparams y;
    oq_tensor *out = NULL;
    void *block = NULL;
    OQ_TRY(oq_qparams_read(context, Y_SCALE, Y_ZERO, "Y", &y, err));
    OQ_TRY(oq_scratch_array(context, b->count, sizeof(float), &block, err));
    float *multiplier = block;
    for (size_t j = 0; j < b->count; j++)
        multiplier[j] = alpha * oq_qparams_scale(a, 0) * oq_qparams_scale(b, j) / oq_qparams_scale(&y, 0);
    OQ_TRY(oq_out(context, 0, zero ? zero->dtype : ONNXQ_FLOAT, &shape, &out, err));
    for (size_t i = 0; i < g->m; i++) {
        const int32_t *sums = g->c + i * g->n;
        if (zero) {
            oq_rows_requantize_8(sums, multiplier, step, y.zero[0], zero->dtype == ONNXQ_INT8,
                                 (uint8_t *)out->data + i * g->n, g->n);
            continue;
        }
        float *row = (float *)out->data + i * g->n;
        for (size_t j = 0; j < g->n; j++) row[j] = (float)sums[j] * multiplier[j * step];
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_gemm_8 g = {.pool = context->pool};
    oq_qparams a;
    oq_qparams b;
    void *sums = NULL;
    OQ_TRY(read_shapes(context, &g, err));
    OQ_TRY(oq_qparams_read(context, A_SCALE, A_ZERO, "A", &a, err));
    OQ_TRY(oq_qparams_read(context, B_SCALE, B_ZERO, "B", &b, err));
    if (a.count != 1 || (b.count != 1 && b.count != g.n))
        return oq_fail(err, ONNXQ_BAD_MODEL, "QGemm has %zu scales for A and %zu for the %zu columns of B",
                       a.count, b.count, g.n);
    OQ_TRY(take_factors(context, &g, err));
    OQ_TRY(oq_scratch_array(context, g.m * g.n, sizeof(int32_t), &sums, err));
    g.a_zero = a.zero;
    g.b_zero = b.zero;
    g.b_zero_per_column = b.count > 1;
    g.c = sums;
    if (g.m && g.n) oq_gemm_8_run(&g);
    OQ_TRY(add_c(context, &g, err));
    return finish(context, &g, &a, &b, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *a = oq_macs_input(graph, node, A);
    const oq_type *b = oq_macs_input(graph, node, B);
    return a && b ? oq_macs_times(oq_macs_elements(a, 0), oq_macs_dim(b, !transposes(node, B))) : 0;
}

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types[] = {
    {"T", OQ_T_FLOAT32},       {"TA", T8}, {"TB", T8}, {"TC", OQ_T(INT32)}, {"TYZ", T8},
    {"TY", OQ_T_FLOAT32 | T8}, {0}};
static const oq_attr_spec attrs[] = {
    {"alpha", OQ_ATTR_FLOAT, false}, {"transA", OQ_ATTR_INT, false}, {"transB", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:TA, a_scale:T, a_zero_point:TA, B:TB, b_scale:T, b_zero_point:TB, C?:TC, y_scale?:T, "
                  "y_zero_point?:TYZ -> Y:TY",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << B,
     .macs = macs},
};
OQ_MICROSOFT_OP(QGemm, versions);
