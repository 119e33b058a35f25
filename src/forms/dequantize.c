// Takes quantization out of a raised graph: every value that is carried as integers gets a float twin.
#include "forms/build.h"
#include "quant/rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct twins {
    oq_graph *graph;
    oq_forms *forms;
    size_t count;
    oq_value_id *twin;         // [count] float form of a quantized value, or OQ_NONE
    oq_value_id *scale, *zero; // [count] its parameters
} twins;

// --- what saturation stood for ---

// The node that makes a value, behind operators that only move elements; NULL: none does.
static const oq_node *origin(const oq_graph *graph, oq_value_id value) {
    for (;;) {
        const oq_node_id id = oq_graph_value(graph, value)->producer;
        const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
        const oq_rule *rule = node ? oq_rule_find(node) : NULL;
        if (!rule || rule->kind != OQ_RULE_PASSTHROUGH || rule->all_inputs || node->inputs[0] == OQ_NONE)
            return node;
        value = node->inputs[0];
    }
}

// True when a value is never below 0, as far as its producers tell. Inputs of the model are taken to be what
// they were quantized as.
static bool is_non_negative(oq_graph *graph, oq_value_id value, int depth) {
    static const char *const always[] = {"Relu", "Sigmoid", "Softmax",  "HardSigmoid", "Exp",
                                         "Abs",  "Sqrt",    "Softplus", "ReduceL2",    "ReduceL1"};
    static const char *const keeps[] = {
        "Add", "Mul", "Concat", "Max", "AveragePool", "GlobalAveragePool", "Sum", "ReduceMean"};
    const oq_node *node = origin(graph, value);
    double low;
    if (!node) return !oq_graph_constant(graph, value);
    if (*node->domain || depth == 0) return false;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (oq_node_is(node, always[i])) return true;
    if (oq_node_is(node, "Clip")) return oq_form_number(graph, oq_form_input(node, 1), &low) && low >= 0;
    bool known = false;
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) known |= oq_node_is(node, keeps[i]);
    for (size_t i = 0; known && i < node->input_count; i++)
        known = node->inputs[i] != OQ_NONE && is_non_negative(graph, node->inputs[i], depth - 1);
    return known;
}

// Clip of `value`; a bound that is infinite is left out.
static oq_status make_clip(twins *t, oq_value_id value, double low, double high, oq_value_id *out,
                           oq_error *err) {
    oq_value_id in[3] = {value, OQ_NONE, OQ_NONE};
    if (!isinf(low)) OQ_TRY(oq_form_scalar(t->graph, value, "_least", ONNXQ_FLOAT, low, &in[1], err));
    if (!isinf(high)) OQ_TRY(oq_form_scalar(t->graph, value, "_greatest", ONNXQ_FLOAT, high, &in[2], err));
    t->forms->clips++;
    return oq_form_make(t->graph, "Clip", in, isinf(high) ? 2 : 3, value, "_clip", ONNXQ_UNDEFINED, out, NULL,
                        err);
}

// A value whose integers end at the zero point lost what is below 0 there: that may have been a Relu, and
// where they also end at 6, a Clip. Both change nothing that the integers could have carried.
static oq_status restore(twins *t, oq_value_id value, double scale, double below, double above,
                         oq_value_id *out, oq_error *err) {
    const double high = scale * above;
    const bool six = fabs(high - 6) < 6e-5; // no other number is that common
    oq_graph *graph = t->graph;
    *out = value;
    if (below != 0) return ONNXQ_OK;
    const oq_node *maker = origin(graph, value);
    if (!six || !maker || oq_node_is(maker, "Clip")) {
        if (is_non_negative(graph, value, 8)) return ONNXQ_OK;
        t->forms->clips++;
        return oq_form_make(graph, "Relu", &value, 1, value, "_relu", ONNXQ_UNDEFINED, out, NULL, err);
    }
    return make_clip(t, value, 0, 6, out, err);
}

// The bounds that are noted for integers (quant/clips.c), if these integers do not reach beyond them.
static bool noted_clip(const twins *t, oq_value_id q, double scale, double below, double above, double *low,
                       double *high) {
    const char *name = oq_graph_value(t->graph, q)->name,
               *line = oq_model_metadata(t->graph->model, OQ_CLIPS_KEY);
    const size_t length = strlen(name);
    for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, name, length) != 0 || line[length] != ' ') continue;
        char *end;
        *low = strtod(line + length, &end);
        *high = strtod(end, &end);
        return *end == '\n' && rint(*low / scale) <= -below && rint(*high / scale) >= above;
    }
    return false;
}

