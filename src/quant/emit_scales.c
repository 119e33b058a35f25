// Products of scales that runtimes do not fold, for integer products with a float result (see emit.h).
#include "quant/emit.h"

// Fewer DequantizeLinear nodes take less time than a Split.
enum { LEAST_JOINED = 8 };

static oq_status dequantize(oq_emitter *e, const oq_value_id in[2], oq_value_id out, oq_node **node,
                            oq_error *err) {
    return oq_emit_node(e, "", "DequantizeLinear", in, 2, out, node, err);
}

// 1 with the scale of an activation, one for all products that read it.
static oq_status make_scale(oq_emitter *e, oq_value_id activation, oq_value_id *out, oq_error *err) {
    const oq_value_id leader = oq_plan_leader(e->plan, activation);
    const oq_shape scalar = {.rank = 0};
    const int64_t one = 1;
    oq_value_id in[2], zero;
    *out = e->scale_made[leader];
    if (*out != OQ_NONE) return ONNXQ_OK;
    if (e->one == OQ_NONE)
        OQ_TRY(oq_emit_integers(e, leader, "_one", ONNXQ_UINT8, &one, &scalar, &e->one, err));
    in[0] = e->one;
    OQ_TRY(oq_emit_params(e, activation, &in[1], &zero, err));
    OQ_TRY(oq_emit_shaped(e, leader, "_scale_made", ONNXQ_FLOAT, &scalar, out, err));
    e->scale_made[leader] = *out;
    return dequantize(e, in, *out, NULL, err);
}

// The same as a vector of one element, which oq_emit_joined_scales makes at the end.
static oq_status join_scale(oq_emitter *e, oq_value_id activation, oq_value_id *out, oq_error *err) {
    const oq_value_id leader = oq_plan_leader(e->plan, activation);
    const oq_shape one = OQ_SHAPE(1);
    *out = e->scale_joined[leader];
    if (*out != OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_emit_shaped(e, leader, "_scale_made", ONNXQ_FLOAT, &one, out, err));
    e->scale_joined[leader] = *out;
    e->joined[e->joined_count++] = leader;
    return ONNXQ_OK;
}

oq_status oq_emit_product_scale(oq_emitter *e, oq_value_id activation, oq_value_id weight_scale,
                                oq_value_id product, oq_value_id *out, oq_error *err) {
    const oq_shape shape = oq_graph_constant(e->graph, weight_scale)->shape;
    oq_value_id in[2] = {OQ_NONE, weight_scale};
    // DequantizeLinear has an axis from opset 13 on.
    const bool joins = shape.rank && oq_model_opset(e->graph->model, "") >= 13;
    OQ_TRY(joins ? join_scale(e, activation, &in[0], err) : make_scale(e, activation, &in[0], err));
    OQ_TRY(oq_emit_shaped(e, product, "_scale", ONNXQ_FLOAT, &shape, out, err));
    return oq_emit_node(e, "", "Mul", in, 2, *out, NULL, err);
}

// One each.
static oq_status emit_apart(oq_emitter *e, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(1);
    const int64_t one = 1;
    oq_value_id in[2], zero;
    OQ_TRY(oq_emit_integers(e, e->joined[0], "_one", ONNXQ_UINT8, &one, &shape, &in[0], err));
    for (size_t i = 0; i < e->joined_count; i++) {
        OQ_TRY(oq_emit_params(e, e->joined[i], &in[1], &zero, err));
        OQ_TRY(dequantize(e, in, e->scale_joined[e->joined[i]], NULL, err));
    }
    return ONNXQ_OK;
}

// One DequantizeLinear for all, and a Split.
static oq_status emit_joined(oq_emitter *e, const float *scale, const int64_t *ones,
                             const oq_value_id *pieces, oq_error *err) {
    const size_t count = e->joined_count;
    const oq_shape shape = OQ_SHAPE((int64_t)count);
    const oq_value_id first = e->joined[0];
    oq_value_id in[2], made;
    oq_node *node;
    OQ_TRY(oq_emit_integers(e, first, "_ones", ONNXQ_UINT8, ones, &shape, &in[0], err));
    OQ_TRY(oq_emit_floats(e, first, "_scales", scale, &shape, &in[1], err));
    OQ_TRY(oq_emit_shaped(e, first, "_scales_made", ONNXQ_FLOAT, &shape, &made, err));
    OQ_TRY(dequantize(e, in, made, &node, err));
    OQ_TRY(oq_node_set_int(e->graph, node, "axis", 0, err));
    in[0] = made;
    OQ_TRY(oq_emit_integers(e, first, "_split", ONNXQ_INT64, ones, &shape, &in[1], err));
    return oq_graph_add_node(e->graph, "", "Split", "", in, 2, pieces, count, &node, err);
}

oq_status oq_emit_joined_scales(oq_emitter *e, oq_error *err) {
    oq_mem *mem = e->plan->mem;
    const size_t count = e->joined_count;
    if (count < LEAST_JOINED) return count ? emit_apart(e, err) : ONNXQ_OK;
    float *scale = oq_mem_calloc(mem, count, sizeof *scale, err);
    int64_t *ones = oq_mem_calloc(mem, count, sizeof *ones, err);
    oq_value_id *pieces = oq_mem_calloc(mem, count, sizeof *pieces, err);
    oq_status status = scale && ones && pieces ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        scale[i] = e->plan->tensors[e->joined[i]].made.scale;
        ones[i] = 1;
        pieces[i] = e->scale_joined[e->joined[i]];
    }
    if (status == ONNXQ_OK) status = emit_joined(e, scale, ones, pieces, err);
    oq_mem_free(mem, scale);
    oq_mem_free(mem, ones);
    oq_mem_free(mem, pieces);
    return status;
}
