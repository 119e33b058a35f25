// Sums of integer products, scaled to float by nodes of their own, to DequantizeLinear and the float
// operator.
#include "forms/raise.h"
#include "quant/rule.h"
#include "run/fuse_match.h"

#include <math.h>
#include <string.h>

// MatMulInteger or ConvInteger, Cast, Mul by the product of both scales.
typedef struct sums {
    oq_node *product, *cast, *scaling;
    oq_value_id scale;
} sums;

static bool match_sums(oq_graph *graph, oq_node *product, sums *out) {
    *out = (sums){.product = product};
    out->cast = oq_graph_only_consumer(graph, product->outputs[0]);
    if (!out->cast || !oq_node_is(out->cast, "Cast") || oq_node_int(out->cast, "to", 0) != ONNXQ_FLOAT)
        return false;
    const oq_value_id sum = out->cast->outputs[0];
    out->scaling = oq_graph_only_consumer(graph, sum);
    if (!out->scaling || !oq_node_is(out->scaling, "Mul")) return false;
    out->scale = out->scaling->inputs[out->scaling->inputs[0] == sum ? 1 : 0];
    return out->scale != sum;
}

// The scale with which a value was quantized: of the QuantizeLinear, or the DynamicQuantizeLinear, behind
// operators that only move elements; OQ_NONE when it comes from elsewhere.
static oq_value_id scale_of(const oq_graph *graph, oq_value_id value) {
    for (;;) {
        const oq_node_id id = oq_graph_value(graph, value)->producer;
        const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
        if (!node) return OQ_NONE;
        if (oq_node_is(node, "QuantizeLinear")) return node->inputs[1];
        if (oq_node_is(node, "DynamicQuantizeLinear")) return node->outputs[1];
        const oq_rule *rule = oq_rule_find(node);
        if (!rule || rule->kind != OQ_RULE_PASSTHROUGH) return OQ_NONE;
        value = node->inputs[0];
    }
}

// The float32 number next to product / first whose product with `first` is `product`.
static float cofactor(float product, float first) {
    const float middle = product / first;
    const float candidates[] = {middle, nextafterf(middle, 0), nextafterf(middle, INFINITY)};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (first * candidates[i] == product) return candidates[i];
    return middle;
}

// A constant product of scales, divided by the one that is known.
static oq_status split(oq_graph *graph, oq_value_id product, float first, oq_value_id *second,
                       oq_error *err) {
    oq_tensor from, to;
    OQ_TRY(oq_constant_load(graph->model->mem, oq_graph_constant(graph, product), &from, err));
    const oq_status status = oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &from.shape, &to, err);
    for (int64_t i = 0; status == ONNXQ_OK && i < oq_tensor_count(&from); i++)
        ((float *)to.data)[i] = cofactor(((const float *)from.data)[i], first);
    oq_tensor_release(&from);
    OQ_TRY(status);
    return oq_graph_add_initializer(graph, oq_graph_value(graph, product)->name, to, second, err);
}

// The scales of integers 1, by element: whether `split` takes such a vector apart, element by element.
static bool splits_scales(oq_graph *graph, const oq_node *split, oq_tensor *scales) {
    oq_dequantized d;
    oq_tensor ones;
    if (split->dead || !oq_node_is(split, "Split") || !oq_dequantized_read(&d, graph, split->inputs[0]) ||
        !d.constant || d.zero_id != OQ_NONE || d.scale->dtype != ONNXQ_FLOAT || d.constant->shape.rank != 1 ||
        d.constant->shape.dim[0] != (int64_t)split->output_count || oq_node_int(split, "axis", 0) != 0 ||
        oq_constant_load(graph->model->mem, d.constant, &ones, NULL) != ONNXQ_OK)
        return false;
    bool one = oq_form_elements(graph, d.scale_id) == oq_tensor_count(&ones);
    for (int64_t i = 0; i < oq_tensor_count(&ones); i++) one &= oq_tensor_get_i64(&ones, i) == 1;
    oq_tensor_release(&ones);
    return one && oq_constant_load(graph->model->mem, d.scale, scales, NULL) == ONNXQ_OK;
}

static oq_status write_scales(oq_graph *graph, oq_node *split, const float *scales, oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_graph_remove_node(graph, split);
    for (size_t i = 0; i < split->output_count; i++) {
        oq_tensor tensor;
        oq_value_id constant;
        const oq_value_id of = split->outputs[i];
        OQ_TRY(oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &scalar, &tensor, err));
        *(float *)tensor.data = scales[i];
        OQ_TRY(oq_graph_add_initializer(graph, oq_graph_value(graph, of)->name, tensor, &constant, err));
        OQ_TRY(oq_graph_replace_uses(graph, of, constant, false, err));
    }
    return ONNXQ_OK;
}

