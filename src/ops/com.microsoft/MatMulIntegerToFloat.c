// MatMulIntegerToFloat: 8-bit matrix product, exact sums, as floats with a bias.
#include "ops/lib/infer.h"
#include "ops/lib/matmul_8.h"

enum { A, B, A_SCALE, B_SCALE, A_ZERO, B_ZERO, BIAS };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, A, B, oq_infer_dtype(context, A_SCALE), err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_matmul_8_prepare(context, B, state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_matmul_8 m;
    OQ_TRY(oq_matmul_8_begin(context, A, B, &m, err));
    OQ_TRY(oq_qparams_read(context, A_SCALE, A_ZERO, "A", &m.a_params, err));
    OQ_TRY(oq_qparams_read(context, B_SCALE, B_ZERO, "B", &m.b_params, err));
    return oq_matmul_8_run_float(context, &m, BIAS, oq_in(context, A_SCALE)->dtype, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, A); }

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types[] = {{"T1", T8}, {"T2", T8}, {"T3", OQ_T_FLOAT32 | OQ_T(FLOAT16)}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T1, B:T2, a_scale:T3, b_scale:T3, a_zero_point?:T1, b_zero_point?:T2, bias?:T3 -> Y:T3",
     .types = types,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << B,
     .macs = macs},
};
OQ_MICROSOFT_OP(MatMulIntegerToFloat, versions);
