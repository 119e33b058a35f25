// Products as integer operators: QLinearConv, QLinearMatMul, or MatMulInteger with what scales its sums.
#include "forms/lower.h"

#include <math.h>

// --- operands ---

// 4- and 2-bit zero points as bytes; the same numbers.
static oq_status byte_wide(oq_graph *graph, oq_value_id value, oq_value_id *out, oq_error *err) {
    oq_tensor from, to;
    *out = value;
    const oq_constant *constant = value == OQ_NONE ? NULL : oq_graph_constant(graph, value);
    if (!constant || !oq_dtype_is_sub_byte(constant->dtype)) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(graph->model->mem, constant, &from, err));
    const size_t count = (size_t)oq_tensor_count(&from);
    oq_status status =
        oq_tensor_new(graph->model->mem, oq_dtype_byte_wide(from.dtype), &from.shape, &to, err);
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        const int64_t number = oq_tensor_get_i64(&from, (int64_t)i);
        oq_store_i64(to.dtype, &number, (unsigned char *)to.data + i, 1);
    }
    oq_tensor_release(&from);
    OQ_TRY(status);
    return oq_graph_add_initializer(graph, oq_graph_value(graph, value)->name, to, out, err);
}

// Swaps the last two axes of integers.
static oq_status swap(oq_graph *graph, oq_value_id *q, oq_error *err) {
    oq_node *node;
    const oq_value_id from = *q;
    OQ_TRY(oq_form_make(graph, "Transpose", &from, 1, from, "_transposed", ONNXQ_UNDEFINED, q, &node, err));
    oq_gvalue *value = oq_graph_value(graph, *q);
    value->type = oq_type_tensor(value->type.dtype, -1, NULL);
    return oq_node_set_ints(graph, node, "perm", (int64_t[]){1, 0}, 2, err);
}

static oq_status write_factor(oq_graph *graph, const oq_lower_factor *f, oq_form_operand *out,
                              oq_error *err) {
    const oq_constant *constant = f->d.constant;
    *out = (oq_form_operand){.q = f->d.id, .scale = f->d.scale_id, .axis = oq_lower_axis(f)};
    out->several = out->axis != 0;
    OQ_TRY(byte_wide(graph, f->d.zero_id, &out->zero, err));
    oq_node *node;
    if (constant && oq_dtype_is_sub_byte(constant->dtype)) {
        const oq_dtype wide = oq_dtype_byte_wide(constant->dtype);
        OQ_TRY(oq_form_make(graph, "Cast", &f->d.id, 1, f->d.id, "_bytes", wide, &out->q, &node, err));
        OQ_TRY(oq_node_set_int(graph, node, "to", wide, err));
    }
    if (f->transpose) {
        const oq_value_id from = out->q;
        OQ_TRY(oq_form_make(graph, "Transpose", &from, 1, f->transpose->outputs[0], "_quantized", f->d.dtype,
                            &out->q, &node, err));
        OQ_TRY(oq_form_copy_attrs(graph, f->transpose, node, NULL, err));
    }
    return f->swapped ? swap(graph, &out->q, err) : ONNXQ_OK;
}

// --- with a result in integers ---

// The integers between which a clip of the floats leaves them; true when their own saturation does not.
static bool clip_bounds(oq_graph *graph, const oq_lower_product *p, int64_t bounds[2]) {
    const bool is_signed = p->y.dtype == ONNXQ_INT8;
    const oq_grid grid = oq_grid_make(8, is_signed, false);
    oq_qparam param = {.zero_point = 0};
    double scale = 1, zero = 0;
    oq_form_number(graph, p->y.scale_id, &scale);
    if (p->y.zero_id != OQ_NONE) oq_form_number(graph, p->y.zero_id, &zero);
    param.scale = (float)scale;
    param.zero_point = (int32_t)zero;
    bounds[0] = oq_quantize_one(&grid, param, p->low);
    bounds[1] = oq_quantize_one(&grid, param, p->high);
    return bounds[0] > grid.qmin || bounds[1] < grid.qmax;
}

// Rounding keeps the order of numbers, so a clip before quantization is one behind it.
static oq_status write_clip(oq_graph *graph, const oq_lower_product *p, oq_value_id y, oq_value_id *before,
                            oq_error *err) {
    int64_t bounds[2];
    *before = y;
    if (!p->clip || !clip_bounds(graph, p, bounds)) return ONNXQ_OK;
    oq_value_id in[3];
    OQ_TRY(oq_form_value(graph, y, "_unclipped", ONNXQ_UNDEFINED, &in[0], err));
    for (int i = 0; i < 2; i++)
        OQ_TRY(oq_form_scalar(graph, y, i ? "_greatest" : "_least", p->y.dtype, (double)bounds[i], &in[1 + i],
                              err));
    *before = in[0];
    return oq_form_node(graph, "", "Clip", in, 3, y, NULL, err);
}