oq_status oq_raise_joined_scales(oq_graph *graph, oq_error *err) {
    oq_status status = ONNXQ_OK;
    for (size_t n = 0; status == ONNXQ_OK && n < graph->node_count; n++) {
        oq_tensor scales;
        if (!splits_scales(graph, graph->nodes[n], &scales)) continue;
        status = write_scales(graph, graph->nodes[n], scales.data, err);
        oq_tensor_release(&scales);
    }
    return status;
}

// The scale that stands behind the integer 1, dequantized with it (quant/operands.c); else the value itself.
static oq_value_id behind_one(oq_graph *graph, oq_value_id scale) {
    oq_dequantized d;
    double one;
    if (!oq_dequantized_read(&d, graph, scale) || d.zero_id != OQ_NONE || !d.constant) return scale;
    return oq_form_number(graph, d.id, &one) && one == 1 ? d.scale_id : scale;
}

// Both scales of a product that is made by a Mul: that of the factor whose scale is known comes first, else
// the one that is a single number.
static void from_factors(oq_graph *graph, const oq_node *factors, oq_value_id known, oq_value_id scale[2]) {
    const oq_value_id a = behind_one(graph, factors->inputs[0]), b = behind_one(graph, factors->inputs[1]);
    const bool swapped = known != OQ_NONE ? oq_form_same(graph, known, b) && !oq_form_same(graph, known, a)
                                          : oq_form_elements(graph, a) != 1;
    scale[0] = swapped ? b : a;
    scale[1] = swapped ? a : b;
}

// The scales of both factors; *reason is set when they cannot be told apart.
static oq_status find_scales(oq_graph *graph, const sums *s, oq_value_id scale[2], const char **reason,
                             oq_error *err) {
    const oq_node *factors = oq_graph_producer_is(graph, s->scale, "Mul");
    const oq_constant *constant = factors ? NULL : oq_graph_constant(graph, s->scale);
    double number;
    for (int i = 0; i < 2; i++) scale[i] = scale_of(graph, s->product->inputs[i]);
    const int known = scale[0] == OQ_NONE ? 1 : 0; // or none is
    if (factors) {
        from_factors(graph, factors, scale[0], scale);
        return ONNXQ_OK;
    }
    if (constant && constant->dtype == ONNXQ_FLOAT && scale[known] != OQ_NONE &&
        oq_form_number(graph, scale[known], &number))
        return split(graph, s->scale, (float)number, &scale[1 - known], err);
    *reason = "the scales of its two factors cannot be told apart";
    return ONNXQ_OK;
}

// Operands of `node` with zero points at inputs 2 and 3, as floats.
static oq_status operands(oq_graph *graph, const sums *s, oq_value_id floats[2], const char **reason,
                          oq_error *err) {
    const bool convolves = oq_node_is(s->product, "ConvInteger");
    oq_value_id scale[2] = {OQ_NONE, OQ_NONE};
    oq_form_operand in[2];
    OQ_TRY(find_scales(graph, s, scale, reason, err));
    for (int i = 0; !*reason && i < 2; i++)
        OQ_TRY(oq_raise_operand(graph, s->product->inputs[i], scale[i],
                                oq_form_input(s->product, (size_t)i + 2), i ? -1 : -2, &in[i], reason, err));
    if (*reason) return ONNXQ_OK;
    if (in[0].several) *reason = "its left factor has more than one scale";
    // Scales lie along the channels of the result; those of weights are their axis 0.
    if (convolves && in[1].several) in[1].axis = 0;
    for (int i = 0; !*reason && i < 2; i++) OQ_TRY(oq_form_dequantized(graph, &in[i], &floats[i], err));
    return ONNXQ_OK;
}

