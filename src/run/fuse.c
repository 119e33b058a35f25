// Integer groups: a table of patterns, and the nodes that take the place of each.
//
// DequantizeLinear -> {Conv, MatMul, Gemm} -> QuantizeLinear runs in exact integers, as any runtime with such
// kernels does; MatMul and Gemm without QuantizeLinear give the scaled sums. The work is that of the
// operators QLinearConv, QLinearMatMul and MatMulInteger; only the last scaling is ours (fuse_scale.c).
#include "run/fuse_match.h"

#include <string.h>

static oq_status extra_add(oq_extra_values *extra, oq_place place, oq_value_id *id, oq_error *err) {
    void *places = extra->place;
    OQ_TRY(oq_mem_reserve(extra->program->mem, &places, extra->count, &extra->capacity, sizeof *extra->place,
                          err));
    extra->place = places;
    *id = (oq_value_id)(extra->graph->value_count + extra->count);
    extra->place[extra->count++] = place;
    return ONNXQ_OK;
}

static oq_status extra_constant(oq_extra_values *extra, oq_tensor tensor, oq_value_id *id, oq_error *err) {
    oq_place place;
    OQ_TRY(oq_program_keep(extra->program, tensor, &place, err));
    return extra_add(extra, place, id, err);
}

// In memory a 4- or 2-bit element takes a byte: the constant itself under the name of an 8-bit type.
static oq_status bytes_of(oq_extra_values *extra, const oq_constant *constant, oq_value_id *id,
                          oq_error *err) {
    oq_tensor from, to;
    oq_mem *mem = extra->program->mem;
    OQ_TRY(oq_constant_load(mem, constant, &from, err));
    const oq_status status = oq_tensor_new(mem, oq_dtype_byte_wide(from.dtype), &from.shape, &to, err);
    if (status == ONNXQ_OK) memcpy(to.data, from.data, oq_tensor_bytes(&from));
    oq_tensor_release(&from);
    return status == ONNXQ_OK ? extra_constant(extra, to, id, err) : status;
}

// Makes a constant factor one that 8-bit kernels take.
static oq_status widen(oq_extra_values *extra, oq_graph *graph, oq_dequantized *d, oq_error *err) {
    const oq_constant *zero = d->zero_id == OQ_NONE ? NULL : oq_graph_constant(graph, d->zero_id);
    if (d->constant && oq_dtype_is_sub_byte(d->constant->dtype))
        OQ_TRY(bytes_of(extra, d->constant, &d->id, err));
    if (!zero || !oq_dtype_is_sub_byte(zero->dtype)) return ONNXQ_OK;
    return bytes_of(extra, zero, &d->zero_id, err);
}

// The zero point of `d`; where it is left out, zeros of its type, shaped as the scale.
static oq_status zero_of(oq_extra_values *extra, const oq_dequantized *d, oq_value_id *id, oq_error *err) {
    *id = d->zero_id;
    if (d->zero_id != OQ_NONE) return ONNXQ_OK;
    oq_tensor zeros;
    OQ_TRY(oq_tensor_new(extra->program->mem, d->dtype, &d->scale->shape, &zeros, err));
    memset(zeros.data, 0, oq_tensor_bytes(&zeros));
    return extra_constant(extra, zeros, id, err);
}

static oq_status add_node(oq_extra_values *extra, oq_group *group, const oq_node *shown, const char *op_type,
                          const oq_op_version *version, const oq_value_id *inputs, size_t input_count,
                          oq_value_id output, oq_error *err) {
    oq_arena *arena = &extra->program->arena;
    oq_node *node = oq_arena_memdup(arena, shown, sizeof *shown, err);
    if (!node) return ONNXQ_NO_MEMORY;
    node->op_type = op_type;
    node->inputs = oq_arena_memdup(arena, inputs, input_count * sizeof *inputs, err);
    node->input_count = input_count;
    node->outputs = oq_arena_memdup(arena, &output, sizeof output, err);
    node->output_count = 1;
    if (!node->inputs || !node->outputs) return ONNXQ_NO_MEMORY;
    int at = 0;
    while (group->node[at]) at++;
    group->node[at] = node;
    group->version[at] = version;
    group->opset[at] = version->since;
    return ONNXQ_OK;
}

static const oq_op_version *kernel(const oq_graph *graph, const char *op_type) {
    const oq_op *op = oq_op_find("", op_type);
    const oq_op_version *version = op ? oq_op_at(op, oq_model_opset(graph->model, "")) : NULL;
    return version && version->run ? version : NULL;
}

