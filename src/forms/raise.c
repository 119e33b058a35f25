// Integer operators to DequantizeLinear, the float operator, QuantizeLinear.
#include "forms/raise.h"

#include <string.h>

static const char microsoft[] = "com.microsoft";

// --- parameters ---

// All dimensions but one are 1; its number counted from the end, or 0 when there is none such.
static int long_dimension(const oq_shape *shape) {
    int found = 0;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1) {
            if (found) return 0;
            found = i - shape->rank;
        }
    return found;
}

// One element repeated `count` times in place of a constant of one.
static oq_status repeated(oq_graph *graph, oq_value_id *value, int64_t count, oq_error *err) {
    oq_tensor from, to;
    const oq_shape shape = OQ_SHAPE(count);
    OQ_TRY(oq_constant_load(graph->model->mem, oq_graph_constant(graph, *value), &from, err));
    oq_status status = oq_tensor_new(graph->model->mem, from.dtype, &shape, &to, err);
    const size_t size = oq_dtype_bytes(from.dtype);
    for (int64_t i = 0; status == ONNXQ_OK && i < count; i++)
        memcpy((unsigned char *)to.data + (size_t)i * size, from.data, size);
    oq_tensor_release(&from);
    OQ_TRY(status);
    return oq_graph_add_initializer(graph, oq_graph_value(graph, *value)->name, to, value, err);
}

oq_status oq_raise_operand(oq_graph *graph, oq_value_id q, oq_value_id scale, oq_value_id zero, int axis,
                           oq_form_operand *out, const char **reason, oq_error *err) {
    *out = (oq_form_operand){.q = q, .scale = scale, .zero = zero, .axis = axis};
    const int64_t scales = oq_form_elements(graph, scale),
                  zeros = zero == OQ_NONE ? 1 : oq_form_elements(graph, zero);
    const int64_t count = scales > zeros ? scales : zeros;
    const oq_constant *constant = oq_graph_constant(graph, scale);
    if (scales < 1 || zeros < 1)
        *reason = "the shape of its scales is not known";
    else if ((!constant || (zero != OQ_NONE && !oq_graph_constant(graph, zero))) && count > 1)
        *reason = "its scales per channel are computed at run time";
    else if ((scales > 1 && scales != count) || (zeros > 1 && zeros != count))
        *reason = "it has more scales than zero points, or fewer";
    if (*reason || (count == 1 && !constant)) return ONNXQ_OK; // one of rank 0, or nearly so
    const oq_shape *shape = scales == count ? &constant->shape : &oq_graph_constant(graph, zero)->shape;
    out->several = count > 1;
    if (out->several && shape->rank > 1) out->axis = long_dimension(shape);
    if (out->several && !out->axis && shape->rank > 1) {
        *reason = "its scales differ along more than one axis";
        return ONNXQ_OK;
    }
    if (scales != count) OQ_TRY(repeated(graph, &out->scale, count, err));
    if (zeros != count && zero != OQ_NONE) OQ_TRY(repeated(graph, &out->zero, count, err));
    const oq_shape flat = out->several ? OQ_SHAPE(count) : (oq_shape){.rank = 0};
    OQ_TRY(oq_form_reshaped(graph, out->scale, &flat, &out->scale, err));
    if (zero == OQ_NONE || !oq_graph_constant(graph, out->zero)) return ONNXQ_OK;
    return oq_form_reshaped(graph, out->zero, &flat, &out->zero, err);
}

// --- operators with a fixed list of inputs ---

// Each integer operand is followed by its scale and its zero point.
typedef struct form {
    const char *domain, *op_type, *float_op;
    int operands;
    int at[2];  // inputs that hold integers
    int bias;   // input of the int32 bias, or -1
    int result; // input of the scale of the result
    int (*axis)(const oq_node *node, int operand);
    const char *without[3]; // attributes that the float operator does not have
} form;

static int conv_axis(const oq_node *node, int operand) {
    (void)node, (void)operand;
    return 0;
}

// Rows of the left factor, columns of the right one.
static int matmul_axis(const oq_node *node, int operand) {
    (void)node;
    return operand ? -1 : -2;
}

static int gemm_axis(const oq_node *node, int operand) {
    const bool transposed = oq_node_int(node, operand ? "transB" : "transA", 0) != 0;
    return operand == (int)transposed ? 0 : 1;
}

static int no_axis(const oq_node *node, int operand) {
    (void)node, (void)operand;
    return 1;
}

