// Guards for what a detector makes of its last layers: boxes and scores lie in one tensor though their ranges
// differ by hundreds, exponentials magnify errors, and selecting by score turns equal integers into chance.
// From the last layers' results on, everything there stays float.
#include "quant/plan.h"

#include <math.h>

// Beyond this ratio of ranges, an input of a Concat would keep fewer than 4 of 8 bits on a shared grid.
#define LARGEST_RATIO 16.0
// Products that read such a Concat stay float when rounding the narrow inputs costs more than this share of
// what they sum up.
#define LARGEST_NOISE 0.01
// Constant sums of this many terms or fewer, with one result, are part of decoding (expected distances).
#define DECODING_WEIGHTS 256

typedef struct finder {
    oq_plan *plan;
    bool *selected;     // [values] indices that were selected by computed numbers
    oq_node_id *end;    // [values] the node whose tail it is part of, or OQ_NONE
    int32_t *layer_for; // [values] the layer that makes it, alone or with what goes with it, or -1
} finder;

static bool is_one_of(const oq_node *node, const char *const *names) {
    for (; *names; names++)
        if (oq_node_is(node, *names)) return true;
    return false;
}

static const oq_node *node_at(const finder *f, size_t index) {
    return oq_graph_node(f->plan->graph, f->plan->order[index]);
}

// --- where tails end ---

static bool is_index(const finder *f, oq_value_id value) {
    const oq_dtype dtype = oq_value_dtype(f->plan->graph, value);
    return dtype == ONNXQ_INT64 || dtype == ONNXQ_INT32 || dtype == ONNXQ_BOOL;
}

static void find_selected(const finder *f) {
    static const char *const selectors[] = {"NonMaxSuppression", "TopK", "NonZero", NULL};
    for (size_t i = 0; i < f->plan->order_count; i++) {
        const oq_node *node = node_at(f, i);
        bool any = is_one_of(node, selectors);
        for (size_t k = 0; k < node->input_count; k++)
            any |= node->inputs[k] != OQ_NONE && f->selected[node->inputs[k]];
        for (size_t k = 0; any && k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE) f->selected[node->outputs[k]] = is_index(f, node->outputs[k]);
    }
}

// Whether a node picks from its input by what other numbers came out as, or takes boxes from it.
static bool ends_tail(const finder *f, const oq_node *node, size_t input) {
    static const char *const gathers[] = {"Gather", "GatherElements", "GatherND", NULL};
    static const char *const scatters[] = {"ScatterElements", "ScatterND", NULL};
    static const char *const rois[] = {"RoiAlign", "MaxRoiPool", NULL};
    if (oq_node_is(node, "NonMaxSuppression")) return input < 2;
    if (oq_node_is(node, "TopK")) return input == 0;
    if (is_one_of(node, rois)) return input == 1;
    const bool picks = node->input_count > 1 && node->inputs[1] != OQ_NONE && f->selected[node->inputs[1]];
    return picks && ((is_one_of(node, gathers) && input == 0) || (is_one_of(node, scatters) && input != 1));
}

static const oq_tensor_stats *stats_of(const oq_plan *plan, oq_value_id value) {
    return oq_stats_find(plan->stats, oq_graph_value(plan->graph, value)->name);
}

// Of the range with 0; NaN when none is known.
static double width_of(const oq_plan *plan, oq_value_id value) {
    const oq_tensor_stats *t = stats_of(plan, value);
    if (!t || !(t->min <= t->max)) return (double)NAN;
    return fmax((double)t->max, 0) - fmin((double)t->min, 0);
}

// How far the ranges of a Concat's inputs are apart; 1 when any is not known.
static double ratio_of(const oq_plan *plan, const oq_node *node) {
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < node->input_count; i++) {
        const double width = node->inputs[i] == OQ_NONE ? (double)NAN : width_of(plan, node->inputs[i]);
        if (isnan(width)) return 1;
        if (width > 0) least = fmin(least, width);
        most = fmax(most, width);
    }
    return most > 0 ? most / least : 1;
}