static oq_status write_qlinear(oq_graph *graph, const oq_lower_product *p, oq_value_id bias, oq_error *err) {
    const bool convolves = oq_node_is(p->op, "Conv");
    const oq_value_id y = p->quantize->outputs[0];
    const oq_form_operand result = {.q = y, .scale = p->y.scale_id, .zero = p->y.zero_id};
    oq_value_id in[9] = {OQ_NONE}, out;
    oq_form_operand operand;
    for (int i = 0; i < 2; i++) {
        OQ_TRY(write_factor(graph, &p->factor[i], &operand, err));
        in[3 * i] = operand.q;
        in[3 * i + 1] = operand.scale;
        OQ_TRY(oq_form_zero(graph, &operand, p->factor[i].d.dtype, &in[3 * i + 2], err));
    }
    in[6] = result.scale;
    OQ_TRY(oq_form_zero(graph, &result, p->y.dtype, &in[7], err));
    in[8] = bias;
    oq_graph_remove_node(graph, p->quantize);
    if (p->clip) oq_graph_remove_node(graph, p->clip);
    oq_graph_remove_node(graph, p->op);
    OQ_TRY(write_clip(graph, p, y, &out, err));
    oq_node *made;
    OQ_TRY(oq_form_node(graph, p->op->name, convolves ? "QLinearConv" : "QLinearMatMul", in,
                        convolves ? 9 : 8, out, &made, err));
    return convolves ? oq_form_copy_attrs(graph, p->op, made, NULL, err) : ONNXQ_OK;
}

// --- with a float result ---

// A scale that runtimes do not fold with the other one: see quant/emit.h.
static oq_status write_scale(oq_graph *graph, oq_value_id scale, oq_value_id *out, oq_error *err) {
    oq_value_id in[2] = {OQ_NONE, scale};
    *out = scale;
    if (!oq_graph_constant(graph, scale) || oq_form_elements(graph, scale) != 1) return ONNXQ_OK;
    OQ_TRY(oq_form_scalar(graph, scale, "_one", ONNXQ_UINT8, 1, &in[0], err));
    return oq_form_make(graph, "DequantizeLinear", in, 2, scale, "_made", ONNXQ_FLOAT, out, NULL, err);
}

// MatMulInteger, Cast, Mul by the product of the scales (which is a node of its own, so that both stay what
// they are), Add.
static oq_status write_sums(oq_graph *graph, const oq_lower_product *p, oq_error *err) {
    oq_form_operand operand[2];
    oq_value_id sum, cast, scale, product = p->op->outputs[0], result = product;
    oq_node *node;
    for (int i = 0; i < 2; i++) {
        OQ_TRY(write_factor(graph, &p->factor[i], &operand[i], err));
        if (!oq_lower_has_zero_points(graph, &p->factor[i].d)) operand[i].zero = OQ_NONE;
    }
    oq_graph_remove_node(graph, p->op);
    OQ_TRY(oq_form_value(graph, result, "_int32", ONNXQ_INT32, &sum, err));
    OQ_TRY(oq_form_node(graph, p->op->name, "MatMulInteger",
                        (oq_value_id[]){operand[0].q, operand[1].q, operand[0].zero, operand[1].zero}, 4, sum,
                        NULL, err));
    OQ_TRY(oq_form_make(graph, "Cast", &sum, 1, result, "_cast", ONNXQ_FLOAT, &cast, &node, err));
    OQ_TRY(oq_node_set_int(graph, node, "to", ONNXQ_FLOAT, err));
    OQ_TRY(write_scale(graph, operand[0].scale, &scale, err));
    OQ_TRY(oq_form_make(graph, "Mul", (oq_value_id[]){scale, operand[1].scale}, 2, operand[1].scale,
                        "_product", ONNXQ_FLOAT, &scale, NULL, err));
    if (p->addend != OQ_NONE)
        OQ_TRY(oq_form_value(graph, result, "_product", ONNXQ_UNDEFINED, &product, err));
    OQ_TRY(oq_form_node(graph, "", "Mul", (oq_value_id[]){cast, scale}, 2, product, NULL, err));
    if (p->addend == OQ_NONE) return ONNXQ_OK;
    return oq_form_node(graph, "", "Add", (oq_value_id[]){product, p->addend}, 2, result, NULL, err);
}

oq_status oq_lower_write(oq_graph *graph, const oq_lower_product *p, const char **reason, oq_error *err) {
    oq_value_id bias = OQ_NONE;
    if (!p->quantize) return write_sums(graph, p, err);
    if (oq_node_is(p->op, "Conv")) OQ_TRY(oq_lower_bias(graph, p, &bias, reason, err));
    return *reason ? ONNXQ_OK : write_qlinear(graph, p, bias, err);
}
