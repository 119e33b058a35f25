// Exact input grids: what a convolution reads of the outside is made the integers again that it was before it
// was normalized.
#include "ops/lib/window.h"
#include "passes/passes.h"

#include <math.h>
#include <string.h>

// Wider inputs are features, not pixels.
#define MOST_CHANNELS 64
// An integer is met when what is left is a share of the step that rounding takes away in any case.
#define NEAR_INTEGER .0625
enum { LAST = OQ_LEVELS_MOST - 1, MOST_STEPS_UP = 32 };

// The integers of one value: x = low[c] + step[c] * i, i = 0..255, and the one that stands for 0.
typedef struct input_grid {
    oq_graph *graph;
    oq_value_id value;
    const oq_tensor_stats *stats;
    size_t channels;
    double low[MOST_CHANNELS], step[MOST_CHANNELS];
    int zero;
    bool holds_zero; // x = 0 is integer `zero` in all channels, so that a convolution's own padding serves
    bool uniform;    // and all channels have one step: nothing needs to be scaled
} input_grid;

// One convolution that reads it.
typedef struct reader {
    oq_node *node;
    oq_tensor weight; // [outputs, depth, kernel]
    size_t outputs, depth, kernel, groups;
} reader;

// --- which values ---

// Whether the value comes straight from outside: a graph input, behind nodes that shift, scale or move it.
static bool is_from_outside(oq_graph *graph, oq_value_id value) {
    static const char *const plain[] = {"Add", "Sub", "Mul", "Div", "Cast", "Transpose", "Identity", "Pad"};
    for (int i = 0; i < MOST_STEPS_UP; i++) {
        const oq_gvalue *v = oq_graph_value(graph, value);
        if (v->producer == OQ_NONE) return v->is_input && !v->initializer;
        const oq_node *node = oq_graph_node(graph, v->producer);
        bool known = false;
        oq_value_id up = OQ_NONE;
        for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) known |= oq_node_is(node, plain[k]);
        for (size_t k = 0; known && k < node->input_count; k++) {
            if (node->inputs[k] == OQ_NONE || oq_graph_constant(graph, node->inputs[k])) continue;
            if (up != OQ_NONE) return false;
            up = node->inputs[k];
        }
        if (!known || up == OQ_NONE) return false;
        value = up;
    }
    return false;
}

// The constant weights of a convolution that reads `value` as its data, or NULL.
static const oq_constant *weight_of(oq_graph *graph, const oq_node *node, oq_value_id value) {
    if (!oq_node_is(node, "Conv") || node->input_count < 2 || node->inputs[0] != value ||
        node->inputs[1] == OQ_NONE)
        return NULL;
    const oq_constant *weight = oq_graph_constant(graph, node->inputs[1]);
    const bool fits = weight && weight->dtype == ONNXQ_FLOAT && weight->shape.rank > 2 &&
                      oq_shape_count(&weight->shape) > 0;
    return fits ? weight : NULL;
}

void oq_input_grid_watch(oq_graph *graph, int *axis, bool *levels) {
    memset(levels, 0, graph->value_count * sizeof *levels);
    for (size_t n = 0; n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        if (node->dead || !node->input_count || node->inputs[0] == OQ_NONE) continue;
        const oq_value_id value = node->inputs[0];
        const oq_constant *weight = weight_of(graph, node, value);
        if (!weight || weight->shape.dim[1] * oq_node_int(node, "group", 1) > MOST_CHANNELS ||
            !is_from_outside(graph, value))
            continue;
        if (axis[value] < 0) axis[value] = 1;
        levels[value] = axis[value] == 1;
    }
}

// --- the integers ---

// Levels that were never seen are shared out to both sides; none to the other side of 0.
static void spread(double *low, double step, int last) {
    const bool positive = *low > -NEAR_INTEGER * step, negative = *low + last * step < NEAR_INTEGER * step;
    const int room = LAST - last;
    *low -= step * (positive ? 0 : negative ? room : room / 2);
}

