// PRelu between convolutions: no runtime has an integer kernel for it, and a slow one for floats whose
// channels come last. With one slope it is LeakyRelu; else y = a x + relu((1 - a) x), two depthwise
// convolutions of one element and a sum, all of which run on integers.
#include "passes/passes.h"

#include <math.h>

typedef struct rewriter {
    oq_graph *graph;
    const bool *chosen;
    oq_stats *stats;
    oq_value_id x, y;
    size_t channels;
    oq_tensor slope;
    bool rising; // no slope is below 0
} rewriter;

// --- which ---

static bool is_integer(const rewriter *r, const oq_node *node) {
    return node && ((oq_node_is(node, "Conv") && r->chosen[node->id]) || oq_node_is(node, "Add"));
}

// Between convolutions and sums alone, so that integers come in and are wanted.
static bool lies_between(const rewriter *r) {
    const oq_gvalue *y = oq_graph_value(r->graph, r->y);
    const oq_node_id producer = oq_graph_value(r->graph, r->x)->producer;
    bool all = producer != OQ_NONE && is_integer(r, oq_graph_node(r->graph, producer)) && !y->is_output &&
               y->use_count > 0;
    for (size_t u = 0; u < y->use_count; u++) {
        const oq_node *node = oq_graph_node(r->graph, y->uses[u].node);
        all &= is_integer(r, node) && (oq_node_is(node, "Add") || y->uses[u].input == 0);
    }
    return all;
}

// Slopes [C, 1, ..], or one number, of x [N, C, ..]: none below 0, or none beyond 1.
static bool slopes_fit(rewriter *r) {
    const oq_shape *s = &r->slope.shape;
    const oq_type *x = &oq_graph_value(r->graph, r->x)->type;
    const size_t count = (size_t)oq_tensor_count(&r->slope);
    if (r->slope.dtype != ONNXQ_FLOAT || x->kind != OQ_TYPE_TENSOR || x->rank < 3 || !count) return false;
    bool small = true;
    r->rising = true;
    for (size_t c = 0; c < count; c++) {
        const float a = ((const float *)r->slope.data)[c];
        if (!isfinite(a)) return false;
        r->rising &= a >= 0, small &= fabsf(a) <= 1;
    }
    if (count == 1) return true;
    if (!r->rising && !small) return false;
    r->channels = count;
    return oq_dim_known(x->dim[1]) && x->dim[1].size == (int64_t)count && s->rank >= x->rank - 1 &&
           s->rank <= x->rank && s->dim[s->rank - x->rank + 1] == (int64_t)count;
}

// --- doing it ---

// What a term multiplies channel c of x with: of y = relu(x) + min(a x, 0), or, where slopes below 0 are
// among them, of y = a x + relu((1 - a) x).
typedef enum term { TERM_WHOLE, TERM_SLOPE, TERM_REST } term;

static float factor_of(const rewriter *r, term t, size_t c) {
    const float a = ((const float *)r->slope.data)[c];
    return t == TERM_WHOLE ? 1 : t == TERM_SLOPE ? a : 1 - a;
}

// Range of a value made of x by a term, within [low, high].
static oq_status note_range(const rewriter *r, oq_value_id value, term kind, float low, float high,
                            oq_error *err) {
    const oq_tensor_stats *t = oq_stats_find(r->stats, oq_graph_value(r->graph, r->x)->name);
    oq_tensor_stats *own;
    if (!t || !t->count) return ONNXQ_OK;
    const bool known = t->axis == 1 && t->channels == r->channels;
    OQ_TRY(oq_stats_ensure(r->stats, oq_graph_value(r->graph, value)->name, &own, err));
    own->min = own->max = 0;
    own->count = t->count;
    for (size_t c = 0; c < r->channels; c++) {
        const float factor = factor_of(r, kind, c), one = factor * (known ? t->channel_min[c] : t->min),
                    two = factor * (known ? t->channel_max[c] : t->max);
        own->min = fmaxf(fminf(own->min, fminf(one, two)), low);
        own->max = fminf(fmaxf(own->max, fmaxf(one, two)), high);
    }
    return ONNXQ_OK;
}

static const char *name_of(const rewriter *r, const char *suffix, oq_error *err) {
    return oq_arena_printf(&r->graph->model->arena, err, "%s%s", oq_graph_value(r->graph, r->y)->name,
                           suffix);
}

static oq_status add_value(const rewriter *r, const char *suffix, oq_value_id *out, oq_error *err) {
    const char *name = name_of(r, suffix, err);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(r->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(r->graph, name, out, err));
    oq_graph_value(r->graph, *out)->type = oq_graph_value(r->graph, r->x)->type;
    return ONNXQ_OK;
}