static const form forms_table[] = {
    {"", "QLinearConv", "Conv", 2, {0, 3}, 8, 6, conv_axis, {NULL}},
    {"", "QLinearMatMul", "MatMul", 2, {0, 3}, -1, 6, matmul_axis, {NULL}},
    {microsoft, "QGemm", "Gemm", 2, {0, 3}, 6, 7, gemm_axis, {NULL}},
    {microsoft, "QLinearAdd", "Add", 2, {0, 3}, -1, 6, no_axis, {NULL}},
    {microsoft, "QLinearMul", "Mul", 2, {0, 3}, -1, 6, no_axis, {NULL}},
    {microsoft, "QLinearSigmoid", "Sigmoid", 1, {0}, -1, 3, no_axis, {NULL}},
    {microsoft, "QLinearLeakyRelu", "LeakyRelu", 1, {0}, -1, 3, no_axis, {NULL}},
    {microsoft, "QLinearSoftmax", "Softmax", 1, {0}, -1, 3, no_axis, {"opset"}},
    {microsoft, "QLinearGlobalAveragePool", "GlobalAveragePool", 1, {0}, -1, 3, no_axis, {"channels_last"}},
    {microsoft, "QLinearAveragePool", "AveragePool", 1, {0}, -1, 3, no_axis, {"channels_last"}},
};

static const form *find_form(const oq_node *node) {
    for (size_t i = 0; i < sizeof forms_table / sizeof *forms_table; i++)
        if (strcmp(node->op_type, forms_table[i].op_type) == 0 &&
            strcmp(node->domain, forms_table[i].domain) == 0)
            return &forms_table[i];
    return NULL;
}

// The parameters of a bias that is added to sums: s_0 s_1, one or one per channel, in float32.
static oq_status bias_operand(oq_graph *graph, const oq_node *node, const oq_form_operand *in, int bias,
                              oq_form_operand *out, const char **reason, oq_error *err) {
    const oq_constant *second = oq_graph_constant(graph, in[1].scale);
    const float alpha = oq_node_float(node, "alpha", 1);
    double first;
    oq_tensor from, to;
    *out = (oq_form_operand){.q = oq_form_input(node, (size_t)bias), .zero = OQ_NONE, .axis = -1};
    if (!second || !oq_form_number(graph, in[0].scale, &first)) {
        *reason = "it has a bias, and scales that are computed at run time";
        return ONNXQ_OK;
    }
    OQ_TRY(oq_constant_load(graph->model->mem, second, &from, err));
    const oq_status status = oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &from.shape, &to, err);
    for (int64_t i = 0; status == ONNXQ_OK && i < oq_tensor_count(&from); i++)
        ((float *)to.data)[i] = alpha * ((float)first * ((const float *)from.data)[i]);
    oq_tensor_release(&from);
    OQ_TRY(status);
    out->several = oq_tensor_count(&to) > 1;
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_scale", oq_graph_value(graph, out->q)->name);
    if (name) return oq_graph_add_initializer(graph, name, to, &out->scale, err);
    oq_tensor_release(&to);
    return ONNXQ_NO_MEMORY;
}

// What the float operator has no place for.
static const char *odd_attribute(oq_graph *graph, const oq_node *node) {
    if (oq_node_int(node, "channels_last", 0)) return "its layout is channels last";
    if (strcmp(node->op_type, "QLinearSoftmax") == 0 && oq_node_int(node, "opset", 13) < 13) {
        const oq_type *type = &oq_graph_value(graph, node->inputs[0])->type;
        const int64_t axis = oq_node_int(node, "axis", -1);
        if (axis != -1 && (type->kind != OQ_TYPE_TENSOR || axis != type->rank - 1))
            return "its axes from `axis` on are one, as before opset 13";
    }
    return NULL;
}

// The node itself is gone; `in` are its operands as floats, `y` its result.
static oq_status write_float(oq_graph *graph, const form *f, const oq_node *node, const oq_value_id *in,
                             const oq_form_operand *y, oq_error *err) {
    oq_node *made;
    oq_value_id result = node->outputs[0];
    if (y->scale != OQ_NONE)
        OQ_TRY(oq_form_value(graph, node->outputs[0], "_float", ONNXQ_FLOAT, &result, err));
    OQ_TRY(oq_form_node(graph, node->name, f->float_op, in, 3, result, &made, err));
    OQ_TRY(oq_form_copy_attrs(graph, node, made, f->without, err));
    if (y->scale == OQ_NONE) return ONNXQ_OK;
    return oq_form_node(graph, "", "QuantizeLinear", (oq_value_id[]){result, y->scale, y->zero}, 3,
                        node->outputs[0], NULL, err);
}

