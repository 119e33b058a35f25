// Conv: constant weights [M, C/group, k...], one scale per output channel; the bias becomes int32.
#include "quant/rule.h"

#include <string.h>

// What a matrix product over slices costs besides the product itself, moving integers and turning the result
// around, is small beside so many products an element.
#define LEAST_DEPTH   128
#define LEAST_OUTPUTS 16

static bool is_ones(const oq_node *node, const char *name, int spatial, int but) {
    size_t count;
    const int64_t *list = oq_node_ints(node, name, &count);
    for (size_t i = 0; i < count && i < (size_t)spatial; i++)
        if ((int)i != but && list[i] != 1) return false;
    return true;
}

static bool is_padded(const oq_node *node, int spatial, int but) {
    size_t count;
    const int64_t *pads = oq_node_ints(node, "pads", &count);
    for (size_t i = 0; i < count; i++)
        if ((int)i % spatial != but && pads[i]) return true;
    return false;
}

// The one spatial axis along which kernel and input reach further than 1; 0: there are more, or it is no
// plain convolution. Squeeze takes its axes as an input from opset 13 on.
static int find_line(oq_graph *graph, const oq_node *node, const oq_shape *weight) {
    const oq_type *type = &oq_graph_value(graph, node->inputs[0])->type;
    const int spatial = weight->rank - 2;
    const char *mode = oq_node_string(node, "auto_pad", "NOTSET");
    int line = spatial == 1 ? 0 : -1;
    if (type->kind != OQ_TYPE_TENSOR || type->rank != weight->rank || oq_node_int(node, "group", 1) != 1 ||
        (strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0) || oq_model_opset(graph->model, "") < 13)
        return 0;
    for (int i = 0; i < spatial && spatial > 1; i++) {
        if (weight->dim[2 + i] == 1 && type->dim[2 + i].size == 1) continue;
        if (line >= 0) return 0;
        line = i;
    }
    const bool deep = oq_shape_range_count(weight, 1, weight->rank) >= LEAST_DEPTH;
    if (line < 0 || !deep || weight->dim[0] < LEAST_OUTPUTS || is_padded(node, spatial, line) ||
        !is_ones(node, "strides", spatial, line))
        return 0;
    return 2 + line;
}

// A kernel of one element, at every place.
static bool is_point(const oq_node *node, const oq_shape *weight) {
    const int spatial = weight->rank - 2;
    return oq_node_int(node, "group", 1) == 1 && oq_shape_range_count(weight, 2, weight->rank) == 1 &&
           is_ones(node, "strides", spatial, -1) && !is_padded(node, spatial, -1);
}

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    *out = oq_layer_make(OQ_LAYER_CONV, node);
    if (!oq_operand_take(graph, node, 0, &out->operand[0]) ||
        !oq_operand_take(graph, node, 1, &out->operand[1])) {
        *reason = "an operand is missing";
        return ONNXQ_OK;
    }
    const oq_constant *weight = out->operand[1].constant;
    if (!weight) {
        *reason = "its weights are computed at run time";
    } else if (weight->shape.rank < 3) {
        *reason = "its weights have fewer than 3 dimensions";
    } else if (out->operand[0].constant) {
        *reason = "its input is constant";
    }
    if (*reason) return ONNXQ_OK;
    out->operand[1].channels = true;
    out->line = find_line(graph, node, &weight->shape);
    out->point = is_point(node, &weight->shape);
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return ONNXQ_OK;
    out->addend = node->inputs[2];
    OQ_TRY(oq_layer_take_bias(graph, arena, out, weight->shape.dim[0], err));
    // An integer convolution takes int32 bias only, and no range is known for the sum before a computed bias.
    if (!out->vector) *reason = "its bias is computed at run time";
    return ONNXQ_OK;
}

static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    (void)node;
    *out = (oq_weight_axes){.channel = 0, .reduction = 1, .taps = true};
    return index == 1 && shape->rank >= 3;
}

const oq_rule oq_rule_Conv = {
    .op_type = "Conv", .kind = OQ_RULE_COMPUTE, .describe = describe, .weight_axes = weight_axes};
