// Which layers and values equalization may rescale together.
#include "passes/channel_sets.h"
#include "passes/equalize.h"

#include <float.h>
#include <math.h>
#include <string.h>

// Channels that reach this share of a Clip's bound, or less, in all samples may be scaled up to that share:
// what was not seen may reach further.
#define CLIP_SHARE 0.8
// Channels that are (nearly) always 0 are treated as if they reached this share of the largest one.
#define LEAST_SHARE 1e-3

// Spoiled sets can not be rescaled.
typedef struct finder {
    oq_equalize *e;
    oq_channel_sets sets;
} finder;

// --- operators ---

// f(x / s) = f(x) / s for s > 0, channel by channel. Clip is one as long as its bounds are out of reach.
static bool is_homogeneous(const oq_graph *graph, const oq_node *node) {
    static const char *const types[] = {"Relu",        "LeakyRelu",         "PRelu",         "Clip",
                                        "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Identity"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (oq_node_is(node, types[i])) return true;
    if (oq_node_is(node, "MaxPool")) return node->output_count == 1; // indices stay, but are of no use here
    return oq_keeps_channels(graph, node);
}

// A bound of a Clip, read from attribute or input. False when it is computed at run time.
static bool clip_bound(oq_graph *graph, const oq_node *node, size_t input, const char *attr, double *bound) {
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (oq_node_attr(node, attr)) *bound = (double)oq_node_float(node, attr, 0);
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return true;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[input]);
    if (!constant || constant->dtype != ONNXQ_FLOAT || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    *bound = oq_tensor_get_f64(&tensor, 0);
    oq_tensor_release(&tensor);
    return true;
}

static bool clip_bounds(oq_graph *graph, const oq_node *node, double *low, double *high) {
    *low = -INFINITY, *high = INFINITY;
    return clip_bound(graph, node, 1, "min", low) && clip_bound(graph, node, 2, "max", high) && *low <= 0 &&
           *high > 0;
}

static const oq_constant *float_constant(oq_graph *graph, const oq_node *node, size_t input) {
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return NULL;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[input]);
    return constant && constant->dtype == ONNXQ_FLOAT ? constant : NULL;
}

// Fills how the weights join inputs and outputs; false when the node is no layer for this.
static bool describe(oq_graph *graph, oq_node *node, oq_equalize_layer *out) {
    const bool conv = oq_node_is(node, "Conv"), transposed = oq_node_is(node, "ConvTranspose"),
               gemm = oq_node_is(node, "Gemm");
    if ((!conv && !transposed && !gemm) || node->region != OQ_NONE || node->inputs[0] == OQ_NONE)
        return false;
    const oq_constant *w = float_constant(graph, node, 1);
    if (!w || oq_graph_constant(graph, node->inputs[0]) || w->shape.rank < (gemm ? 2 : 3)) return false;
    if (gemm && oq_node_int(node, "transA", 0)) return false;
    const int64_t groups = gemm ? 1 : oq_node_int(node, "group", 1);
    const size_t first = (size_t)w->shape.dim[0], second = (size_t)w->shape.dim[1];
    if (groups < 1 || !first || !second || first % (size_t)groups) return false;
    *out = (oq_equalize_layer){.node = node, .groups = (size_t)groups, .in = OQ_NONE, .out = OQ_NONE};
    out->by_input = transposed || (gemm && !oq_node_int(node, "transB", 0));
    out->inputs = out->by_input ? first : second * out->groups;
    out->outputs = out->by_input ? second * out->groups : first;
    out->entries = first * second;
    out->kernel = (size_t)oq_shape_range_count(&w->shape, 2, w->shape.rank);
    return out->kernel > 0;
}

// A bias is divided with the rows: one constant number per channel, or none.
static bool bias_divides(oq_graph *graph, const oq_equalize_layer *l) {
    if (l->node->input_count < 3 || l->node->inputs[2] == OQ_NONE) return true;
    const oq_constant *bias = float_constant(graph, l->node, 2);
    return bias && oq_shape_count(&bias->shape) == (int64_t)l->outputs && bias->shape.rank > 0 &&
           bias->shape.dim[bias->shape.rank - 1] == (int64_t)l->outputs;
}

