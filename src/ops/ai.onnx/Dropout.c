// Dropout: in inference the input itself; in training, elements set to 0 at random and the rest scaled up.
#include "ops/lib/convert.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/random.h"

#include <string.h>

// x * mask / (1 - ratio) with mask = uniform >= ratio; `keep` gets the mask as 0 and 1.
static oq_status drop(oq_run_context *context, const oq_tensor *x, double ratio, uint8_t *keep,
                      oq_error *err) {
    oq_tensor *y;
    oq_random *random = oq_scratch(context, sizeof *random, err);
    if (!random) return ONNXQ_NO_MEMORY;
    if (!(ratio >= 0 && ratio < 1))
        return oq_fail(err, ONNXQ_BAD_MODEL, "Dropout: ratio %g is not in [0, 1)", ratio);
    const size_t bytes = oq_dtype_bytes(x->dtype), count = (size_t)oq_tensor_count(x);
    const double scale = 1 / (1 - ratio);
    oq_random_seed(random, oq_random_seed_of(context->node));
    OQ_TRY(oq_out(context, 0, x->dtype, &x->shape, &y, err));
    double block[OQ_BLOCK];
    for (size_t at = 0; at < count; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, count - at);
        oq_load_f64(x->dtype, oq_at(x->data, at, bytes), block, n);
        for (size_t i = 0; i < n; i++) {
            keep[at + i] = oq_random_uniform(random) >= ratio;
            block[i] = keep[at + i] ? block[i] * scale : 0;
        }
        oq_store_f64(x->dtype, block, oq_at_mutable(y->data, at, bytes), n);
    }
    return ONNXQ_OK;
}

// Output 0 and, when it is asked for, the mask: of bool since version 10, of the type of x before.
static oq_status run_with(oq_run_context *context, double ratio, bool training, oq_error *err) {
    const oq_tensor *x;
    OQ_TRY(oq_need(context, 0, &x, err));
    const size_t count = (size_t)oq_tensor_count(x);
    const oq_dtype mask_dtype = context->version->since >= 10 ? ONNXQ_BOOL : x->dtype;
    uint8_t *keep = oq_scratch(context, count, err);
    if (!keep) return ONNXQ_NO_MEMORY;
    if (training && ratio != 0) {
        OQ_TRY(drop(context, x, ratio, keep, err));
    } else {
        if (count) memset(keep, 1, count);
        OQ_TRY(oq_out_view(context, 0, x, &x->shape, err));
    }
    if (!oq_wanted(context, 1)) return ONNXQ_OK;
    oq_tensor *mask;
    OQ_TRY(oq_out(context, 1, mask_dtype, &x->shape, &mask, err));
    oq_convert_block(ONNXQ_BOOL, keep, mask_dtype, mask->data, count,
                     &(oq_convert_options){.saturate = true});
    return ONNXQ_OK;
}

static oq_status run_1(oq_run_context *context, oq_error *err) {
    return run_with(context, oq_node_float(context->node, "ratio", 0.5f),
                    !oq_node_int(context->node, "is_test", 0), err);
}

static oq_status run_7(oq_run_context *context, oq_error *err) { return run_with(context, 0.5, false, err); }

static oq_status run_12(oq_run_context *context, oq_error *err) {
    const oq_tensor *ratio = oq_in(context, 1), *training = oq_in(context, 2);
    if ((ratio && oq_tensor_count(ratio) != 1) || (training && oq_tensor_count(training) != 1))
        return oq_fail(err, ONNXQ_BAD_MODEL, "Dropout: ratio and training_mode must be one element each");
    return run_with(context, ratio ? oq_tensor_get_f64(ratio, 0) : 0.5,
                    training && oq_tensor_get_i64(training, 0), err);
}

static bool random_1(oq_graph *graph, const oq_node *node) {
    (void)graph;
    return !oq_node_int(node, "is_test", 0);
}

static bool never_random(oq_graph *graph, const oq_node *node) {
    (void)graph, (void)node;
    return false;
}

// A constant that is false, such as training_mode usually is.
static bool is_false(oq_graph *graph, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    oq_tensor tensor;
    if (!constant || constant->dtype != ONNXQ_BOOL || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, NULL) != ONNXQ_OK)
        return false;
    const bool result = !*(const uint8_t *)tensor.data;
    oq_tensor_release(&tensor);
    return result;
}