// False when a channel holds anything else.
static bool find_integers(input_grid *g) {
    double zeros = 0, least = INFINITY, most = 0;
    for (size_t c = 0; c < g->channels; c++) {
        oq_lattice lattice;
        if (!oq_levels_lattice(&g->stats->levels[c], &lattice)) return false;
        g->low[c] = lattice.low, g->step[c] = lattice.step;
        spread(&g->low[c], g->step[c], lattice.last);
        zeros -= g->low[c] / g->step[c];
        least = fmin(least, g->step[c]), most = fmax(most, g->step[c]);
    }
    g->zero = (int)fmax(0, fmin(rint(zeros / (double)g->channels), LAST));
    g->holds_zero = true;
    for (size_t c = 0; c < g->channels; c++)
        g->holds_zero &= fabs(g->low[c] / g->step[c] + g->zero) <= NEAR_INTEGER;
    g->uniform = g->holds_zero && (most - least) * LAST <= NEAR_INTEGER * least;
    return true;
}

// What stands for integer `zero`: x = step * u + offset.
static double offset_of(const input_grid *g, size_t c) {
    return g->holds_zero ? 0 : g->low[c] + g->zero * g->step[c];
}

// --- what it is worth ---

static oq_status load(const input_grid *g, oq_node *node, reader *r, bool *fits, oq_error *err) {
    const oq_constant *weight = weight_of(g->graph, node, g->value);
    *r = (reader){.node = node, .groups = (size_t)oq_node_int(node, "group", 1)};
    *fits = false;
    if (!weight) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(g->graph->model->mem, weight, &r->weight, err));
    const oq_shape *w = &r->weight.shape;
    r->outputs = (size_t)w->dim[0], r->depth = (size_t)w->dim[1];
    r->kernel = (size_t)oq_shape_range_count(w, 2, w->rank);
    *fits = r->groups > 0 && r->depth * r->groups == g->channels && r->outputs % r->groups == 0;
    return ONNXQ_OK;
}

// Input channel that meets row `i` of the weights [outputs * depth, kernel].
static size_t channel_of(const reader *r, size_t i) {
    return i / r->depth / (r->outputs / r->groups) * r->depth + i % r->depth;
}

// Sum over the outputs of step^2 * sum of x^2 that meets it, as the rounding of the weights costs it; x is
// what the channels hold, `power`, and the weights are multiplied by `scale`.
static double weight_noise(const reader *r, const double *power, const double *scale, bool per_channel) {
    const float *w = r->weight.data;
    double sum = 0, meets = 0, top = 0;
    for (size_t m = 0; m < r->outputs; m++) {
        double most = 0, own = 0;
        for (size_t i = m * r->depth; i < (m + 1) * r->depth; i++) {
            const size_t c = channel_of(r, i);
            own += power[c] * (double)r->kernel;
            for (size_t k = 0; k < r->kernel; k++)
                most = fmax(most, fabs((double)w[i * r->kernel + k]) * scale[c]);
        }
        sum += most * most * own;
        meets += own, top = fmax(top, most);
    }
    return per_channel ? sum : top * top * meets;
}

static double norm(const reader *r) {
    const float *w = r->weight.data;
    double sum = 0;
    for (size_t i = 0; i < r->outputs * r->depth * r->kernel; i++) sum += (double)w[i] * (double)w[i];
    return sum;
}

// Expected squared error of the products, before and after; the factor 1 / 12 of all terms is left out. The
// integers themselves have none.
static bool is_better(const input_grid *g, const reader *r, const oq_input_grid_options *options) {
    const oq_tensor_stats *t = g->stats;
    const double levels = ldexp(1, options->weight_bits - 1) - 1,
                 step = ((double)fmaxf(t->max, 0) - (double)fminf(t->min, 0)) / LAST;
    double was[MOST_CHANNELS], is[MOST_CHANNELS], one[MOST_CHANNELS];
    oq_stats_channel_power(t, 0, NULL, was);
    for (size_t c = 0; c < g->channels; c++) {
        const double mean = oq_channel_sum_get(&t->channel_sum[c]) / (double)t->channel_count,
                     off = mean - offset_of(g, c);
        one[c] = 1;
        is[c] = (was[c] - mean * mean + off * off) / (g->step[c] * g->step[c]);
    }
    const double before = weight_noise(r, was, one, options->per_channel) / (levels * levels),
                 after = weight_noise(r, is, g->step, options->per_channel) / (levels * levels);
    return after < before + step * step * norm(r);
}