// QLinearConv and QLinearMatMul: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero (, bias).
static oq_status write_qlinear(oq_extra_values *extra, const oq_match *m, const char *op_type,
                               oq_group *group, bool *found, oq_error *err) {
    const oq_op_version *version = kernel(extra->graph, op_type);
    if (!version) return ONNXQ_OK;
    oq_value_id inputs[9] = {m->a.id, m->a.scale_id, OQ_NONE, m->b.id,   m->b.scale_id,
                             OQ_NONE, m->y.scale_id, OQ_NONE, m->bias.id};
    OQ_TRY(zero_of(extra, &m->a, &inputs[2], err));
    OQ_TRY(zero_of(extra, &m->b, &inputs[5], err));
    OQ_TRY(zero_of(extra, &m->y, &inputs[7], err));
    *found = true;
    return add_node(extra, group, m->op, op_type, version, inputs, m->bias.id == OQ_NONE ? 8 : 9, m->y.id,
                    err);
}

static oq_status write_conv(oq_extra_values *extra, const oq_match *m, oq_group *group, bool *found,
                            oq_error *err) {
    return write_qlinear(extra, m, "QLinearConv", group, found, err);
}

static oq_status write_matmul(oq_extra_values *extra, const oq_match *m, oq_group *group, bool *found,
                              oq_error *err) {
    return write_qlinear(extra, m, "QLinearMatMul", group, found, err);
}

// B^T [K, N] of the constant B [N, K].
static oq_status transposed(oq_extra_values *extra, const oq_constant *constant, oq_value_id *id,
                            oq_error *err) {
    oq_mem *mem = extra->program->mem;
    oq_tensor from, to;
    OQ_TRY(oq_constant_load(mem, constant, &from, err));
    const size_t n = (size_t)from.shape.dim[0], k = (size_t)from.shape.dim[1];
    const oq_shape shape = OQ_SHAPE((int64_t)k, (int64_t)n);
    const oq_status status = oq_tensor_new(mem, oq_dtype_byte_wide(from.dtype), &shape, &to, err);
    if (status == ONNXQ_OK) {
        const unsigned char *b = from.data;
        unsigned char *t = to.data;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < k; j++) t[j * n + i] = b[i * k + j];
    }
    oq_tensor_release(&from);
    return status == ONNXQ_OK ? extra_constant(extra, to, id, err) : status;
}

// MatMulInteger, then the sums (+ bias) scaled to float or to the output's integers.
static oq_status write_sums(oq_extra_values *extra, const oq_match *m, oq_group *group, bool *found,
                            oq_error *err) {
    const oq_op_version *product = kernel(extra->graph, "MatMulInteger");
    if (!product) return ONNXQ_OK;
    oq_value_id b = m->b.id, sums;
    if (m->transposed) OQ_TRY(transposed(extra, m->b.constant, &b, err));
    OQ_TRY(extra_add(extra, OQ_NONE, &sums, err));
    const oq_value_id operands[4] = {m->a.id, b, m->a.zero_id, m->b.zero_id};
    OQ_TRY(add_node(extra, group, m->op, "MatMulInteger", product, operands, 4, sums, err));
    oq_value_id inputs[6] = {sums, m->a.scale_id, m->b.scale_id, m->bias.id, OQ_NONE, OQ_NONE};
    if (m->quantized) {
        inputs[4] = m->y.scale_id;
        OQ_TRY(zero_of(extra, &m->y, &inputs[5], err));
    }
    *found = true;
    return add_node(extra, group, m->op, "MatMulInteger", &oq_scale_sums, inputs, 6,
                    m->quantized ? m->y.id : m->op->outputs[0], err);
}

// Which products are groups, with what follows them, and what is written in their place.
static const struct pattern {
    const char *op_type;
    bool quantized; // QuantizeLinear follows
    bool (*match)(oq_match *m, oq_graph *graph);
    oq_status (*write)(oq_extra_values *extra, const oq_match *m, oq_group *group, bool *found,
                       oq_error *err);
} patterns[] = {
    {"Conv", true, oq_match_conv, write_conv},      {"MatMul", true, oq_match_matmul, write_matmul},
    {"MatMul", false, oq_match_matmul, write_sums}, {"Gemm", true, oq_match_gemm, write_sums},
    {"Gemm", false, oq_match_gemm, write_sums},
};

oq_status oq_group_find(oq_extra_values *extra, oq_graph *graph, const oq_node *node, oq_group *group,
                        bool *found, oq_error *err) {
    oq_match m = {0};
    *found = false;
    if (!oq_match_end(&m, graph, node)) return ONNXQ_OK;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const struct pattern *p = &patterns[i];
        if (p->quantized != m.quantized || !oq_node_is(m.op, p->op_type) || !p->match(&m, graph)) continue;
        OQ_TRY(widen(extra, graph, &m.a, err));
        OQ_TRY(widen(extra, graph, &m.b, err));
        return p->write(extra, &m, group, found, err);
    }
    return ONNXQ_OK;
}