static oq_status raise_integer(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    const char *op_type = oq_node_is(node, "ConvInteger") ? "Conv" : "MatMul", *reason = NULL;
    sums s;
    oq_value_id floats[2];
    oq_node *made;
    if (!match_sums(graph, node, &s)) reason = "its sums are not scaled to float by a Cast and a Mul";
    if (!reason) OQ_TRY(operands(graph, &s, floats, &reason, err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    const oq_value_id output = s.scaling->outputs[0];
    oq_graph_remove_node(graph, s.scaling);
    oq_graph_remove_node(graph, s.cast);
    oq_graph_remove_node(graph, node);
    OQ_TRY(oq_form_node(graph, node->name, op_type, floats, 2, output, &made, err));
    forms->rewritten++;
    return oq_form_copy_attrs(graph, node, made, NULL, err);
}

// MatMul into `output`, with the Add of a bias when there is one.
static oq_status write_matmul(oq_graph *graph, const oq_node *node, const oq_value_id floats[2],
                              oq_value_id bias, oq_error *err) {
    oq_value_id product = node->outputs[0];
    if (bias != OQ_NONE)
        OQ_TRY(oq_form_value(graph, node->outputs[0], "_product", ONNXQ_UNDEFINED, &product, err));
    OQ_TRY(oq_form_node(graph, node->name, "MatMul", floats, 2, product, NULL, err));
    if (bias == OQ_NONE) return ONNXQ_OK;
    return oq_form_node(graph, "", "Add", (oq_value_id[]){product, bias}, 2, node->outputs[0], NULL, err);
}

// A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias of com.microsoft.
static oq_status raise_to_float(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    oq_form_operand in[2];
    oq_value_id floats[2];
    const char *reason = NULL;
    for (int i = 0; !reason && i < 2; i++)
        OQ_TRY(oq_raise_operand(graph, node->inputs[i], node->inputs[2 + i],
                                oq_form_input(node, 4 + (size_t)i), i ? -1 : -2, &in[i], &reason, err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    for (int i = 0; i < 2; i++) OQ_TRY(oq_form_dequantized(graph, &in[i], &floats[i], err));
    const oq_value_id bias = oq_form_input(node, 6);
    oq_graph_remove_node(graph, node);
    forms->rewritten++;
    return write_matmul(graph, node, floats, bias, err);
}

// A as floats, B, b_scale, b_zero_point, bias of com.microsoft: DynamicQuantizeLinear stands inside.
static oq_status raise_dynamic(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    const oq_value_id a = node->inputs[0], bias = oq_form_input(node, 4);
    oq_form_operand b;
    oq_value_id quantized[3], floats[2];
    oq_node *ignored;
    const char *reason = NULL;
    OQ_TRY(oq_raise_operand(graph, node->inputs[1], node->inputs[2], oq_form_input(node, 3), -1, &b, &reason,
                            err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    OQ_TRY(oq_form_value(graph, a, "_quantized", ONNXQ_UINT8, &quantized[0], err));
    OQ_TRY(oq_form_value(graph, a, "_scale", ONNXQ_FLOAT, &quantized[1], err));
    OQ_TRY(oq_form_value(graph, a, "_zero_point", ONNXQ_UINT8, &quantized[2], err));
    for (int i = 1; i < 3; i++) {
        oq_type *type = &oq_graph_value(graph, quantized[i])->type;
        *type = oq_type_tensor(i == 1 ? ONNXQ_FLOAT : ONNXQ_UINT8, 0, NULL);
    }
    OQ_TRY(oq_graph_add_node(graph, "", "DynamicQuantizeLinear", "", &a, 1, quantized, 3, &ignored, err));
    const oq_form_operand first = {.q = quantized[0], .scale = quantized[1], .zero = quantized[2]};
    OQ_TRY(oq_form_dequantized(graph, &first, &floats[0], err));
    OQ_TRY(oq_form_dequantized(graph, &b, &floats[1], err));
    oq_graph_remove_node(graph, node);
    forms->rewritten++;
    return write_matmul(graph, node, floats, bias, err);
}

oq_status oq_raise_sums(oq_graph *graph, oq_node *node, bool foreign_only, oq_forms *forms, bool *found,
                        oq_error *err) {
    static const struct {
        const char *domain, *op_type;
        bool dynamic; // its range is found at run time
        oq_status (*raise)(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err);
    } table[] = {{"", "MatMulInteger", false, raise_integer},
                 {"", "ConvInteger", false, raise_integer},
                 {"com.microsoft", "MatMulIntegerToFloat", false, raise_to_float},
                 {"com.microsoft", "DynamicQuantizeMatMul", true, raise_dynamic}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(node->op_type, table[i].op_type) == 0 && strcmp(node->domain, table[i].domain) == 0) {
            *found = true;
            if (foreign_only && table[i].dynamic)
                return oq_forms_leave(forms, graph, node, "its range is found at run time", err);
            return table[i].raise(graph, node, forms, err);
        }
    return ONNXQ_OK;
}