// Nothing but floats to the end behind: an exponential (of logarithms of sizes), or boxes beside scores.
static bool is_decoding(const finder *f, const oq_node *node) {
    if (!node->output_count || node->outputs[0] == OQ_NONE || !f->plan->tail[node->outputs[0]]) return false;
    if (oq_node_is(node, "Exp")) return node->region == OQ_NONE;
    return oq_node_is(node, "Concat") && ratio_of(f->plan, node) > LARGEST_RATIO;
}

// --- what belongs to them ---

static void mark(const finder *f, oq_value_id value, oq_node_id end) {
    if (value == OQ_NONE || f->end[value] != OQ_NONE || oq_graph_constant(f->plan->graph, value)) return;
    const oq_dtype dtype = oq_value_dtype(f->plan->graph, value);
    if (dtype == ONNXQ_FLOAT || dtype == ONNXQ_UNDEFINED) f->end[value] = end;
}

// From the ends upwards, as far as the results of layers.
static void find_tails(const finder *f) {
    for (size_t i = f->plan->order_count; i-- > 0;) {
        const oq_node *node = node_at(f, i);
        oq_node_id end = is_decoding(f, node) ? node->id : OQ_NONE;
        bool layer = false;
        for (size_t k = 0; k < node->output_count; k++) {
            if (node->outputs[k] == OQ_NONE) continue;
            if (f->end[node->outputs[k]] != OQ_NONE) end = f->end[node->outputs[k]];
            layer |= f->layer_for[node->outputs[k]] >= 0;
        }
        for (size_t k = 0; k < node->input_count; k++) {
            if (ends_tail(f, node, k)) mark(f, node->inputs[k], node->id);
            if (end != OQ_NONE && !layer) mark(f, node->inputs[k], end);
        }
        if (end != OQ_NONE) f->plan->elementwise[node->id] = NULL;
    }
}

// --- the layers at their beginning ---

static bool only_tail_reads(const finder *f, oq_value_id id) {
    const oq_gvalue *value = oq_graph_value(f->plan->graph, id);
    for (size_t u = 0; u < value->use_count; u++) {
        const oq_node *node = oq_graph_node(f->plan->graph, value->uses[u].node);
        bool inside = ends_tail(f, node, (size_t)value->uses[u].input);
        for (size_t k = 0; k < node->output_count; k++)
            inside |= node->outputs[k] != OQ_NONE && f->end[node->outputs[k]] != OQ_NONE &&
                      f->layer_for[node->outputs[k]] < 0;
        if (!inside && !is_decoding(f, node)) return false;
    }
    return true;
}

// "NonMaxSuppression 'name'".
static const char *describe_end(const finder *f, oq_node_id id, oq_error *err) {
    char label[160];
    const oq_node *node = oq_graph_node(f->plan->graph, id);
    return oq_arena_printf(&f->plan->arena, err, "%s '%s'", node->op_type,
                           oq_node_label(node, label, sizeof label));
}

// Expected values of distributions over constants, and the like: one result of few terms.
static bool is_decoding_product(const oq_layer *layer) {
    const oq_shape *w = layer->operand[1].constant ? &layer->operand[1].constant->shape : NULL;
    if (!w || w->rank < 2 || oq_shape_count(w) > DECODING_WEIGHTS) return false;
    if (layer->shape == OQ_LAYER_CONV) return w->dim[0] == 1;
    return w->dim[w->rank - (layer->operand[1].transposed ? 2 : 1)] == 1;
}