// --- padding ---

// The paddings in effect. False when they depend on sizes that are not known.
static oq_status read_padding(const input_grid *g, const reader *r, oq_window *out, bool *known,
                              oq_error *err) {
    const int spatial = r->weight.shape.rank - 2;
    const oq_type *type = &oq_graph_value(g->graph, g->value)->type;
    int64_t in[OQ_WINDOW_MAX];
    OQ_TRY(oq_window_read(r->node, spatial, r->weight.shape.dim + 2, out, err));
    *known = out->auto_pad == OQ_PAD_NOTSET || out->auto_pad == OQ_PAD_VALID;
    if (out->auto_pad == OQ_PAD_VALID)
        for (int i = 0; i < spatial; i++) out->pad_begin[i] = out->pad_end[i] = 0;
    if (*known || type->kind != OQ_TYPE_TENSOR || type->rank != spatial + 2) return ONNXQ_OK;
    for (int i = 0; i < spatial; i++) {
        in[i] = type->dim[i + 2].size;
        if (in[i] < 1) return ONNXQ_OK;
    }
    *known = true;
    return oq_window_place(out, in, err);
}

static bool pads(const oq_window *w) {
    for (int i = 0; i < w->spatial; i++)
        if (w->pad_begin[i] || w->pad_end[i]) return true;
    return false;
}

// Whether 0 is nearer to one of the integers than to what lies beyond them.
static bool reaches_zero(const input_grid *g) {
    for (size_t c = 0; c < g->channels; c++) {
        const double index = -g->low[c] / g->step[c];
        if (index < -.5 || index > LAST + .5) return false;
    }
    return true;
}

// --- doing it ---

// `<name of like><suffix>`, a new initializer of one number per element.
static oq_status new_floats(const input_grid *g, oq_value_id like, const char *suffix, const oq_shape *shape,
                            const double *numbers, oq_value_id *out, oq_error *err) {
    oq_tensor tensor = {0};
    const char *name =
        oq_arena_printf(&g->graph->model->arena, err, "%s%s", oq_graph_value(g->graph, like)->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(g->graph->model->mem, ONNXQ_FLOAT, shape, &tensor, err));
    oq_store_f64(ONNXQ_FLOAT, numbers, tensor.data, (size_t)oq_shape_count(shape));
    return oq_graph_add_initializer(g->graph, name, tensor, out, err);
}

