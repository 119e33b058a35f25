// DynamicQuantizeMatMul: A quantized to uint8 by its own range, times an 8-bit B, as floats with a bias.
#include "kernels/rows.h"
#include "ops/lib/dynamic.h"
#include "ops/lib/infer.h"
#include "ops/lib/matmul_8.h"

enum { A, B, B_SCALE, B_ZERO, BIAS };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, A, B, ONNXQ_FLOAT, err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_matmul_8_prepare(context, B, state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_matmul_8 m;
    OQ_TRY(oq_matmul_8_begin(context, A, B, &m, err));
    OQ_TRY(oq_qparams_read(context, B_SCALE, B_ZERO, "B", &m.b_params, err));
    const size_t count = (size_t)oq_tensor_count(m.a);
    float scale = 0;
    int32_t zero = 0;
    oq_tensor a = {.dtype = ONNXQ_UINT8, .shape = m.a->shape};
    OQ_TRY(oq_scratch_array(context, count, 1, &a.data, err));
    oq_dynamic_parameters(m.a->data, count, &scale, &zero);
    oq_rows_quantize_8(m.a->data, scale, zero, false, a.data, count);
    m.a = &a;
    m.a_params = (oq_qparams){.count = 1, .scale = &scale, .zero = &zero};
    return oq_matmul_8_run_float(context, &m, BIAS, ONNXQ_FLOAT, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, A); }

static const oq_type_set types[] = {{"T1", OQ_T_FLOAT32}, {"T2", OQ_T(INT8) | OQ_T(UINT8)}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T1, B:T2, b_scale:T1, b_zero_point?:T2, bias?:T1 -> Y:T1",
     .types = types,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << B,
     .macs = macs},
};
OQ_MICROSOFT_OP(DynamicQuantizeMatMul, versions);