static oq_status guard_layer(const finder *f, oq_layer *layer, oq_error *err) {
    oq_plan *plan = f->plan;
    const bool wide = layer->weight_bits > 8 || layer->activation_bits > 8;
    const char *end = describe_end(f, f->end[layer->output], err), *text = NULL;
    if (!end) return ONNXQ_NO_MEMORY;
    if (is_decoding_product(layer))
        text = layer->dropped =
            oq_arena_printf(&plan->arena, err, "decodes what %s takes (see --no-guards)", end);
    else if (layer->shape == OQ_LAYER_CONV && !layer->line && !layer->point && !wide)
        text = plan->nodes[layer->node].guard = oq_arena_printf(
            &plan->arena, err, "its result has 8 bits and is float behind, as %s takes it", end);
    else
        text = plan->nodes[layer->node].guard =
            oq_arena_printf(&plan->arena, err, "its result stays float, as %s takes it", end);
    if (!text) return ONNXQ_NO_MEMORY;
    if (layer->shape == OQ_LAYER_CONV && !layer->line && layer->point) layer->line = OQ_LINE_POINTS;
    return ONNXQ_OK;
}

// A decoding product is part of the tail, which then goes on above it.
static oq_status guard_layers(const finder *f, bool *changed, oq_error *err) {
    oq_plan *plan = f->plan;
    *changed = false;
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        if (layer->dropped || f->end[layer->output] == OQ_NONE || plan->nodes[layer->node].guard) continue;
        if (oq_options_override(&plan->options, layer->node) || !only_tail_reads(f, layer->output)) continue;
        OQ_TRY(guard_layer(f, layer, err));
        if (!layer->dropped || !is_decoding_product(layer)) continue;
        f->layer_for[layer->product] = f->layer_for[layer->sum] = f->layer_for[layer->output] = -1;
        *changed = true;
    }
    return ONNXQ_OK;
}

// --- Concat in front of layers ---

// Mean square of a value, of which perhaps only a range is known.
static double mean_square(const oq_tensor_stats *t) {
    const double low = (double)t->min, high = (double)t->max, sum = oq_exact_sum_get(&t->sum_squares);
    return sum > 0 ? sum / (double)t->count : (low * low + low * high + high * high) / 3;
}

// Sum of squares of the weights that meet channels [from, to).
static double squares_of(const float *w, const oq_shape *shape, int64_t from, int64_t to) {
    const int64_t kernel = oq_shape_range_count(shape, 2, shape->rank), row = shape->dim[1] * kernel;
    double sum = 0;
    for (int64_t m = 0; m < shape->dim[0]; m++)
        for (int64_t i = from * kernel; i < to * kernel; i++) {
            const double weight = (double)w[m * row + i];
            sum += weight * weight;
        }
    return sum;
}

static int64_t channels_of(const oq_plan *plan, oq_value_id value) {
    const oq_type *type = &oq_graph_value(plan->graph, value)->type;
    return type->kind == OQ_TYPE_TENSOR && type->rank > 2 && oq_dim_known(type->dim[1]) ? type->dim[1].size
                                                                                        : -1;
}

// Whether rounding the narrow inputs of a Concat of channels on the grid of the widest costs a convolution
// behind it too much of what it sums up.
static bool loses(const oq_plan *plan, const oq_node *concat, const oq_shape *shape, const float *w) {
    double power = 0, noise = 0, most = 0;
    int64_t at = 0;
    for (size_t i = 0; i < concat->input_count; i++) most = fmax(most, width_of(plan, concat->inputs[i]));
    for (size_t i = 0; i < concat->input_count; i++) {
        const int64_t count = channels_of(plan, concat->inputs[i]);
        if (count < 0 || at + count > shape->dim[1]) return false;
        const double squares = squares_of(w, shape, at, at + count), step = most / 255;
        power += squares * mean_square(stats_of(plan, concat->inputs[i]));
        if (width_of(plan, concat->inputs[i]) * LARGEST_RATIO < most) noise += squares * step * step / 12;
        at += count;
    }
    return at == shape->dim[1] && noise > LARGEST_NOISE * power;
}