// x times a term's factors.
static oq_status add_product(const rewriter *r, term kind, const char *suffix, oq_value_id *out,
                             oq_error *err) {
    const int rank = oq_graph_value(r->graph, r->x)->type.rank;
    oq_shape shape = {.rank = rank};
    oq_tensor weight = {0};
    oq_value_id in[2] = {r->x};
    oq_node *node;
    const char *name = name_of(r, "_weight", err);
    if (!name) return ONNXQ_NO_MEMORY;
    for (int d = 0; d < rank; d++) shape.dim[d] = d ? 1 : (int64_t)r->channels;
    OQ_TRY(oq_tensor_new(r->graph->model->mem, ONNXQ_FLOAT, &shape, &weight, err));
    for (size_t c = 0; c < r->channels; c++) ((float *)weight.data)[c] = factor_of(r, kind, c);
    OQ_TRY(oq_graph_add_initializer(r->graph, name, weight, &in[1], err));
    OQ_TRY(add_value(r, suffix, out, err));
    OQ_TRY(note_range(r, *out, kind, -INFINITY, INFINITY, err));
    OQ_TRY(oq_graph_add_node(r->graph, "", "Conv", "", in, 2, out, 1, &node, err));
    return oq_node_set_int(r->graph, node, "group", (int64_t)r->channels, err);
}

// A term above 0 (Relu), or below (Clip).
static oq_status add_half(const rewriter *r, term kind, bool above, oq_value_id *out, oq_error *err) {
    oq_value_id in[3] = {OQ_NONE, OQ_NONE, OQ_NONE};
    oq_tensor zero = {0};
    const oq_shape scalar = {.rank = 0};
    const char *name = name_of(r, "_zero", err);
    oq_node *node;
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(add_product(r, kind, above ? "_above" : "_below", &in[0], err));
    OQ_TRY(add_value(r, above ? "_upper" : "_lower", out, err));
    OQ_TRY(note_range(r, *out, kind, above ? 0 : -INFINITY, above ? INFINITY : 0, err));
    if (above) return oq_graph_add_node(r->graph, "", "Relu", "", in, 1, out, 1, &node, err);
    OQ_TRY(oq_tensor_new(r->graph->model->mem, ONNXQ_FLOAT, &scalar, &zero, err));
    *(float *)zero.data = 0;
    OQ_TRY(oq_graph_add_initializer(r->graph, name, zero, &in[2], err));
    return oq_graph_add_node(r->graph, "", "Clip", "", in, 3, out, 1, &node, err);
}

static oq_status write_sum(const rewriter *r, oq_node *prelu, oq_error *err) {
    oq_value_id terms[2];
    const char *name = prelu->name;
    oq_node *node;
    if (r->rising) {
        OQ_TRY(add_half(r, TERM_WHOLE, true, &terms[0], err));
        OQ_TRY(add_half(r, TERM_SLOPE, false, &terms[1], err));
    } else {
        OQ_TRY(add_product(r, TERM_SLOPE, "_sloped", &terms[0], err));
        OQ_TRY(add_half(r, TERM_REST, true, &terms[1], err));
    }
    oq_graph_remove_node(r->graph, prelu);
    return oq_graph_add_node(r->graph, name, "Add", "", terms, 2, &r->y, 1, &node, err);
}

static oq_status write_leaky(const rewriter *r, oq_node *prelu, oq_error *err) {
    const float alpha = *(const float *)r->slope.data;
    OQ_TRY(oq_node_keep_inputs(r->graph, prelu, 1, err));
    prelu->op_type = "LeakyRelu";
    return oq_node_set_float(r->graph, prelu, "alpha", alpha, err);
}

static oq_status rewrite(rewriter *r, oq_node *prelu, size_t *count, oq_error *err) {
    r->x = prelu->inputs[0], r->y = prelu->outputs[0];
    const oq_constant *slope = oq_graph_constant(r->graph, prelu->inputs[1]);
    if (!slope || !lies_between(r)) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(r->graph->model->mem, slope, &r->slope, err));
    const bool fits = slopes_fit(r);
    oq_status status = ONNXQ_OK;
    if (fits) status = (oq_tensor_count(&r->slope) == 1 ? write_leaky : write_sum)(r, prelu, err);
    *count += fits;
    oq_tensor_release(&r->slope);
    return status;
}

oq_status oq_pass_slopes(oq_graph *graph, const bool *chosen, oq_stats *stats, size_t *count, oq_error *err) {
    const size_t nodes = graph->node_count;
    rewriter r = {.graph = graph, .chosen = chosen, .stats = stats};
    *count = 0;
    if (oq_model_opset(graph->model, "") < 11)
        return ONNXQ_OK; // Clip takes its bounds as inputs from then on
    for (size_t n = 0; n < nodes; n++) {
        oq_node *node = graph->nodes[n];
        if (node->dead || !oq_node_is(node, "PRelu") || node->region != OQ_NONE ||
            node->inputs[0] == OQ_NONE || node->inputs[1] == OQ_NONE)
            continue;
        OQ_TRY(rewrite(&r, node, count, err));
    }
    return ONNXQ_OK;
}