// The float form of the integers `q` with what saturation stood for.
static oq_status restore_for(twins *t, oq_value_id q, oq_value_id value, double scale, double below,
                             double above, oq_value_id *out, oq_error *err) {
    double low, high;
    const oq_node *maker = origin(t->graph, value);
    if (noted_clip(t, q, scale, below, above, &low, &high) && maker && !oq_node_is(maker, "Clip"))
        return make_clip(t, value, low, high, out, err);
    return restore(t, value, scale, below, above, out, err);
}

// --- quantized values ---

static oq_value_id twin_of(const twins *t, oq_value_id value) {
    return value != OQ_NONE && (size_t)value < t->count ? t->twin[value] : OQ_NONE;
}

static oq_status set_twin(twins *t, oq_value_id value, oq_value_id twin, oq_value_id scale,
                          oq_value_id zero) {
    t->twin[value] = twin;
    t->scale[value] = scale;
    t->zero[value] = zero;
    return ONNXQ_OK;
}

static oq_status see_quantize(twins *t, const oq_node *node, oq_error *err) {
    const oq_value_id y = node->outputs[0], scale = node->inputs[1], zero = oq_form_input(node, 2);
    const oq_dtype_traits *type = oq_dtype_info(oq_form_dtype(t->graph, y));
    oq_value_id twin = node->inputs[0];
    double s, z = 0;
    if (oq_form_number(t->graph, scale, &s) && (zero == OQ_NONE || oq_form_number(t->graph, zero, &z)) &&
        type->is_integer)
        OQ_TRY(restore_for(t, y, twin, s, z - (double)type->min, (double)type->max - z, &twin, err));
    return set_twin(t, y, twin, scale, zero);
}

static oq_status see_dynamic_quantize(twins *t, const oq_node *node) {
    return set_twin(t, node->outputs[0], node->inputs[0], node->outputs[1], node->outputs[2]);
}

// Whether integers from `low` to `high` are a grid of fewer bits than the type has.
static bool is_narrow_grid(double low, double high) {
    for (int half = 2; half <= 64; half *= 2)
        if ((low == 0 && high == 2 * half - 1) || (high == half - 1 && (low == -half || low == 1 - half)))
            return true;
    return false;
}

// A bound of a Clip, which is its type's where it is left out.
static bool clip_bound(const twins *t, const oq_node *node, size_t index, double type_bound, double *out) {
    const oq_value_id bound = oq_form_input(node, index);
    *out = type_bound;
    return bound == OQ_NONE || oq_form_number(t->graph, bound, out);
}

// A clip of integers to a grid narrower than their type; or to other bounds, which are the model's.
static oq_status see_clip(twins *t, const oq_node *node, oq_error *err) {
    const oq_value_id in = node->inputs[0], scale = t->scale[in], zero = t->zero[in];
    const oq_dtype_traits *type = oq_dtype_info(oq_form_dtype(t->graph, node->outputs[0]));
    oq_value_id twin = t->twin[in];
    double s, z = 0, low, high;
    if (oq_form_number(t->graph, scale, &s) && (zero == OQ_NONE || oq_form_number(t->graph, zero, &z)) &&
        type->is_integer && clip_bound(t, node, 1, (double)type->min, &low) &&
        clip_bound(t, node, 2, (double)type->max, &high)) {
        const bool lower = low > (double)type->min, upper = high < (double)type->max;
        if (!is_narrow_grid(low, high) && (upper || (lower && low != z)))
            OQ_TRY(make_clip(t, twin, lower || low == z ? s * (low - z) : -(double)INFINITY,
                             upper ? s * (high - z) : (double)INFINITY, &twin, err));
        else
            OQ_TRY(restore_for(t, node->outputs[0], twin, s, z - low, high - z, &twin, err));
    }
    return set_twin(t, node->outputs[0], twin, scale, zero);
}

// The float form of an input that is no data but has the data's type: Pad's border.
static oq_status border(twins *t, const oq_node *node, oq_value_id *in, oq_error *err) {
    if (!oq_node_is(node, "Pad") || strcmp(oq_node_string(node, "mode", "constant"), "constant") != 0)
        return ONNXQ_OK;
    oq_form_operand value = {
        .q = oq_form_input(node, 2), .scale = t->scale[node->inputs[0]], .zero = t->zero[node->inputs[0]]};
    if (value.q == OQ_NONE)
        OQ_TRY(oq_form_scalar(t->graph, node->inputs[0], "_border", oq_form_dtype(t->graph, node->inputs[0]),
                              0, &value.q, err));
    return oq_form_dequantized(t->graph, &value, &in[2], err);
}

