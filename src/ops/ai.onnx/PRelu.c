// PRelu: x, or slope * x below 0; before opset 7 slope was one value or one per channel (axis 1).
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_LOOP(f32, float, a < 0 ? a * b : a)
OQ_BINARY_LOOP(f64, double, a < 0 ? a * b : a)
OQ_BINARY_LOOP(i64, int64_t, a < 0 ? oq_wrap_mul(a, b) : a)
OQ_BINARY_LOOP(u64, uint64_t, a)

// Up to opset 6 a slope of [C] belongs to axis 1 of x: [C, 1, ...] in today's broadcasting.
static oq_status upgrade_7(oq_upgrade_context *context, oq_error *err) {
    const oq_node *node = context->node;
    const oq_type *x = &oq_graph_value(context->graph, node->inputs[0])->type;
    const oq_type *slope = &oq_graph_value(context->graph, node->inputs[1])->type;
    if (x->rank < 0 || slope->rank < 0)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "PRelu needs the ranks of its inputs to become version 7: run "
                       "shape inference on the model first");
    if (slope->rank != 1 || x->rank <= 2 || slope->dim[0].size == 1) return ONNXQ_OK;
    return oq_upgrade_append_ones(context, 1, 1, x->rank - 2, err);
}

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static oq_status run_1(oq_run_context *context, oq_error *err) {
    const oq_tensor *x, *slope;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_need(context, 1, &slope, err));
    oq_shape shape = slope->shape;
    if (shape.rank == 1)
        while (shape.rank + 1 < x->shape.rank) shape.dim[shape.rank++] = 1;
    return oq_binary_run_as(context, &formula, &shape, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_type_set types_16[] = {{"T", OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, slope:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run_1},
    {.since = 6,
     .signature = "X:T, slope:T -> Y:T",
     .types = types_1,
     .infer = oq_infer_unary,
     .run = run_1,
     .upgrade = oq_upgrade_consumed},
    {.since = 7,
     .signature = "X:T, slope:T -> Y:T",
     .types = types_1,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = upgrade_7},
    {.since = 9, .signature = "X:T, slope:T -> Y:T", .types = types_9, .infer = oq_infer_unary, .run = run},
    {.since = 16, .signature = "X:T, slope:T -> Y:T", .types = types_16, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(PRelu, versions);
