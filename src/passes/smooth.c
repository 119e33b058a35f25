// Smoothing: outliers of a few channels move from the input of matrix products into their weights,
// x W = (x / s) (s W) with one factor s per channel of x, so that one scale serves all channels of x / s.
#include "passes/passes.h"

#include <float.h>
#include <math.h>
#include <string.h>

// s = |x|^ALPHA / |w|^(1 - ALPHA). One value for all inputs serves the model's output better than the best
// value of each input by itself, because errors of different layers are not independent.
#define ALPHA 0.8
// Applied where the expected error of the products falls below this share: otherwise nothing is touched.
#define WORTHWHILE 0.7
// Values that each channel must have shown: the ranges of single channels are known less well than that of
// the whole tensor, and nothing is gained from guesses.
#define LEAST_VALUES 512
// Channels that are (nearly) always 0 are treated as if they reached this share of the largest one: samples
// that were not seen may hold more.
#define LEAST_SHARE 1e-3

// A matrix product x W that reads the value which is smoothed.
typedef struct consumer {
    oq_node *node;
    oq_tensor weight; // [blocks, K, N], or [N, K] when `transposed`
    bool transposed;
    size_t blocks, columns;
} consumer;

// One value with all products that are quantized and read it.
typedef struct group {
    oq_graph *graph;
    const oq_smooth_options *options;
    oq_value_id value;
    const oq_tensor_stats *stats;
    size_t channels;
    consumer *consumers;
    size_t count;
    double *reach;  // [channels] max|x|
    double *power;  // [channels] mean of x^2, estimated
    double *factor; // [channels] s
    double *norm;   // [channels] sum of squares of the weights that meet the channel
} group;

// --- which products ---

// The constant right side of a product whose left side is an activation with channels along its last axis.
static const oq_constant *right_side(oq_graph *graph, const oq_node *node) {
    const bool gemm = oq_node_is(node, "Gemm");
    if ((!gemm && !oq_node_is(node, "MatMul")) || node->input_count < 2) return NULL;
    if (node->inputs[0] == OQ_NONE || node->inputs[1] == OQ_NONE || oq_graph_constant(graph, node->inputs[0]))
        return NULL;
    if (gemm && oq_node_int(node, "transA", 0)) return NULL;
    const oq_constant *right = oq_graph_constant(graph, node->inputs[1]);
    const bool fits =
        right && right->dtype == ONNXQ_FLOAT && right->shape.rank >= 2 && oq_shape_count(&right->shape) > 0;
    return fits ? right : NULL;
}

void oq_smooth_axes(oq_graph *graph, int *axis) {
    for (size_t v = 0; v < graph->value_count; v++) axis[v] = -1;
    for (size_t n = 0; n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        if (node->dead || !right_side(graph, node)) continue;
        const oq_type *type = &oq_graph_value(graph, node->inputs[0])->type;
        if (type->kind == OQ_TYPE_TENSOR && type->rank > 0) axis[node->inputs[0]] = type->rank - 1;
    }
}

static oq_status load_consumer(oq_graph *graph, oq_node *node, consumer *out, oq_error *err) {
    const oq_constant *right = right_side(graph, node);
    const oq_shape *shape = &right->shape;
    *out = (consumer){.node = node};
    out->transposed = oq_node_is(node, "Gemm") && oq_node_int(node, "transB", 0);
    out->columns = (size_t)shape->dim[shape->rank - (out->transposed ? 2 : 1)];
    out->blocks = (size_t)oq_shape_range_count(shape, 0, shape->rank - 2);
    return oq_constant_load(graph->model->mem, right, &out->weight, err);
}

static size_t rows_of(const consumer *c) {
    const oq_shape *shape = &c->weight.shape;
    return (size_t)shape->dim[shape->rank - (c->transposed ? 1 : 2)];
}

static size_t index_of(const group *g, const consumer *c, size_t block, size_t channel, size_t column) {
    return c->transposed ? column * g->channels + channel
                         : (block * g->channels + channel) * c->columns + column;
}

