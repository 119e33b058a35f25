// MatMul: numpy's matrix product over leading axes that broadcast.
#include "ops/lib/infer.h"
#include "ops/lib/matmul_float.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_matmul_infer(context, 0, 1, oq_infer_dtype(context, 0), err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_matmul_float_prepare(context, oq_in(context, 1), state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_matmul_float_run(context, oq_in(context, 0), oq_in(context, 1), 1, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) { return oq_matmul_macs(graph, node, 0); }

#define WIDE (OQ_T(UINT32) | OQ_T(UINT64) | OQ_T(INT32) | OQ_T(INT64))
#define RUNS                                                                                                 \
    .infer = infer, .run = run, .prepare = prepare, .release = oq_packed_free, .spent = 1U << 1, .macs = macs
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3 | WIDE}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | WIDE}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "A:T, B:T -> Y:T", .types = types_1, RUNS},
    {.since = 9, .signature = "A:T, B:T -> Y:T", .types = types_9, RUNS},
    {.since = 13, .signature = "A:T, B:T -> Y:T", .types = types_13, RUNS},
};
OQ_ONNX_OP(MatMul, versions);