// The same operator on the float twins of its data.
static oq_status copy_on_floats(twins *t, const oq_node *node, size_t data, oq_error *err) {
    const size_t inputs = node->input_count > 3 ? node->input_count : 3;
    oq_value_id *in = oq_arena_calloc(&t->graph->model->arena, inputs, sizeof *in, err);
    oq_value_id *out = oq_arena_calloc(&t->graph->model->arena, node->output_count + 1, sizeof *out, err);
    oq_node *made;
    if (!in || !out) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < inputs; i++) in[i] = i < data ? t->twin[node->inputs[i]] : oq_form_input(node, i);
    OQ_TRY(border(t, node, in, err));
    for (size_t i = 0; i < node->output_count; i++) {
        out[i] = OQ_NONE;
        if (node->outputs[i] == OQ_NONE) continue;
        OQ_TRY(oq_form_value(t->graph, node->outputs[i], "_float", ONNXQ_FLOAT, &out[i], err));
        OQ_TRY(set_twin(t, node->outputs[i], out[i], t->scale[node->inputs[0]], t->zero[node->inputs[0]]));
    }
    size_t count = inputs;
    while (count && in[count - 1] == OQ_NONE) count--;
    OQ_TRY(oq_graph_add_node(t->graph, node->name, node->op_type, "", in, count, out, node->output_count,
                             &made, err));
    return oq_form_copy_attrs(t->graph, node, made, NULL, err);
}

static oq_status see_mover(twins *t, const oq_node *node, const oq_rule *rule, oq_error *err) {
    const size_t data = rule->all_inputs ? node->input_count : 1;
    for (size_t i = 0; i < data; i++)
        if (twin_of(t, oq_form_input(node, i)) == OQ_NONE) return ONNXQ_OK;
    return data ? copy_on_floats(t, node, data, err) : ONNXQ_OK;
}

// --- floats again ---

// Integers that were moved out of a constant (rows of a table): moves its dequantized form instead.
static oq_status move_dequantized(twins *t, const oq_node *node, oq_value_id *twin, oq_error *err) {
    const oq_value_id q = node->inputs[0];
    const oq_node *mover = oq_graph_node(t->graph, oq_graph_value(t->graph, q)->producer);
    const oq_form_operand table = {
        .q = mover->inputs[0], .scale = node->inputs[1], .zero = oq_form_input(node, 2)};
    oq_value_id floats;
    OQ_TRY(oq_form_dequantized(t->graph, &table, &floats, err));
    OQ_TRY(set_twin(t, table.q, floats, table.scale, table.zero));
    OQ_TRY(copy_on_floats(t, mover, 1, err));
    *twin = t->twin[q];
    t->twin[q] = t->twin[table.q] = OQ_NONE; // other readers may have other parameters
    return ONNXQ_OK;
}

static bool moves_constant(twins *t, oq_value_id value) {
    const oq_node_id id = oq_graph_value(t->graph, value)->producer;
    const oq_node *mover = id == OQ_NONE ? NULL : oq_graph_node(t->graph, id);
    const oq_rule *rule = mover ? oq_rule_find(mover) : NULL;
    return rule && rule->kind == OQ_RULE_PASSTHROUGH && !rule->all_inputs && mover->inputs[0] != OQ_NONE &&
           (size_t)mover->inputs[0] < t->count && oq_graph_constant(t->graph, mover->inputs[0]);
}

// A graph output keeps its name: made by what makes the twin, which is `y` from then on, or by an Identity of
// it.
static oq_status replace_output(twins *t, oq_node *node, oq_value_id twin, oq_error *err) {
    const oq_value_id y = node->outputs[0];
    const oq_gvalue *value = oq_graph_value(t->graph, twin);
    const oq_node_id producer = value->producer;
    const size_t index = (size_t)value->output;
    oq_graph_remove_node(t->graph, node);
    if (producer == OQ_NONE || value->is_output)
        return oq_form_node(t->graph, "", "Identity", &twin, 1, y, NULL, err);
    OQ_TRY(oq_node_set_output(t->graph, oq_graph_node(t->graph, producer), index, y, err));
    for (size_t v = 0; v < t->count; v++)
        if (t->twin[v] == twin) t->twin[v] = y;
    return oq_graph_replace_uses(t->graph, twin, y, false, err);
}

// --- integers that are read with other parameters than they were made with ---