static void release(group *g) {
    oq_mem *mem = g->graph->model->mem;
    for (size_t i = 0; i < g->count; i++) oq_tensor_release(&g->consumers[i].weight);
    oq_mem_free(mem, g->consumers);
    oq_mem_free(mem, g->reach);
}

// *found says whether any chosen product reads the value, and its channels are known.
static oq_status gather(group *g, const oq_stats *stats, bool *found, oq_error *err) {
    const oq_gvalue *value = oq_graph_value(g->graph, g->value);
    oq_mem *mem = g->graph->model->mem;
    const oq_tensor_stats *t = g->stats = oq_stats_find(stats, value->name);
    *found = false;
    if (!t || !t->channels || t->nan || t->infinite || t->channel_count < LEAST_VALUES ||
        t->channel_count * t->channels != t->count)
        return ONNXQ_OK;
    g->channels = t->channels;
    g->consumers = oq_mem_calloc(mem, value->use_count + 1, sizeof *g->consumers, err);
    g->reach = oq_mem_calloc(mem, 4 * g->channels, sizeof *g->reach, err);
    if (!g->consumers || !g->reach) return ONNXQ_NO_MEMORY;
    g->power = g->reach + g->channels;
    g->factor = g->power + g->channels;
    g->norm = g->factor + g->channels;
    for (size_t u = 0; u < value->use_count; u++) {
        oq_node *node = oq_graph_node(g->graph, value->uses[u].node);
        if (value->uses[u].input != 0 || !g->options->chosen[node->id] || !right_side(g->graph, node))
            continue;
        consumer *own = &g->consumers[g->count++];
        OQ_TRY(load_consumer(g->graph, node, own, err));
        if (rows_of(own) != g->channels) return ONNXQ_OK;
    }
    *found = g->count > 0;
    return ONNXQ_OK;
}

// --- how much it is worth ---

// Largest |w| that meets each channel, into `largest`; and the sums of squares.
static void measure_weights(group *g, double *largest) {
    memset(largest, 0, g->channels * sizeof *largest);
    memset(g->norm, 0, g->channels * sizeof *g->norm);
    for (size_t i = 0; i < g->count; i++) {
        const consumer *c = &g->consumers[i];
        const float *w = c->weight.data;
        for (size_t b = 0; b < c->blocks; b++)
            for (size_t j = 0; j < g->channels; j++)
                for (size_t n = 0; n < c->columns; n++) {
                    const double x = (double)w[index_of(g, c, b, j, n)];
                    largest[j] = fmax(largest[j], fabs(x));
                    g->norm[j] += x * x;
                }
    }
}

// Factors, scaled so that the largest |x| stays as it is. False when they are not sound numbers.
static bool choose_factors(group *g, const double *weight) {
    double top = 0, most = 0, before = 0;
    for (size_t j = 0; j < g->channels; j++) top = fmax(top, weight[j]);
    if (!(top > 0) || !isfinite(top)) return false;
    for (size_t j = 0; j < g->channels; j++) {
        const double w = fmax(weight[j], top * LEAST_SHARE);
        g->factor[j] = pow(g->reach[j], ALPHA) / pow(w, 1 - ALPHA);
        before = fmax(before, g->reach[j]);
        most = fmax(most, g->reach[j] / g->factor[j]);
    }
    for (size_t j = 0; j < g->channels; j++) {
        // 1 / s is what the graph multiplies by; s is what undoes that.
        const float inverse = (float)(before / (g->factor[j] * most));
        if (!(inverse >= FLT_MIN && inverse <= 1 / FLT_MIN)) return false;
        g->factor[j] = 1 / (double)inverse;
    }
    return true;
}