static oq_status raise_form(oq_graph *graph, oq_node *node, const form *f, oq_forms *forms, oq_error *err) {
    oq_form_operand in[2] = {{.scale = OQ_NONE}, {.scale = OQ_NONE}}, y = {.scale = OQ_NONE},
                    bias = {.q = OQ_NONE};
    const char *reason = odd_attribute(graph, node);
    for (int i = 0; !reason && i < f->operands; i++) {
        const size_t at = (size_t)f->at[i];
        OQ_TRY(oq_raise_operand(graph, node->inputs[at], node->inputs[at + 1], oq_form_input(node, at + 2),
                                f->axis(node, i), &in[i], &reason, err));
    }
    const oq_value_id scale = oq_form_input(node, (size_t)f->result);
    if (!reason && scale != OQ_NONE)
        OQ_TRY(oq_raise_operand(graph, OQ_NONE, scale, oq_form_input(node, (size_t)f->result + 1), -1, &y,
                                &reason, err));
    if (!reason && f->bias >= 0 && oq_form_input(node, (size_t)f->bias) != OQ_NONE)
        OQ_TRY(bias_operand(graph, node, in, f->bias, &bias, &reason, err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    oq_value_id floats[3] = {OQ_NONE, OQ_NONE, OQ_NONE};
    for (int i = 0; i < f->operands; i++) OQ_TRY(oq_form_dequantized(graph, &in[i], &floats[i], err));
    if (bias.q != OQ_NONE) OQ_TRY(oq_form_dequantized(graph, &bias, &floats[2], err));
    oq_graph_remove_node(graph, node);
    forms->rewritten++;
    return write_float(graph, f, node, floats, &y, err);
}

// --- QLinearConcat: scale and zero point of the result, then each input with its own ---

static oq_status raise_concat(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    const size_t count = (node->input_count - 2) / 3;
    oq_value_id *in = oq_arena_calloc(&graph->model->arena, count + 1, sizeof *in, err), result;
    if (!in) return ONNXQ_NO_MEMORY;
    oq_form_operand operand;
    const char *reason = NULL;
    for (size_t i = 0; i < count; i++) {
        const oq_value_id *at = &node->inputs[2 + 3 * i];
        OQ_TRY(oq_raise_operand(graph, at[0], at[1], at[2], 0, &operand, &reason, err));
        if (reason) return oq_forms_leave(forms, graph, node, reason, err);
        OQ_TRY(oq_form_dequantized(graph, &operand, &in[i], err));
    }
    oq_node *made;
    OQ_TRY(oq_raise_operand(graph, OQ_NONE, node->inputs[0], node->inputs[1], 0, &operand, &reason, err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    oq_graph_remove_node(graph, node);
    OQ_TRY(oq_form_value(graph, node->outputs[0], "_float", ONNXQ_FLOAT, &result, err));
    OQ_TRY(oq_form_node(graph, node->name, "Concat", in, count, result, &made, err));
    OQ_TRY(oq_form_copy_attrs(graph, node, made, NULL, err));
    forms->rewritten++;
    return oq_form_node(graph, "", "QuantizeLinear", (oq_value_id[]){result, operand.scale, operand.zero}, 3,
                        node->outputs[0], NULL, err);
}

// --- the walk ---

// QuantizeLinear and DequantizeLinear of com.microsoft are those of ai.onnx, with wider integers earlier.
static oq_status adopt(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    const bool makes = strcmp(node->op_type, "QuantizeLinear") == 0;
    const oq_dtype dtype = oq_form_dtype(graph, makes ? node->outputs[0] : node->inputs[0]);
    if (dtype != ONNXQ_INT8 && dtype != ONNXQ_UINT8 && oq_model_opset(graph->model, "") < 21)
        return oq_forms_leave(forms, graph, node, "ai.onnx has it for such integers from opset 21 on", err);
    node->domain = "";
    oq_graph_touch_node(graph, node);
    forms->rewritten++;
    return ONNXQ_OK;
}

static const char *no_float_form(const oq_node *node) {
    static const char *const known[] = {"MatMulNBits", "QAttention", "DynamicQuantizeLSTM"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(node->op_type, known[i]) == 0) return "there is no float operator that it stands for";
    return strncmp(node->op_type, "QLinear", 7) == 0 ? "onnxq does not know what it stands for" : NULL;
}

static oq_status raise_node(oq_graph *graph, oq_node *node, void *only, oq_forms *forms, oq_error *err) {
    const bool foreign_only = *(const bool *)only;
    const form *f = find_form(node);
    bool found = false;
    if (foreign_only && !*node->domain) return ONNXQ_OK;
    if (f) return raise_form(graph, node, f, forms, err);
    if (*node->domain && strcmp(node->domain, microsoft) != 0) return ONNXQ_OK;
    OQ_TRY(oq_raise_sums(graph, node, foreign_only, forms, &found, err));
    if (found || !*node->domain) return ONNXQ_OK;
    if (strcmp(node->op_type, "QLinearConcat") == 0) return raise_concat(graph, node, forms, err);
    if (strcmp(node->op_type, "QuantizeLinear") == 0 || strcmp(node->op_type, "DequantizeLinear") == 0)
        return adopt(graph, node, forms, err);
    const char *reason = no_float_form(node);
    return reason ? oq_forms_leave(forms, graph, node, reason, err) : ONNXQ_OK;
}

oq_status oq_forms_raise(oq_graph *graph, bool foreign_only, oq_forms *out, oq_error *err) {
    OQ_TRY(oq_raise_joined_scales(graph, err));
    return oq_forms_rewrite(graph, raise_node, &foreign_only, out, err);
}