// --- sets of values ---

static oq_status add_layer(finder *f, oq_node *node, const oq_equalize_layer *layer, oq_error *err) {
    oq_equalize *e = f->e;
    if (oq_channels_of(e->graph, node->inputs[0]) != layer->inputs)
        oq_channel_sets_spoil(&f->sets, node->inputs[0]);
    if (oq_channels_of(e->graph, node->outputs[0]) != layer->outputs || !bias_divides(e->graph, layer))
        oq_channel_sets_spoil(&f->sets, node->outputs[0]);
    OQ_TRY(oq_mem_reserve(e->graph->model->mem, (void **)&e->layers, e->layer_count, &e->layer_capacity,
                          sizeof *e->layers, err));
    e->layers[e->layer_count++] = *layer;
    return ONNXQ_OK;
}

// What a node does to the sets of the values around it.
static oq_status visit(finder *f, oq_node *node, oq_error *err) {
    oq_graph *graph = f->e->graph;
    oq_equalize_layer layer;
    double low, high;
    const size_t inputs = node->input_count;
    const bool plain = node->region == OQ_NONE && inputs && node->output_count && node->inputs[0] != OQ_NONE;
    if (plain && f->e->options->chosen[node->id] && describe(graph, node, &layer)) {
        for (size_t i = 2; i < inputs; i++)
            oq_channel_sets_spoil(&f->sets, node->inputs[i]); // a bias that is computed
        return add_layer(f, node, &layer, err);
    }
    if (plain && oq_node_is(node, "Add") && inputs == 2 && !oq_graph_constant(graph, node->inputs[0]) &&
        !oq_graph_constant(graph, node->inputs[1])) {
        oq_channel_sets_join(&f->sets, node->inputs[0], node->outputs[0]);
        oq_channel_sets_join(&f->sets, node->inputs[1], node->outputs[0]);
    } else if (plain && is_homogeneous(graph, node) &&
               (!oq_node_is(node, "Clip") || clip_bounds(graph, node, &low, &high))) {
        for (size_t i = 1; i < inputs; i++)
            oq_channel_sets_spoil(&f->sets, node->inputs[i]); // of no effect on constants
        oq_channel_sets_join(&f->sets, node->inputs[0], node->outputs[0]);
    } else {
        oq_channel_sets_spoil_node(&f->sets, node);
    }
    return ONNXQ_OK;
}

// What is known of a value per channel, or NULL.
static const oq_tensor_stats *channel_stats(const oq_equalize *e, oq_value_id value, size_t channels) {
    const oq_tensor_stats *t = oq_stats_find(e->stats, oq_graph_value(e->graph, value)->name);
    return t && t->channels == channels && t->axis == 1 && t->channel_count && !t->nan && !t->infinite ? t
                                                                                                       : NULL;
}

// Layers before and behind each set; sets without statistics per channel of what layers read are spoiled, and
// so are those of which a value has other statistics, since these could not be rescaled.
static void check_sets(finder *f, size_t *before, size_t *behind) {
    oq_equalize *e = f->e;
    for (size_t i = 0; i < e->layer_count; i++) {
        const oq_node *node = e->layers[i].node;
        before[oq_channel_sets_leader(&f->sets, node->outputs[0])]++;
        behind[oq_channel_sets_leader(&f->sets, node->inputs[0])]++;
        if (!channel_stats(e, node->inputs[0], e->layers[i].inputs))
            oq_channel_sets_spoil(&f->sets, node->inputs[0]);
    }
    for (size_t v = 0; v < e->graph->value_count; v++) {
        const oq_gvalue *value = oq_graph_value(e->graph, (oq_value_id)v);
        const bool known = !value->dead && oq_stats_find(e->stats, value->name) != NULL;
        if (value->is_input || value->is_output || value->is_capture || value->initializer ||
            (known && !channel_stats(e, (oq_value_id)v, oq_channels_of(e->graph, (oq_value_id)v))))
            oq_channel_sets_spoil(&f->sets, (oq_value_id)v);
    }
}

