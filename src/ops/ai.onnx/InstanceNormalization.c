// InstanceNormalization: every channel of every image on its own.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    if (x->shape.rank < 2) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "InstanceNormalization needs images and channels, not rank %d",
                       x->shape.rank);
    }
    const oq_norm norm = {.rows = (size_t)(x->shape.dim[0] * x->shape.dim[1]),
                          .parts = 1,
                          .part_size = (size_t)oq_shape_range_count(&x->shape, 2, x->shape.rank),
                          .period = (size_t)x->shape.dim[1],
                          .center = true,
                          .epsilon = (double)oq_node_float(context->node, "epsilon", 1e-5F),
                          .scale = oq_in(context, 1),
                          .bias = oq_in(context, 2),
                          .y_dtype = x->dtype};
    return oq_norm_run(context, &norm, err);
}

// consumed_inputs was a hint for memory only.
static oq_status upgrade_6(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    oq_node_remove_attr(context->node, "consumed_inputs");
    return ONNXQ_OK;
}

#define SIGNATURE "input:T, scale:T, B:T -> output:T"
#define RUNS      .signature = SIGNATURE, .infer = oq_infer_unary, .run = run
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {
    {"consumed_inputs", OQ_ATTR_INTS, false}, {"epsilon", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_6[] = {{"epsilon", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 6, .types = types_1, .attrs = attrs_6, .upgrade = upgrade_6, RUNS},
    {.since = 22, .types = types_22, .attrs = attrs_6, RUNS},
};
OQ_ONNX_OP(InstanceNormalization, versions);