// Sum of the squared steps of the weights' grids, over all columns; [N] maxima in `most`.
static double weight_steps(const group *g, const consumer *c, bool smoothed, double *most) {
    const float *w = c->weight.data;
    double sum = 0, top = 0;
    for (size_t b = 0; b < c->blocks; b++) {
        memset(most, 0, c->columns * sizeof *most);
        for (size_t j = 0; j < g->channels; j++)
            for (size_t n = 0; n < c->columns; n++) {
                const double x = fabs((double)w[index_of(g, c, b, j, n)]) * (smoothed ? g->factor[j] : 1);
                most[n] = fmax(most[n], x);
            }
        for (size_t n = 0; n < c->columns; n++) sum += most[n] * most[n], top = fmax(top, most[n]);
    }
    if (!g->options->per_channel) sum = top * top * (double)(c->blocks * c->columns);
    const double levels = ldexp(1, g->options->weight_bits - 1) - 1;
    return sum / (levels * levels);
}

// Expected squared error of all products for one row of x: the rounding of x passes through the weights, the
// rounding of the weights meets x. The factor 1 / 12 of both is left out.
static oq_status expected_error(const group *g, bool smoothed, double *out, oq_error *err) {
    double low = 0, high = 0, through = 0, power = 0;
    for (size_t j = 0; j < g->channels; j++) {
        const double s = smoothed ? g->factor[j] : 1;
        low = fmin(low, (double)g->stats->channel_min[j] / s);
        high = fmax(high, (double)g->stats->channel_max[j] / s);
        through += g->norm[j] * s * s;
        power += g->power[j] / (s * s);
    }
    const double step = (high - low) / (ldexp(1, g->options->activation_bits) - 1);
    *out = step * step * through;
    for (size_t i = 0; i < g->count; i++) {
        const consumer *c = &g->consumers[i];
        double *most = oq_mem_calloc(g->graph->model->mem, c->columns + 1, sizeof *most, err);
        if (!most) return ONNXQ_NO_MEMORY;
        *out += weight_steps(g, c, smoothed, most) * power;
        oq_mem_free(g->graph->model->mem, most);
    }
    return ONNXQ_OK;
}

static oq_status decide(group *g, bool *worthwhile, oq_error *err) {
    double before, after;
    double *largest = oq_mem_calloc(g->graph->model->mem, g->channels + 1, sizeof *largest, err);
    if (!largest) return ONNXQ_NO_MEMORY;
    oq_stats_channel_power(g->stats, LEAST_SHARE, g->reach, g->power);
    measure_weights(g, largest);
    *worthwhile = choose_factors(g, largest);
    oq_mem_free(g->graph->model->mem, largest);
    if (!*worthwhile) return ONNXQ_OK;
    OQ_TRY(expected_error(g, false, &before, err));
    OQ_TRY(expected_error(g, true, &after, err));
    *worthwhile = after < WORTHWHILE * before;
    return ONNXQ_OK;
}

// --- doing it ---

// Gives an input a new constant.
static oq_status put_constant(oq_graph *graph, oq_node *node, size_t input, oq_tensor tensor, oq_error *err) {
    oq_value_id id;
    const char *name = oq_arena_printf(&graph->model->arena, err, "%s_smoothed",
                                       oq_graph_value(graph, node->inputs[input])->name);
    if (!name) {
        oq_tensor_release(&tensor);
        return ONNXQ_NO_MEMORY;
    }
    OQ_TRY(oq_graph_add_initializer(graph, name, tensor, &id, err));
    return oq_node_set_input(graph, node, input, id, err);
}

static oq_status scale_rows(const group *g, const consumer *c, oq_error *err) {
    oq_tensor scaled = {0};
    OQ_TRY(oq_tensor_new(g->graph->model->mem, ONNXQ_FLOAT, &c->weight.shape, &scaled, err));
    const float *from = c->weight.data;
    float *to = scaled.data;
    for (size_t b = 0; b < c->blocks; b++)
        for (size_t j = 0; j < g->channels; j++)
            for (size_t n = 0; n < c->columns; n++) {
                const size_t i = index_of(g, c, b, j, n);
                to[i] = (float)((double)from[i] * g->factor[j]);
            }
    return put_constant(g->graph, c->node, 1, scaled, err);
}