// In training, which is off unless input 2 says otherwise.
static bool random_12(oq_graph *graph, const oq_node *node) {
    return node->input_count > 2 && node->inputs[2] != OQ_NONE && !is_false(graph, node->inputs[2]);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_unary(context, err));
    if (context->output_count < 2 || !context->in[0]) return ONNXQ_OK;
    context->out[1] = *context->in[0];
    if (context->opset >= 10) context->out[1].dtype = ONNXQ_BOOL;
    return ONNXQ_OK;
}

// Since version 7 a Dropout of a model is at rest; the old way to say so goes.
static oq_status upgrade_7(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    oq_node_remove_attr(context->node, "is_test");
    oq_graph_touch_node(context->graph, context->node);
    return ONNXQ_OK;
}

// The mask became bool; whoever used it as a number gets a Cast.
static oq_status upgrade_10(oq_upgrade_context *context, oq_error *err) {
    oq_node *const node = context->node, *cast;
    oq_graph *const graph = context->graph;
    if (node->output_count < 2 || node->outputs[1] == OQ_NONE) return ONNXQ_OK;
    const oq_value_id old = node->outputs[1];
    const oq_dtype dtype = oq_graph_value(graph, node->inputs[0])->type.dtype;
    const oq_gvalue *value = oq_graph_value(graph, old);
    if (!value->use_count && !value->is_output) // nobody reads it; its old type would contradict
        return oq_node_set_output(graph, node, 1, OQ_NONE, err);
    if (dtype == ONNXQ_UNDEFINED)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Dropout needs the type of its input to become version 10: run "
                       "shape inference first");
    const char *name;
    oq_value_id fresh;
    OQ_TRY(oq_graph_unique_name(graph, value->name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &fresh, err));
    OQ_TRY(oq_node_set_output(graph, node, 1, fresh, err));
    OQ_TRY(oq_graph_add_node(graph, "", "Cast", "", &fresh, 1, &old, 1, &cast, err));
    return oq_node_set_int(graph, cast, "to", dtype, err);
}

static oq_status upgrade_12(oq_upgrade_context *context, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, "ratio");
    if (!attr) return ONNXQ_OK;
    const float ratio = attr->f;
    oq_node_remove_attr(context->node, "ratio");
    return oq_upgrade_number_input(context, 1, "ratio", ONNXQ_FLOAT, ratio, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_10[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_12[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T_FLOATS3}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {"T1", OQ_T_FLOATS3}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_type_set types_22[] = {
    {"T", OQ_T_FLOATS4 | OQ_T_FLOAT8}, {"T1", OQ_T_FLOATS4 | OQ_T_FLOAT8}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_1[] = {{"is_test", OQ_ATTR_INT, false},
                                       {"consumed_inputs", OQ_ATTR_INTS, false},
                                       {"ratio", OQ_ATTR_FLOAT, false},
                                       {0}};
static const oq_attr_spec attrs_6[] = {{"is_test", OQ_ATTR_INT, false}, {"ratio", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_7[] = {{"ratio", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_12[] = {{"seed", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data:T -> output:T, mask?:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = infer,
     .random = random_1,
     .run = run_1},
    {.since = 6,
     .signature = "data:T -> output:T, mask?:T",
     .types = types_1,
     .attrs = attrs_6,
     .infer = infer,
     .random = random_1,
     .run = run_1,
     .upgrade = oq_upgrade_consumed},
    {.since = 7,
     .signature = "data:T -> output:T, mask?:T",
     .types = types_1,
     .attrs = attrs_7,
     .infer = infer,
     .random = never_random,
     .run = run_7,
     .upgrade = upgrade_7},
    {.since = 10,
     .signature = "data:T -> output:T, mask?:T1",
     .types = types_10,
     .attrs = attrs_7,
     .infer = infer,
     .random = never_random,
     .run = run_7,
     .upgrade = upgrade_10},
    {.since = 12,
     .signature = "data:T, ratio?:T1, training_mode?:T2 -> output:T, mask?:T2",
     .types = types_12,
     .attrs = attrs_12,
     .infer = infer,
     .random = random_12,
     .run = run_12,
     .upgrade = upgrade_12},
    {.since = 13,
     .signature = "data:T, ratio?:T1, training_mode?:T2 -> output:T, mask?:T2",
     .types = types_13,
     .attrs = attrs_12,
     .infer = infer,
     .random = random_12,
     .run = run_12},
    {.since = 22,
     .signature = "data:T, ratio?:T1, training_mode?:T2 -> output:T, mask?:T2",
     .types = types_22,
     .attrs = attrs_12,
     .infer = infer,
     .random = random_12,
     .run = run_12},
};

OQ_OP(ai_onnx, Dropout, "", versions, OQ_OP_RANDOM);