// All elements of a constant as doubles into `into` [count], one repeated; zeros when it is left out.
static oq_status numbers(oq_graph *graph, oq_value_id value, size_t count, double *into, oq_error *err) {
    oq_tensor tensor = {0};
    memset(into, 0, count * sizeof *into);
    if (value == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(graph->model->mem, oq_graph_constant(graph, value), &tensor, err));
    const bool one = oq_tensor_count(&tensor) == 1;
    for (size_t c = 0; c < count; c++) into[c] = oq_tensor_get_f64(&tensor, one ? 0 : (int64_t)c);
    oq_tensor_release(&tensor);
    return ONNXQ_OK;
}

// y = a x + b with a = s_y / s_x and b = (z_x - z_y) s_y, as constants that lie along the axis.
static oq_status make_affine(twins *t, const oq_node *node, const oq_shape *shape, oq_value_id *factor,
                             oq_value_id *shift, oq_error *err) {
    oq_mem *mem = t->graph->model->mem;
    const oq_value_id q = node->inputs[0],
                      from[4] = {t->scale[q], t->zero[q], node->inputs[1], oq_form_input(node, 2)};
    const size_t count = (size_t)oq_shape_count(shape);
    oq_tensor a = {0}, b = {0};
    oq_status status = ONNXQ_NO_MEMORY;
    double *n = oq_mem_calloc(mem, 4 * count + 1, sizeof *n, err);
    if (n) status = oq_tensor_new(mem, ONNXQ_FLOAT, shape, &a, err);
    if (status == ONNXQ_OK) status = oq_tensor_new(mem, ONNXQ_FLOAT, shape, &b, err);
    for (size_t i = 0; i < 4 && status == ONNXQ_OK; i++)
        status = numbers(t->graph, from[i], count, n + i * count, err);
    for (size_t c = 0; c < count && status == ONNXQ_OK; c++) {
        ((float *)a.data)[c] = (float)(n[2 * count + c] / n[c]);
        ((float *)b.data)[c] = (float)((n[count + c] - n[3 * count + c]) * n[2 * count + c]);
    }
    oq_mem_free(mem, n);
    if (status == ONNXQ_OK)
        status = oq_graph_add_initializer(t->graph, "rescaling", oq_tensor_retain(&a), factor, err);
    if (status == ONNXQ_OK)
        status = oq_graph_add_initializer(t->graph, "shift", oq_tensor_retain(&b), shift, err);
    oq_tensor_release(&a);
    oq_tensor_release(&b);
    return status;
}

// Where the parameters lie along the node's axis: [C, 1, ..]. False when its place is not known.
static bool affine_shape(const twins *t, const oq_node *node, oq_shape *shape) {
    const int64_t count = oq_form_elements(t->graph, node->inputs[1]);
    const oq_type *type = &oq_graph_value(t->graph, node->inputs[0])->type;
    *shape = (oq_shape){.rank = 0};
    if (count == 1) return true;
    if (count < 1 || type->kind != OQ_TYPE_TENSOR || type->rank < 1) return false;
    int64_t axis = oq_node_int(node, "axis", 1);
    if (axis < 0) axis += type->rank;
    if (axis < 0 || axis >= type->rank || oq_node_int(node, "block_size", 0)) return false;
    shape->rank = type->rank - (int)axis;
    for (int d = 0; d < shape->rank; d++) shape->dim[d] = d ? 1 : count;
    return true;
}

// Parameters per channel on an output whose product knows one scale (quant/spread.c): both are kept as Mul
// and Add. *done is false when the parameters are not constants of a known place; then the integers stay.
static oq_status rescale(twins *t, oq_node *node, oq_value_id twin, bool *done, oq_error *err) {
    const oq_value_id y = node->outputs[0], q = node->inputs[0],
                      all[4] = {t->scale[q], t->zero[q], node->inputs[1], oq_form_input(node, 2)};
    oq_shape shape;
    oq_value_id in[2] = {twin}, scaled, shift;
    *done = affine_shape(t, node, &shape) && oq_form_elements(t->graph, t->scale[q]) == 1;
    for (size_t i = 0; i < 4; i++) *done &= all[i] == OQ_NONE || oq_graph_constant(t->graph, all[i]);
    if (!*done) return ONNXQ_OK;
    OQ_TRY(make_affine(t, node, &shape, &in[1], &shift, err));
    oq_graph_remove_node(t->graph, node);
    OQ_TRY(oq_form_make(t->graph, "Mul", in, 2, y, "_rescaled", ONNXQ_UNDEFINED, &scaled, NULL, err));
    return oq_form_node(t->graph, "", "Add", (oq_value_id[]){scaled, shift}, 2, y, NULL, err);
}