// Multiplies a constant by 1 / s; its elements belong to the channels in turn, or (Gemm's transposed weights)
// each channel owns `run` of them.
static oq_status divide(const group *g, oq_node *node, size_t input, size_t run, oq_error *err) {
    const oq_constant *constant = oq_graph_constant(g->graph, node->inputs[input]);
    oq_mem *mem = g->graph->model->mem;
    oq_tensor from = {0}, to = {0};
    OQ_TRY(oq_constant_load(mem, constant, &from, err));
    const oq_status status = oq_tensor_new(mem, ONNXQ_FLOAT, &from.shape, &to, err);
    const size_t count = (size_t)oq_tensor_count(&from);
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++)
        ((float *)to.data)[i] =
            (float)((double)((const float *)from.data)[i] / g->factor[i / run % g->channels]);
    oq_tensor_release(&from);
    OQ_TRY(status);
    return put_constant(g->graph, node, input, to, err);
}

// A constant with one number per channel along the last axis.
static bool is_vector(const group *g, const oq_node *node, size_t input) {
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return false;
    const oq_constant *constant = oq_graph_constant(g->graph, node->inputs[input]);
    if (!constant || constant->dtype != ONNXQ_FLOAT || constant->shape.rank < 1) return false;
    const int64_t channels = (int64_t)g->channels;
    return oq_shape_count(&constant->shape) == channels &&
           constant->shape.dim[constant->shape.rank - 1] == channels;
}

// What a producer is that 1 / s folds into, as constants to be divided; the last of them may lie a node
// further up.
typedef struct producer {
    oq_node *add, *node; // `add`: a bias added behind `node`, or NULL
    size_t add_input;
    size_t inputs[2], count; // constants of `node`
    size_t run;              // of inputs[0], see divide
} producer;

static bool match_products(const group *g, oq_node *node, producer *out) {
    const oq_constant *right = right_side(g->graph, node);
    if (!right || right->shape.rank != 2) return false;
    const bool transposed = oq_node_is(node, "Gemm") && oq_node_int(node, "transB", 0);
    if ((size_t)right->shape.dim[transposed ? 0 : 1] != g->channels) return false;
    out->inputs[out->count++] = 1;
    if (transposed) out->run = (size_t)right->shape.dim[1];
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return true;
    out->inputs[out->count++] = 2;
    return is_vector(g, node, 2);
}

static bool match_norm(const group *g, const oq_node *node, producer *out) {
    for (size_t i = 1; i < 3; i++) {
        if (i >= node->input_count || node->inputs[i] == OQ_NONE) continue;
        out->inputs[out->count++] = i;
        if (!is_vector(g, node, i)) return false;
    }
    return out->count > 0 && out->inputs[0] == 1;
}

// The node whose constants can take 1 / s; only where nobody else reads what changes by it.
static bool match_producer(const group *g, producer *out) {
    const oq_gvalue *value = oq_graph_value(g->graph, g->value);
    *out = (producer){.run = 1};
    if (value->is_output || value->use_count != g->count || value->producer == OQ_NONE) return false;
    out->node = oq_graph_node(g->graph, value->producer);
    if (oq_node_is(out->node, "Add")) {
        out->add = out->node;
        out->add_input = is_vector(g, out->add, 1);
        if (!is_vector(g, out->add, out->add_input)) return false;
        const oq_value_id sum = out->add->inputs[1 - out->add_input];
        const oq_gvalue *other = oq_graph_value(g->graph, sum);
        if (other->producer == OQ_NONE || !oq_graph_only_consumer(g->graph, sum)) return false;
        out->node = oq_graph_node(g->graph, other->producer);
    }
    if (oq_node_is(out->node, "LayerNormalization")) return match_norm(g, out->node, out);
    if (!oq_node_is(out->node, "Mul")) return match_products(g, out->node, out);
    out->inputs[0] = is_vector(g, out->node, 1);
    out->count = 1;
    return is_vector(g, out->node, out->inputs[0]);
}

static oq_status rename_smoothed(const group *g, oq_value_id value, oq_error *err) {
    const char *name =
        oq_arena_printf(&g->graph->model->arena, err, "%s_smoothed", oq_graph_value(g->graph, value)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(g->graph, name, &name, err));
    return oq_graph_rename(g->graph, value, name, err);
}