static oq_status guard_reader(oq_plan *plan, const oq_node *concat, oq_layer *layer, double ratio,
                              oq_error *err) {
    const oq_constant *constant = layer->operand[1].constant;
    oq_tensor tensor = {0};
    if (layer->dropped || !constant || oq_options_override(&plan->options, layer->node) ||
        oq_node_int(oq_graph_node(plan->graph, layer->node), "group", 1) != 1 || layer->activation_bits > 8 ||
        layer->shape != OQ_LAYER_CONV || oq_node_int(concat, "axis", 0) != 1)
        return ONNXQ_OK;
    OQ_TRY(oq_constant_load(plan->mem, constant, &tensor, err));
    const bool lost = loses(plan, concat, &constant->shape, tensor.data);
    oq_tensor_release(&tensor);
    if (!lost) return ONNXQ_OK;
    layer->dropped =
        oq_arena_printf(&plan->arena, err,
                        "it reads inputs of a Concat whose ranges differ by %.0f times, and the narrow ones "
                        "would lose what it makes of them (see --no-guards)",
                        ratio);
    return layer->dropped ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// Inputs whose ranges are far apart keep their own grids.
static oq_status guard_concat(const finder *f, const oq_node *concat, oq_error *err) {
    oq_plan *plan = f->plan;
    const double ratio = ratio_of(plan, concat);
    if (!(ratio > LARGEST_RATIO) || !plan->rules[concat->id]) return ONNXQ_OK;
    plan->rules[concat->id] = NULL;
    const oq_gvalue *value = oq_graph_value(plan->graph, concat->outputs[0]);
    plan->nodes[concat->id].guard = oq_arena_printf(
        &plan->arena, err, "the ranges of its inputs differ by %.0f times: they share no grid", ratio);
    if (!plan->nodes[concat->id].guard) return ONNXQ_NO_MEMORY;
    for (size_t u = 0; u < value->use_count; u++) {
        const int32_t layer = plan->layer_of[value->uses[u].node];
        if (layer >= 0 && value->uses[u].input == 0)
            OQ_TRY(guard_reader(plan, concat, &plan->layers[layer], ratio, err));
    }
    return ONNXQ_OK;
}

// --- the whole ---

static oq_status make_finder(finder *f, oq_plan *plan, oq_arena *arena, oq_error *err) {
    const size_t values = plan->value_count + 1;
    *f = (finder){.plan = plan};
    f->selected = oq_arena_calloc(arena, values, sizeof *f->selected, err);
    f->end = oq_arena_alloc(arena, values * sizeof *f->end, err);
    f->layer_for = oq_arena_alloc(arena, values * sizeof *f->layer_for, err);
    if (!f->selected || !f->end || !f->layer_for) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < values; v++) f->end[v] = OQ_NONE, f->layer_for[v] = -1;
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        f->layer_for[layer->product] = f->layer_for[layer->sum] = f->layer_for[layer->output] = (int32_t)l;
    }
    return ONNXQ_OK;
}

static oq_status guard(oq_plan *plan, oq_arena *arena, oq_error *err) {
    finder f;
    bool changed = true;
    OQ_TRY(make_finder(&f, plan, arena, err));
    find_selected(&f);
    oq_plan_find_tails(plan);
    while (changed) {
        find_tails(&f);
        OQ_TRY(guard_layers(&f, &changed, err));
    }
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node *node = node_at(&f, i);
        if (oq_node_is(node, "Concat") && node->output_count && node->outputs[0] != OQ_NONE)
            OQ_TRY(guard_concat(&f, node, err));
    }
    return ONNXQ_OK;
}

oq_status oq_plan_guard_tails(oq_plan *plan, oq_error *err) {
    oq_arena arena;
    if (!plan->options.guards || plan->options.include_count || plan->options.mode != OQ_MODE_STATIC)
        return ONNXQ_OK;
    oq_arena_init(&arena, plan->mem);
    const oq_status status = guard(plan, &arena, err);
    oq_arena_release(&arena);
    return status;
}
