// MatMulInteger: 8-bit matrix product to exact int32.
#include "ops/lib/matmul.h"
#include "ops/lib/matmul_8.h"

enum { A, B, A_ZERO, B_ZERO };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, A, B, ONNXQ_INT32, err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_matmul_8_prepare(context, B, state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_matmul_8 m;
    OQ_TRY(oq_matmul_8_begin(context, A, B, &m, err));
    OQ_TRY(oq_qparams_read(context, SIZE_MAX, A_ZERO, "A", &m.a_params, err));
    OQ_TRY(oq_qparams_read(context, SIZE_MAX, B_ZERO, "B", &m.b_params, err));
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, ONNXQ_INT32, &m.plan.out, &y, err));
    m.sums = y->data;
    return oq_matmul_8_run(context, &m, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, A); }

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types[] = {{"T1", T8}, {"T2", T8}, {"T3", OQ_T(INT32)}, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "A:T1, B:T2, a_zero_point?:T1, b_zero_point?:T2 -> Y:T3",
     .types = types,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << B,
     .macs = macs},
};
OQ_ONNX_OP(MatMulInteger, versions);