static oq_status make_groups(finder *f, const size_t *before, const size_t *behind, oq_error *err) {
    oq_equalize *e = f->e;
    oq_mem *mem = e->graph->model->mem;
    const size_t values = e->graph->value_count;
    e->groups = oq_mem_calloc(mem, values + 1, sizeof *e->groups, err);
    if (!e->groups) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < values; v++) e->group_of[v] = OQ_NONE;
    for (size_t v = 0; v < values; v++) {
        const oq_value_id leader = oq_channel_sets_leader(&f->sets, (oq_value_id)v);
        if (f->sets.spoiled[leader] || !before[leader] || !behind[leader] || leader != (oq_value_id)v)
            continue;
        oq_equalize_group *g = &e->groups[e->group_count];
        const size_t n = g->channels = oq_channels_of(e->graph, (oq_value_id)v);
        e->group_of[v] = (int32_t)e->group_count++;
        g->factor = oq_mem_calloc(mem, 8 * n, sizeof *g->factor, err);
        if (!g->factor) return ONNXQ_NO_MEMORY;
        g->room = g->factor + n, g->low = g->room + n, g->high = g->low + n, g->weight = g->high + n;
        g->scratch = g->weight + n;
        for (size_t c = 0; c < n; c++) g->factor[c] = 1;
    }
    for (size_t v = 0; v < values; v++)
        e->group_of[v] = e->group_of[oq_channel_sets_leader(&f->sets, (oq_value_id)v)];
    return ONNXQ_OK;
}

// --- what is known of layers and groups ---

static oq_status load(oq_equalize *e, oq_equalize_layer *l, oq_error *err) {
    oq_mem *mem = e->graph->model->mem;
    OQ_TRY(oq_constant_load(mem, oq_graph_constant(e->graph, l->node->inputs[1]), &l->weight, err));
    l->peak = oq_mem_calloc(mem, l->entries, sizeof *l->peak, err);
    l->norm = oq_mem_calloc(mem, 2 * l->inputs + 2 * l->outputs, sizeof *l->norm, err);
    if (!l->peak || !l->norm) return ONNXQ_NO_MEMORY;
    l->power = l->norm + l->inputs;
    l->row = l->power + l->inputs;
    const float *w = l->weight.data;
    for (size_t i = 0; i < l->entries; i++) {
        size_t output, input;
        oq_equalize_entry(l, i, &output, &input);
        for (size_t k = 0; k < l->kernel; k++, w++) {
            l->peak[i] = fmaxf(l->peak[i], fabsf(*w));
            l->norm[input] += (double)*w * (double)*w;
        }
    }
    return ONNXQ_OK;
}

// Reach of each channel at the layer, and the mean square that follows (see oq_stats_channel_power).
static void measure_input(oq_equalize *e, oq_equalize_layer *l) {
    const oq_tensor_stats *channels = channel_stats(e, l->node->inputs[0], l->inputs);
    if (channels) {
        oq_stats_channel_power(channels, LEAST_SHARE, NULL, l->power);
    } else {
        const oq_tensor_stats *t =
            oq_stats_find(e->stats, oq_graph_value(e->graph, l->node->inputs[0])->name);
        for (size_t c = 0; c < l->inputs; c++)
            l->power[c] = t && t->count ? oq_exact_sum_get(&t->sum_squares) / (double)t->count : 1;
    }
    if (l->in == OQ_NONE || !channels) return;
    oq_equalize_group *g = &e->groups[l->in];
    if (!g->values || channels->channel_count < g->values) g->values = channels->channel_count;
    for (size_t c = 0; c < l->inputs; c++) {
        g->low[c] = fmin(g->low[c], (double)channels->channel_min[c]);
        g->high[c] = fmax(g->high[c], (double)channels->channel_max[c]);
        g->weight[c] += l->norm[c];
    }
}

// The least factor by which a channel with this extreme may be divided and still stay inside of a bound.
static double room_for(double extreme, double bound) {
    if (bound == 0 || isinf(bound) || extreme / bound <= 0) return 0;
    const double least = extreme / (CLIP_SHARE * bound);
    return least < 1 ? least : 1;
}