// The values that change get new names: nobody may take them, or their statistics, for the old ones.
static oq_status fold(const group *g, const producer *p, oq_error *err) {
    for (size_t i = 0; i < p->count; i++)
        OQ_TRY(divide(g, p->node, p->inputs[i], p->inputs[i] == 1 ? p->run : 1, err));
    if (p->add) {
        OQ_TRY(divide(g, p->add, p->add_input, 1, err));
        OQ_TRY(rename_smoothed(g, p->node->outputs[0], err));
    }
    return rename_smoothed(g, g->value, err);
}

// One explicit multiplication for all consumers.
static oq_status insert(const group *g, oq_value_id *smoothed, oq_error *err) {
    oq_graph *graph = g->graph;
    oq_tensor inverse = {0};
    const oq_shape shape = OQ_SHAPE((int64_t)g->channels);
    const char *base = oq_graph_value(graph, g->value)->name, *name;
    oq_value_id inputs[2] = {g->value};
    name = oq_arena_printf(&graph->model->arena, err, "%s_smoothing", base);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &shape, &inverse, err));
    for (size_t j = 0; j < g->channels; j++) ((float *)inverse.data)[j] = (float)(1 / g->factor[j]);
    OQ_TRY(oq_graph_add_initializer(graph, name, inverse, &inputs[1], err));
    name = oq_arena_printf(&graph->model->arena, err, "%s_smoothed", base);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, smoothed, err));
    oq_graph_value(graph, *smoothed)->type = oq_graph_value(graph, g->value)->type;
    oq_node *node;
    OQ_TRY(oq_graph_add_node(graph, "", "Mul", "", inputs, 2, smoothed, 1, &node, err));
    for (size_t i = 0; i < g->count; i++)
        OQ_TRY(oq_node_set_input(graph, g->consumers[i].node, 0, *smoothed, err));
    return ONNXQ_OK;
}

// Least and greatest value follow from those of the channels, exactly as the multiplication rounds them. A
// histogram of x / s does not follow from anything known, so every method falls back to this range.
static oq_status derive_statistics(const group *g, oq_value_id smoothed, oq_stats *stats, oq_error *err) {
    oq_tensor_stats *t;
    OQ_TRY(oq_stats_ensure(stats, oq_graph_value(g->graph, smoothed)->name, &t, err));
    t->count = g->stats->count;
    for (size_t j = 0; j < g->channels; j++) {
        const float inverse = (float)(1 / g->factor[j]);
        t->min = fminf(t->min, g->stats->channel_min[j] * inverse);
        t->max = fmaxf(t->max, g->stats->channel_max[j] * inverse);
    }
    return ONNXQ_OK;
}

static oq_status apply(group *g, oq_stats *stats, oq_error *err) {
    producer p;
    oq_value_id smoothed = g->value;
    for (size_t i = 0; i < g->count; i++) OQ_TRY(scale_rows(g, &g->consumers[i], err));
    if (match_producer(g, &p))
        OQ_TRY(fold(g, &p, err));
    else
        OQ_TRY(insert(g, &smoothed, err));
    return derive_statistics(g, smoothed, stats, err);
}

oq_status oq_pass_smooth(oq_graph *graph, const oq_smooth_options *options, oq_stats *stats, size_t *count,
                         oq_error *err) {
    const size_t values = graph->value_count;
    *count = 0;
    for (size_t v = 0; v < values; v++) {
        group g = {.graph = graph, .options = options, .value = (oq_value_id)v};
        if (graph->values[v]->dead || !graph->values[v]->use_count) continue;
        bool smooth;
        oq_status status = gather(&g, stats, &smooth, err);
        if (status == ONNXQ_OK && smooth) status = decide(&g, &smooth, err);
        if (status == ONNXQ_OK && smooth) status = apply(&g, stats, err);
        *count += status == ONNXQ_OK && smooth;
        release(&g);
        OQ_TRY(status);
    }
    return ONNXQ_OK;
}
