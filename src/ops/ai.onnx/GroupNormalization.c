// GroupNormalization: groups of channels of every image; scale per group in opset 18, per channel since 21.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

#include <string.h>

static oq_status run_with(oq_run_context *context, bool per_channel, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const int64_t groups = oq_node_int(context->node, "num_groups", 0);
    if (x->shape.rank < 2 || groups < 1 || x->shape.dim[1] % groups != 0) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "num_groups (%lld) must divide the channels of the input",
                       (long long)groups);
    }
    const size_t channels = (size_t)(x->shape.dim[1] / groups);
    const size_t image = (size_t)oq_shape_range_count(&x->shape, 2, x->shape.rank);
    size_t rows = 0;
    if (!oq_mul_size((size_t)x->shape.dim[0], (size_t)groups, &rows) || !oq_tensor_count(x)) rows = 0;
    const oq_norm norm = {.rows = rows,
                          .parts = per_channel ? channels : 1,
                          .part_size = per_channel ? image : channels * image,
                          .period = (size_t)groups,
                          .center = true,
                          .epsilon = (double)oq_node_float(context->node, "epsilon", 1e-5F),
                          .scale = oq_in(context, 1),
                          .bias = oq_in(context, 2),
                          .y_dtype = x->dtype};
    return oq_norm_run(context, &norm, err);
}

static oq_status run_18(oq_run_context *context, oq_error *err) { return run_with(context, false, err); }
static oq_status run_21(oq_run_context *context, oq_error *err) { return run_with(context, true, err); }

// A constant of one value per group becomes one of one value per channel.
static oq_status repeat(oq_upgrade_context *context, size_t input, int64_t groups, int64_t each,
                        oq_error *err) {
    oq_graph *graph = context->graph;
    const oq_value_id id = context->node->inputs[input];
    const oq_constant *constant = oq_graph_constant(graph, id);
    if (!constant || constant->shape.rank != 1 || constant->shape.dim[0] != groups) {
        return oq_fail(
            err, ONNXQ_UNSUPPORTED,
            "cannot give the scale and bias of GroupNormalization one value per channel: they are not "
            "constants of %lld values",
            (long long)groups);
    }
    oq_tensor old = {0};
    oq_tensor new = {0};
    const oq_shape shape = OQ_SHAPE(groups * each);
    OQ_TRY(oq_constant_load(graph->model->mem, constant, &old, err));
    oq_status status = oq_tensor_new(graph->model->mem, old.dtype, &shape, &new, err);
    if (status == ONNXQ_OK) {
        const size_t size = oq_dtype_bytes(old.dtype);
        for (int64_t i = 0; i < groups * each; i++) {
            memcpy(oq_at_mutable(new.data, (size_t)i, size), oq_at(old.data, (size_t)(i / each), size), size);
        }
        oq_value_id replaced = OQ_NONE;
        status = oq_graph_add_initializer(graph, oq_graph_value(graph, id)->name, new, &replaced, err);
        if (status == ONNXQ_OK) status = oq_node_set_input(graph, context->node, input, replaced, err);
    }
    oq_tensor_release(&old);
    return status;
}

static oq_status upgrade_21(oq_upgrade_context *context, oq_error *err) {
    const oq_type *x = &oq_graph_value(context->graph, context->node->inputs[0])->type;
    const int64_t groups = oq_node_int(context->node, "num_groups", 0);
    const int64_t channels = x->rank > 1 ? x->dim[1].size : -1;
    if (groups < 1 || channels < 0 || channels % groups != 0) {
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "cannot give GroupNormalization one scale per channel: its channels are not known");
    }
    OQ_TRY(repeat(context, 1, groups, channels / groups, err));
    return repeat(context, 2, groups, channels / groups, err);
}

#define SIGNATURE "X:T, scale:T, bias:T -> Y:T"
static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_18[] = {
    {"epsilon", OQ_ATTR_FLOAT, false}, {"num_groups", OQ_ATTR_INT, true}, {0}};
static const oq_attr_spec attrs_21[] = {{"epsilon", OQ_ATTR_FLOAT, false},
                                        {"num_groups", OQ_ATTR_INT, true},
                                        {"stash_type", OQ_ATTR_INT, false},
                                        {0}};

static const oq_op_version versions[] = {
    {.since = 18,
     .signature = SIGNATURE,
     .types = types,
     .attrs = attrs_18,
     .infer = oq_infer_unary,
     .run = run_18},
    {.since = 21,
     .signature = SIGNATURE,
     .types = types,
     .attrs = attrs_21,
     .infer = oq_infer_unary,
     .run = run_21,
     .upgrade = upgrade_21},
};
OQ_ONNX_OP(GroupNormalization, versions);