static bool same_zero(oq_graph *graph, oq_value_id a, oq_value_id b) {
    double x = 0, y = 0;
    if (a != OQ_NONE && b != OQ_NONE) return oq_form_same(graph, a, b);
    return (a == OQ_NONE || oq_form_number(graph, a, &x)) && (b == OQ_NONE || oq_form_number(graph, b, &y)) &&
           x == y;
}

static oq_status see_dequantize(twins *t, oq_node *node, oq_error *err) {
    const oq_value_id q = node->inputs[0], y = node->outputs[0];
    oq_value_id twin = twin_of(t, q);
    if (twin == OQ_NONE && oq_form_elements(t->graph, node->inputs[1]) == 1 && moves_constant(t, q))
        OQ_TRY(move_dequantized(t, node, &twin, err));
    if (twin == OQ_NONE) return ONNXQ_OK; // a constant, folded at the end, or an integer input of the model
    if (twin == twin_of(t, q) && (!oq_form_same(t->graph, t->scale[q], node->inputs[1]) ||
                                  !same_zero(t->graph, t->zero[q], oq_form_input(node, 2)))) {
        bool done;
        return rescale(t, node, twin, &done, err);
    }
    if (!oq_graph_value(t->graph, y)->is_output) {
        oq_graph_remove_node(t->graph, node);
        return oq_graph_replace_uses(t->graph, y, twin, false, err);
    }
    return replace_output(t, node, twin, err);
}

// --- the walk ---

static oq_status see(twins *t, oq_node *node, oq_error *err) {
    const oq_rule *rule = oq_rule_find(node);
    if (*node->domain || node->dead) return ONNXQ_OK;
    if (oq_node_is(node, "QuantizeLinear")) return see_quantize(t, node, err);
    if (oq_node_is(node, "DynamicQuantizeLinear")) return see_dynamic_quantize(t, node);
    if (oq_node_is(node, "DequantizeLinear")) return see_dequantize(t, node, err);
    if (oq_node_is(node, "Clip") && twin_of(t, node->inputs[0]) != OQ_NONE) return see_clip(t, node, err);
    return rule && rule->kind == OQ_RULE_PASSTHROUGH ? see_mover(t, node, rule, err) : ONNXQ_OK;
}

static bool is_conversion(const oq_node *node) {
    return oq_node_is(node, "QuantizeLinear") || oq_node_is(node, "DequantizeLinear") ||
           oq_node_is(node, "DynamicQuantizeLinear");
}

static size_t conversions(const oq_graph *graph) {
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        count += !graph->nodes[i]->dead && is_conversion(graph->nodes[i]);
    return count;
}

static oq_status list_left(oq_graph *graph, oq_forms *forms, oq_error *err) {
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        if (node->dead || !is_conversion(node)) continue;
        OQ_TRY(oq_forms_leave(forms, graph, node, "its integers come from elsewhere, or go elsewhere", err));
    }
    return ONNXQ_OK;
}

static oq_status walk(twins *t, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count;
    for (size_t v = 0; v < t->count; v++) t->twin[v] = OQ_NONE;
    OQ_TRY(oq_graph_order(t->graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++)
        status = see(t, oq_graph_node(t->graph, order[i]), err);
    oq_mem_free(t->graph->model->mem, order);
    OQ_TRY(status);
    OQ_TRY(oq_graph_sweep(t->graph, true, err));
    OQ_TRY(oq_infer_graph(t->graph, err));
    return oq_pass_fold_dequantized(t->graph, err);
}

oq_status oq_forms_dequantize(oq_graph *graph, oq_forms *out, oq_error *err) {
    const size_t before = conversions(graph), count = graph->value_count;
    oq_arena arena;
    oq_arena_init(&arena, graph->model->mem);
    twins t = {.graph = graph,
               .forms = out,
               .count = count,
               .twin = oq_arena_calloc(&arena, count + 1, sizeof(oq_value_id), err),
               .scale = oq_arena_calloc(&arena, count + 1, sizeof(oq_value_id), err),
               .zero = oq_arena_calloc(&arena, count + 1, sizeof(oq_value_id), err)};
    oq_status status = t.twin && t.scale && t.zero ? walk(&t, err) : ONNXQ_NO_MEMORY;
    oq_arena_release(&arena);
    const size_t after = conversions(graph);
    if (status == ONNXQ_OK) status = list_left(graph, out, err);
    out->removed += before > after ? before - after : 0;
    return status;
}