static void measure_clip(oq_equalize *e, const oq_node *node) {
    double low, high;
    const int32_t index = node->output_count ? e->group_of[node->outputs[0]] : OQ_NONE;
    if (index == OQ_NONE || !oq_node_is(node, "Clip")) return;
    oq_equalize_group *g = &e->groups[index];
    const oq_tensor_stats *t = channel_stats(e, node->outputs[0], g->channels);
    clip_bounds(e->graph, node, &low, &high);
    g->clipped = g->clipped || (low < 0 && !isinf(low)) || !isinf(high);
    for (size_t c = 0; c < g->channels; c++) {
        const double room =
            t ? fmax(room_for((double)t->channel_min[c], low), room_for((double)t->channel_max[c], high)) : 1;
        g->room[c] = fmax(g->room[c], room);
    }
}

static oq_status measure(oq_equalize *e, oq_error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < e->layer_count; i++) {
        oq_equalize_layer l = e->layers[i];
        l.in = e->group_of[l.node->inputs[0]], l.out = e->group_of[l.node->outputs[0]];
        if (l.in != OQ_NONE || l.out != OQ_NONE) e->layers[kept++] = l;
    }
    e->layer_count = kept;
    for (size_t i = 0; i < e->layer_count; i++) {
        OQ_TRY(load(e, &e->layers[i], err));
        measure_input(e, &e->layers[i]);
    }
    for (size_t n = 0; n < e->graph->node_count; n++)
        if (!e->graph->nodes[n]->dead) measure_clip(e, e->graph->nodes[n]);
    return ONNXQ_OK;
}

// --- all together ---

static oq_status begin(finder *f, oq_equalize *e, size_t **counts, oq_error *err) {
    oq_mem *mem = e->graph->model->mem;
    const size_t values = e->graph->value_count + 1;
    *f = (finder){.e = e};
    e->group_of = oq_mem_calloc(mem, values, sizeof *e->group_of, err);
    *counts = oq_mem_calloc(mem, 2 * values, sizeof **counts, err);
    if (!e->group_of || !*counts) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_channel_sets_begin(&f->sets, e->graph, err));
    for (size_t n = 0; n < e->graph->node_count; n++)
        if (!e->graph->nodes[n]->dead) OQ_TRY(visit(f, e->graph->nodes[n], err));
    return ONNXQ_OK;
}

oq_status oq_equalize_find(oq_equalize *e, oq_error *err) {
    oq_mem *mem = e->graph->model->mem;
    finder f;
    size_t *counts = NULL;
    oq_status status;
    OQ_TRY_DONE(begin(&f, e, &counts, err));
    check_sets(&f, counts, counts + e->graph->value_count);
    OQ_TRY_DONE(make_groups(&f, counts, counts + e->graph->value_count, err));
    OQ_TRY_DONE(measure(e, err));
done:
    oq_channel_sets_release(&f.sets);
    oq_mem_free(mem, counts);
    return status;
}

void oq_equalize_release(oq_equalize *e) {
    oq_mem *mem = e->graph->model->mem;
    for (size_t i = 0; i < e->layer_count; i++) {
        oq_tensor_release(&e->layers[i].weight);
        oq_mem_free(mem, e->layers[i].peak);
        oq_mem_free(mem, e->layers[i].norm);
    }
    for (size_t i = 0; i < e->group_count; i++) oq_mem_free(mem, e->groups[i].factor);
    oq_mem_free(mem, e->layers);
    oq_mem_free(mem, e->groups);
    oq_mem_free(mem, e->group_of);
}

void oq_equalize_axes(oq_graph *graph, int *axis) {
    for (size_t n = 0; n < graph->node_count; n++) {
        oq_node *node = graph->nodes[n];
        oq_equalize_layer layer;
        if (node->dead || !node->output_count || node->inputs[0] == OQ_NONE) continue;
        const bool is_layer = node->input_count > 1 && describe(graph, node, &layer);
        if (!is_layer && !is_homogeneous(graph, node) && !oq_node_is(node, "Add")) continue;
        const oq_value_id ends[] = {node->inputs[0], node->outputs[0]};
        for (size_t i = 0; i < 2; i++)
            if (axis[ends[i]] < 0 && oq_channels_of(graph, ends[i])) axis[ends[i]] = 1;
    }
}