static oq_status put(const input_grid *g, const char *op_type, oq_value_id first, oq_value_id second,
                     const char *suffix, oq_value_id *out, oq_node **node, oq_error *err) {
    const char *name = oq_arena_printf(&g->graph->model->arena, err, "%s%s",
                                       oq_graph_value(g->graph, g->value)->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(g->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(g->graph, name, out, err));
    return oq_graph_add_node(g->graph, "", op_type, "", (oq_value_id[]){first, second},
                             second == OQ_NONE ? 1 : 2, out, 1, node, err);
}

// Pad of zeros; what to pad is an attribute until opset 10, then an input.
static oq_status put_pad(const input_grid *g, const oq_window *w, oq_value_id *out, oq_error *err) {
    const size_t rank = (size_t)w->spatial + 2;
    const bool attribute = oq_model_opset(g->graph->model, "") < 11;
    const oq_shape shape = OQ_SHAPE((int64_t)(2 * rank));
    int64_t cells[2 * OQ_MAX_RANK] = {0};
    oq_value_id input = OQ_NONE;
    oq_tensor tensor = {0};
    oq_node *node;
    for (size_t i = 0; i + 2 < rank; i++) {
        cells[i + 2] = w->pad_begin[i];
        cells[rank + i + 2] = w->pad_end[i];
    }
    if (!attribute) {
        OQ_TRY(oq_tensor_new(g->graph->model->mem, ONNXQ_INT64, &shape, &tensor, err));
        oq_store_i64(ONNXQ_INT64, cells, tensor.data, 2 * rank);
        OQ_TRY(oq_graph_add_initializer(g->graph, "pads", tensor, &input, err));
    }
    OQ_TRY(put(g, "Pad", g->value, input, "_padded", out, &node, err));
    return attribute ? oq_node_set_ints(g->graph, node, "pads", cells, 2 * rank, err) : ONNXQ_OK;
}

// The integers less `zero`, from float: x / step - offset / step.
static oq_status put_integers(const input_grid *g, const oq_window *w, oq_stats *stats, oq_value_id *out,
                              oq_error *err) {
    double factor[MOST_CHANNELS], shift[MOST_CHANNELS];
    oq_shape shape = OQ_SHAPE((int64_t)g->channels);
    oq_value_id padded = g->value, constant;
    oq_tensor_stats *t;
    oq_node *node;
    for (int i = 0; i < w->spatial; i++) shape.dim[shape.rank++] = 1;
    for (size_t c = 0; c < g->channels; c++) {
        factor[c] = 1 / g->step[c];
        shift[c] = -offset_of(g, c) / g->step[c];
    }
    if (!g->holds_zero && pads(w)) OQ_TRY(put_pad(g, w, &padded, err));
    OQ_TRY(new_floats(g, g->value, "_steps", &shape, factor, &constant, err));
    OQ_TRY(put(g, "Mul", padded, constant, g->holds_zero ? "_integers" : "_scaled", out, &node, err));
    if (!g->holds_zero) {
        OQ_TRY(new_floats(g, g->value, "_shift", &shape, shift, &constant, err));
        OQ_TRY(put(g, "Add", *out, constant, "_integers", out, &node, err));
    }
    OQ_TRY(oq_stats_ensure(stats, oq_graph_value(g->graph, *out)->name, &t, err));
    t->count = g->stats->count;
    t->min = (float)-g->zero;
    t->max = (float)(LAST - g->zero);
    return ONNXQ_OK;
}

// y = W x + b = (W step) u + (b + W offset).
static oq_status fold(const input_grid *g, const reader *r, oq_error *err) {
    oq_mem *mem = g->graph->model->mem;
    const float *w = r->weight.data;
    oq_node *node = r->node;
    const oq_shape outputs = OQ_SHAPE((int64_t)r->outputs);
    const oq_value_id named = node->inputs[1];
    const size_t count = r->outputs * r->depth * r->kernel;
    double *numbers = oq_mem_calloc(mem, count + r->outputs, sizeof *numbers, err), *bias = numbers + count;
    oq_tensor old = {0};
    oq_value_id constant;
    if (!numbers) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    const bool has_bias = node->input_count > 2 && node->inputs[2] != OQ_NONE;
    if (has_bias) {
        OQ_TRY_DONE(oq_constant_load(mem, oq_graph_constant(g->graph, node->inputs[2]), &old, err));
        oq_load_f64(old.dtype, old.data, bias, r->outputs);
    }
    for (size_t i = 0; i < count; i++) {
        const size_t c = channel_of(r, i / r->kernel);
        numbers[i] = (double)w[i] * g->step[c];
        bias[i / r->kernel / r->depth] += (double)w[i] * offset_of(g, c);
    }
    OQ_TRY_DONE(new_floats(g, named, "_of_integers", &r->weight.shape, numbers, &constant, err));
    OQ_TRY_DONE(oq_node_set_input(g->graph, node, 1, constant, err));
    if (g->holds_zero) goto done;
    OQ_TRY_DONE(new_floats(g, has_bias ? node->inputs[2] : named, has_bias ? "_of_integers" : "_bias",
                           &outputs, bias, &constant, err));
    OQ_TRY_DONE(oq_node_set_input(g->graph, node, 2, constant, err));
done:
    oq_tensor_release(&old);
    oq_mem_free(mem, numbers);
    return status;
}

static oq_status make_padding_explicit(const input_grid *g, oq_node *node, const oq_window *w,
                                       oq_error *err) {
    static const int64_t none[2 * OQ_MAX_RANK] = {0};
    if (g->holds_zero) return ONNXQ_OK;
    oq_node_remove_attr(node, "auto_pad");
    return oq_node_set_ints(g->graph, node, "pads", none, 2 * (size_t)w->spatial, err);
}

static bool bias_fits(const input_grid *g, const reader *r) {
    if (r->node->input_count < 3 || r->node->inputs[2] == OQ_NONE) return true;
    const oq_constant *bias = oq_graph_constant(g->graph, r->node->inputs[2]);
    return bias && bias->dtype == ONNXQ_FLOAT && oq_shape_count(&bias->shape) == (int64_t)r->outputs;
}

static oq_status convert_reader(const input_grid *g, reader *r, const oq_input_grid_options *options,
                                oq_stats *stats, bool *changed, oq_error *err) {
    oq_window window;
    bool known;
    oq_value_id integers;
    OQ_TRY(read_padding(g, r, &window, &known, err));
    const bool padded = !g->holds_zero && (!known || pads(&window));
    if ((padded && (!known || !reaches_zero(g))) || !bias_fits(g, r) || !is_better(g, r, options))
        return ONNXQ_OK;
    OQ_TRY(put_integers(g, &window, stats, &integers, err));
    OQ_TRY(fold(g, r, err));
    OQ_TRY(make_padding_explicit(g, r->node, &window, err));
    *changed = true;
    return oq_node_set_input(g->graph, r->node, 0, integers, err);
}

// The range that makes the integers those of the grid: its scale is their step.
static void set_range(const input_grid *g, oq_tensor_stats *t) {
    t->histogram.used = false;
    t->min = (float)(-g->zero * g->step[0]);
    t->max = (float)((LAST - g->zero) * g->step[0]);
}

static oq_status visit(oq_graph *graph, oq_value_id value, const oq_input_grid_options *options,
                       oq_stats *stats, size_t *count, oq_error *err) {
    oq_tensor_stats *t = oq_stats_find(stats, oq_graph_value(graph, value)->name);
    input_grid g = {.graph = graph, .value = value, .stats = t, .channels = t ? t->channels : 0};
    if (!t || !t->levels || t->axis != 1 || g.channels > MOST_CHANNELS || !find_integers(&g)) return ONNXQ_OK;
    bool changed = false;
    for (size_t n = 0; n < graph->node_count && (!changed || !g.uniform); n++) {
        oq_node *node = graph->nodes[n];
        reader r;
        bool fits;
        if (node->dead || !weight_of(graph, node, value) || !options->chosen[n]) continue;
        oq_status status = load(&g, node, &r, &fits, err);
        if (status == ONNXQ_OK && fits && g.uniform)
            changed = true;
        else if (status == ONNXQ_OK && fits)
            status = convert_reader(&g, &r, options, stats, &changed, err);
        oq_tensor_release(&r.weight);
        OQ_TRY(status);
    }
    if (changed && g.uniform) set_range(&g, t);
    *count += changed;
    return ONNXQ_OK;
}

oq_status oq_pass_input_grid(oq_graph *graph, const oq_input_grid_options *options, oq_stats *stats,
                             size_t *count, oq_error *err) {
    const size_t values = graph->value_count;
    *count = 0;
    for (size_t v = 0; v < values; v++)
        if (!graph->values[v]->dead) OQ_TRY(visit(graph, (oq_value_id)v, options, stats, count, err));
    return ONNXQ_OK;
}
