// Split: a tensor cut along one axis into given or equal parts.
#include "ops/lib/split.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *given;
    size_t given_count;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input_or_attr(context, 1, "split", &given, &given_count, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), data->shape.rank, &axis, err));
    const size_t count = context->output_count;
    int64_t *sizes = oq_scratch(context, (count + 1) * sizeof *sizes, err);
    if (!sizes) return ONNXQ_NO_MEMORY;
    const int64_t size = data->shape.dim[axis];
    if (given)
        OQ_TRY(oq_split_given(given, given_count, count, size, sizes, err));
    else
        OQ_TRY(oq_split_equal(context->node, count, size, context->opset >= 18, sizes, err));
    int64_t from = 0;
    for (size_t o = 0; o < count; from += sizes[o++])
        if (oq_wanted(context, o)) OQ_TRY(oq_out_part(context, o, data, axis, from, sizes[o], err));
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    const size_t count = context->output_count;
    for (size_t o = 0; o < count; ++o) oq_infer_set_dtype(context, o, oq_infer_dtype(context, 0));
    if (!in || in->rank < 0) return ONNXQ_OK;
    int axis;
    OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", 0), in->rank, &axis, err));
    int64_t given[OQ_INFER_MAX_DIMS], sizes[OQ_INFER_MAX_DIMS];
    size_t given_count;
    const oq_list_state state = oq_infer_list(context, 1, "split", given, &given_count);
    const oq_dim dim = in->dim[axis];
    bool known = count <= OQ_INFER_MAX_DIMS && state != OQ_LIST_UNKNOWN;
    if (known && state == OQ_LIST_KNOWN)
        OQ_TRY(oq_split_given(given, given_count, count, oq_dim_known(dim) ? dim.size : -1, sizes, err));
    else if (known && (known = oq_dim_known(dim)))
        OQ_TRY(oq_split_equal(context->node, count, dim.size, context->opset >= 18, sizes, err));
    for (size_t o = 0; o < count; ++o) {
        oq_type part = *in;
        part.dim[axis] = known ? oq_dim_of(sizes[o]) : OQ_DIM_ANONYMOUS;
        oq_infer_set_type(context, o, &part);
    }
    return ONNXQ_OK;
}

// Split-1 may have the sizes as an input of the data's own type, which no later version takes.
static oq_status upgrade_2(oq_upgrade_context *context, oq_error *err) {
    if (context->node->input_count > 1 && context->node->inputs[1] != OQ_NONE)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Split of opset 1 with its sizes as an input cannot be upgraded");
    return ONNXQ_OK;
}

static oq_status upgrade_13(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_ints(context, "split", 1, err);
}

static oq_status upgrade_18(oq_upgrade_context *context, oq_error *err) {
    oq_node *node = context->node;
    if (node->input_count > 1 && node->inputs[1] != OQ_NONE) return ONNXQ_OK;
    return oq_node_set_int(context->graph, node, "num_outputs", (int64_t)node->output_count, err);
}

#define AXIS                                                                                                 \
    { "axis", OQ_ATTR_INT, false }
static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T, split?:T -> outputs+:T",
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),
     .attrs = OQ_ATTRS(AXIS, {"split", OQ_ATTR_INTS, false}),
     .infer = infer,
     .run = run},
    {.since = 2,
     .signature = "input:T -> outputs+:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS(AXIS, {"split", OQ_ATTR_INTS, false}),
     .infer = infer,
     .run = run,
     .upgrade = upgrade_2},
    {.since = 11,
     .signature = "input:T -> outputs+:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS(AXIS, {"split", OQ_ATTR_INTS, false}),
     .infer = infer,
     .run = run},
    {.since = 13,
     .signature = "input:T, split?:int64 -> outputs+:T",
     .types = OQ_TYPES({"T", OQ_T_ALL13}),
     .attrs = OQ_ATTRS(AXIS),
     .infer = infer,
     .run = run,
     .upgrade = upgrade_13},
    {.since = 18,
     .signature = "input:T, split?:int64 -> outputs+:T",
     .types = OQ_TYPES({"T", OQ_T_ALL13}),
     .attrs = OQ_ATTRS(AXIS, {"num_outputs", OQ_ATTR_INT, false}),
     .infer = infer,
     .run = run,
     .upgrade = upgrade_18},
};

OQ_ONNX_OP(Split, versions);
