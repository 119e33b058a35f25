// QLinearMatMul: 8-bit matrix product, exact int32 sums, requantized; float8 factors through float32.
#include "ops/lib/infer.h"
#include "ops/lib/matmul_8.h"
#include "ops/lib/quantize.h"

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, A, B, oq_infer_dtype(context, Y_ZERO), err);
}

static bool is_byte(oq_dtype dtype) { return dtype == ONNXQ_INT8 || dtype == ONNXQ_UINT8; }

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_matmul_8_prepare(context, B, state, err);
}

// (x - zero) * scale of every element, as float32; rows have their own parameters, or columns, or none.
static oq_status dequantized(oq_run_context *context, const oq_tensor *x, const oq_qparams *p, bool per_row,
                             size_t rows, size_t columns, const float **out, oq_error *err) {
    void *values = NULL;
    const size_t count = (size_t)oq_tensor_count(x);
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &values, err));
    float *to = values;
    oq_load_f32(x->dtype, x->data, to, count);
    for (size_t i = 0; i < count; i++) {
        const size_t matrix = i / (rows * columns);
        const size_t at = per_row ? i / columns : matrix * columns + i % columns;
        const size_t k = p->count == 1 ? 0 : at % p->count;
        to[i] = (to[i] - (float)p->zero[k]) * p->scale[k];
    }
    *out = values;
    return ONNXQ_OK;
}

// At least one tensor is float8: the product of the dequantized factors, quantized.
static oq_status run_float(oq_run_context *context, const oq_matmul_8 *m, oq_tensor *y, oq_error *err) {
    const oq_matmul *plan = &m->plan;
    const float *a = NULL;
    const float *b = NULL;
    void *sums = NULL;
    if (!oq_tensor_count(y)) return ONNXQ_OK;
    oq_product p = {.work = OQ_WORK_F32, .m = plan->m, .n = plan->n, .k = plan->k};
    OQ_TRY(dequantized(context, m->a, &m->a_params, true, plan->m, plan->k, &a, err));
    OQ_TRY(dequantized(context, m->b, &m->b_params, false, plan->k, plan->n, &b, err));
    OQ_TRY(oq_product_space(context, OQ_WORK_F32, plan->k, plan->n, &p.space, err));
    OQ_TRY(oq_scratch_array(context, (size_t)oq_tensor_count(y), sizeof(float), &sums, err));
    p.a_row = plan->k;
    p.a_column = 1;
    p.ldb = plan->n;
    p.ldc = plan->n;
    for (size_t i = 0; i < plan->batches; i++) {
        size_t ai = 0;
        size_t bi = 0;
        oq_matmul_batch(plan, i, &ai, &bi);
        p.a = a + ai * plan->m * plan->k;
        p.b = b + bi * plan->k * plan->n;
        p.c = (float *)sums + i * plan->m * plan->n;
        oq_product_run(&p);
    }
    const oq_quantize_row row = {.x_dtype = ONNXQ_FLOAT,
                                 .x = sums,
                                 .scale = &m->y_scale,
                                 .zero = &m->y_zero,
                                 .saturate = true,
                                 .y_dtype = y->dtype,
                                 .y = y->data,
                                 .count = (size_t)oq_tensor_count(y)};
    oq_quantize_row_run(&row);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_matmul_8 m;
    oq_qparams y_params;
    const oq_dtype dtype = oq_in(context, Y_ZERO)->dtype;
    OQ_TRY(oq_matmul_8_begin(context, A, B, &m, err));
    OQ_TRY(oq_qparams_read(context, A_SCALE, A_ZERO, "A", &m.a_params, err));
    OQ_TRY(oq_qparams_read(context, B_SCALE, B_ZERO, "B", &m.b_params, err));
    OQ_TRY(oq_qparams_read(context, Y_SCALE, Y_ZERO, "the output", &y_params, err));
    if (y_params.count != 1) {
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "QLinearMatMul with %zu scales for its output is not supported: "
                       "give it one",
                       y_params.count);
    }
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, dtype, &m.plan.out, &y, err));
    m.out = y->data;
    m.out_signed = dtype == ONNXQ_INT8;
    m.y_scale = y_params.scale[0];
    m.y_zero = y_params.zero[0];
    if (is_byte(m.a->dtype) && is_byte(m.b->dtype) && is_byte(dtype))
        return oq_matmul_8_run(context, &m, err);
    return run_float(context, &m, y, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, A); }

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
#define RUNS                                                                                                 \
    .infer = infer, .run = run, .prepare = prepare, .release = oq_packed_free, .spent = 1U << B, .macs = macs
static const oq_type_set types_10[] = {{"T1", T8}, {"T2", T8}, {"T3", T8}, {0}};
static const oq_type_set types_21[] = {{"TS", OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16)},
                                       {"T1", T8 | OQ_T_FLOAT8},
                                       {"T2", T8 | OQ_T_FLOAT8},
                                       {"T3", T8 | OQ_T_FLOAT8},
                                       {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "a:T1, a_scale:float32, a_zero_point:T1, b:T2, b_scale:float32, b_zero_point:T2, "
                  "y_scale:float32, y_zero_point:T3 -> y:T3",
     .types = types_10,
     RUNS},
    {.since = 21,
     .signature = "a:T1, a_scale:TS, a_zero_point:T1, b:T2, b_scale:TS, b_zero_point:T2, y_scale:TS, "
                  "y_zero_point:T3 -> y:T3",
     .types = types_21,
     RUNS},
};
OQ_ONNX_OP(QLinearMatMul, versions);
