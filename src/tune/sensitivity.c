// Sensitivity: one float run a sample, then for each layer the quantized layer and what depends on it.
#include "tune/sensitivity.h"
#include "tune/isolate.h"
#include "tune/samples.h"
#include "verify/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SAMPLES = 512, DEFAULT_SAMPLES = 32, MOST_OBJECTS = 1 << 18 };

typedef struct lane {
    oq_worker *whole;  // of the float program
    oq_worker **alone; // [layers of the group], made when first needed
    oq_value *kept;    // [value_count] of the sample that is on
} lane;

typedef struct search {
    oq_mem *mem;
    const oq_quantization *q;
    oq_graph *graph;
    const oq_dataset *data;
    const oq_sensitivity_options *options;
    oq_quantization one; // q, with overrides that leave one layer
    oq_node_override *overrides;
    oq_program *program; // of the float graph
    size_t input_count, output_count;
    bool *varies; // [values] their size does, so that their elements tell nothing (oq_graph_varying)
    size_t indices[MOST_SAMPLES], samples;
    lane *lanes;               // [threads]
    oq_quantized_layer *found; // [found_count]
    size_t found_count;
    oq_layer_loss *layers; // of those that are no tables
    size_t layer_count;
    oq_isolated *group; // layers [group_begin, group_begin + group_count) are at hand
    size_t group_begin, group_count, group_most;
    oq_output_sample *results; // [samples][group_most][outputs]
} search;

// --- layers and their isolation ---

static oq_status find_layers(search *s, oq_error *err) {
    OQ_TRY(oq_quantization_layers(s->q, &s->found, &s->found_count, err));
    s->layers = oq_mem_calloc(s->mem, s->found_count + 1, sizeof *s->layers, err);
    for (size_t l = 0; s->layers && l < s->found_count; l++)
        if (!s->found[l].table)
            s->layers[s->layer_count++] = (oq_layer_loss){.node = s->found[l].node, .macs = s->found[l].macs};
    return s->layers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static const oq_node_override *own_override(const oq_quant_options *options, oq_node_id node) {
    for (size_t i = 0; i < options->override_count; i++)
        if (options->overrides[i].node == node) return &options->overrides[i];
    return NULL;
}

// Those of layers come first, one a layer, in the same order; then tables, which stay float, and the options'
// own that leave nodes float.
static oq_status new_overrides(search *s, oq_error *err) {
    const oq_quant_options *options = &s->q->quant;
    s->overrides =
        oq_mem_calloc(s->mem, s->found_count + options->override_count + 1, sizeof *s->overrides, err);
    if (!s->overrides) return ONNXQ_NO_MEMORY;
    size_t count = s->layer_count;
    for (size_t l = 0; l < s->found_count; l++)
        if (s->found[l].table)
            s->overrides[count++] = (oq_node_override){.node = s->found[l].node, .leave_float = "a table"};
    for (size_t i = 0; i < options->override_count; i++)
        if (options->overrides[i].leave_float) s->overrides[count++] = options->overrides[i];
    s->one = *s->q;
    s->one.quant.overrides = s->overrides;
    s->one.quant.override_count = count;
    return ONNXQ_OK;
}

static void leave_all_but(search *s, size_t layer) {
    for (size_t l = 0; l < s->layer_count; l++)
        s->overrides[l] =
            (oq_node_override){.node = s->layers[l].node, .leave_float = "another layer's turn"};
    const oq_node_override *own = own_override(&s->q->quant, s->layers[layer].node);
    s->overrides[layer] = own ? *own : (oq_node_override){.node = s->layers[layer].node};
}

// --- one sample ---

static oq_status keep(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    (void)err;
    lane *l = self;
    oq_value_release(&l->kept[id]);
    l->kept[id] = oq_value_retain(value);
    return ONNXQ_OK;
}

static void release_values(oq_value *values, size_t count) {
    for (size_t i = 0; values && i < count; i++) oq_value_release(&values[i]);
}

static void compare(const search *s, size_t sample, const oq_value *y, const oq_value *z,
                    oq_output_sample *results) {
    size_t real, rows;
    oq_dataset_rows(s->data, s->indices[sample], &real, &rows);
    for (size_t k = 0; k < s->output_count; k++)
        if (y[k].kind == OQ_VALUE_TENSOR && z[k].kind == OQ_VALUE_TENSOR)
            oq_compare_output(&y[k].tensor, &z[k].tensor, real, rows, NULL, &results[k]);
}

// The quantized layer on what was kept, then the float graph behind it.
static oq_status run_layer(const search *s, lane *l, size_t g, oq_value *outputs, oq_error *err) {
    const oq_isolated *layer = &s->group[g];
    if (!layer->program) return oq_worker_rerun(l->whole, NULL, NULL, 0, l->kept, outputs, err);
    if (!l->alone[g]) OQ_TRY(oq_worker_new(layer->program, &l->alone[g], err));
    oq_value *given = oq_mem_calloc(s->mem, layer->input_count + layer->output_count + 1, sizeof *given, err);
    if (!given) return ONNXQ_NO_MEMORY;
    oq_value *made = given + layer->input_count;
    for (size_t i = 0; i < layer->input_count; i++) given[i] = l->kept[layer->inputs[i]]; // borrowed
    oq_status status = oq_worker_run(l->alone[g], given, made, NULL, NULL, err);
    if (status == ONNXQ_OK)
        status = oq_worker_rerun(l->whole, layer->outputs, made, layer->output_count, l->kept, outputs, err);
    release_values(made, layer->output_count);
    oq_mem_free(s->mem, given);
    return status;
}

static oq_status run_layers(const search *s, lane *l, size_t sample, const oq_value *y, oq_error *err) {
    oq_value *z = oq_mem_calloc(s->mem, s->output_count + 1, sizeof *z, err);
    oq_status status = z ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t g = 0; status == ONNXQ_OK && g < s->group_count; g++) {
        status = run_layer(s, l, g, z, err);
        if (status == ONNXQ_OK)
            compare(s, sample, y, z, s->results + (sample * s->group_most + g) * s->output_count);
        release_values(z, s->output_count);
    }
    oq_mem_free(s->mem, z);
    return status;
}

static oq_status one_sample(void *self, size_t sample, size_t worker, oq_error *err) {
    search *s = self;
    lane *l = &s->lanes[worker];
    const oq_observer observer = {.self = l, .see = keep};
    oq_value *given = oq_mem_calloc(s->mem, s->input_count + s->output_count + 1, sizeof *given, err);
    if (!given) return ONNXQ_NO_MEMORY;
    oq_value *y = given + s->input_count;
    oq_status status;
    if (!l->whole) OQ_TRY_DONE(oq_worker_new(s->program, &l->whole, err));
    OQ_TRY_DONE(oq_dataset_get(s->data, s->indices[sample], given, err));
    OQ_TRY_DONE(oq_worker_run(l->whole, given, y, &observer, NULL, err));
    OQ_TRY_DONE(run_layers(s, l, sample, y, err));
done:
    release_values(given, s->input_count + s->output_count);
    release_values(l->kept, s->graph->value_count);
    oq_mem_free(s->mem, given);
    const size_t groups = (s->layer_count + s->group_most - 1) / s->group_most;
    if (worker == 0)
        oq_progress_step(s->options->progress, "measuring layers",
                         s->group_begin / s->group_most * s->samples + sample + 1, groups * s->samples);
    return status;
}

// --- figures ---

static void combine_layer(const search *s, size_t g, oq_layer_loss *out) {
    double divergence = 0;
    size_t distributions = 0;
    out->agreement = (double)NAN;
    out->sqnr = (double)INFINITY;
    for (size_t k = 0; k < s->output_count; k++) {
        if (s->varies[s->graph->outputs[k]]) continue;
        oq_output_sample sum = {.probabilities = true, .classifies = true};
        for (size_t i = 0; i < s->samples; i++) {
            const oq_output_sample *r = &s->results[(i * s->group_most + g) * s->output_count + k];
            oq_difference_add(&sum.difference, &r->difference);
            sum.rows += r->rows;
            sum.same += r->same;
            sum.divergence += r->divergence;
            sum.probabilities &= r->probabilities;
            sum.classifies &= r->classifies;
        }
        const oq_difference *d = &sum.difference;
        if (sum.probabilities) {
            divergence += sum.divergence / (double)sum.rows;
            distributions++;
        } else if (d->noise > 0) {
            out->loss += d->signal > 0 ? d->noise / d->signal : d->noise;
        }
        out->sqnr = fmin(out->sqnr, oq_difference_sqnr(d));
        if (sum.classifies && sum.rows)
            out->agreement = fmin(out->agreement, (double)sum.same / (double)sum.rows);
    }
    out->loss += divergence;
    out->divergence = distributions ? divergence / (double)distributions : (double)NAN;
}

// Multiply-accumulates of what depends on a layer, the layer itself included.
static uint64_t macs_behind(const search *s, const oq_node_id *order, size_t count, oq_node_id layer,
                            bool *depends) {
    uint64_t macs = 0;
    memset(depends, 0, s->graph->value_count * sizeof *depends);
    for (size_t i = 0; i < count; i++) {
        const oq_node *node = oq_graph_node(s->graph, order[i]);
        bool runs = node->id == layer;
        for (size_t k = 0; k < node->input_count; k++)
            runs |= node->inputs[k] != OQ_NONE && depends[node->inputs[k]];
        for (size_t k = 0; k < node->capture_count; k++) runs |= depends[node->captures[k]];
        if (runs) macs += oq_op_macs(s->graph, node);
        for (size_t k = 0; runs && k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE) depends[node->outputs[k]] = true;
    }
    return macs;
}

static oq_status count_passes(const search *s, double *passes, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count = 0;
    double whole = 0, spent = 0;
    bool *depends = oq_mem_calloc(s->mem, s->graph->value_count + 1, sizeof *depends, err);
    oq_status status = depends ? oq_graph_order(s->graph, &order, &count, err) : ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        whole += (double)oq_op_macs(s->graph, oq_graph_node(s->graph, order[i]));
    for (size_t l = 0; status == ONNXQ_OK && l < s->layer_count; l++)
        spent += (double)macs_behind(s, order, count, s->layers[l].node, depends);
    *passes = whole > 0 ? 1 + spent / whole : 1 + (double)s->layer_count;
    oq_mem_free(s->mem, order);
    oq_mem_free(s->mem, depends);
    return status;
}

static int by_loss(const void *a, const void *b) {
    const oq_layer_loss *x = a, *y = b;
    if (x->loss != y->loss) return x->loss < y->loss ? 1 : -1;
    return x->node < y->node ? -1 : x->node > y->node;
}

// --- the whole ---

static oq_status open_program(search *s, oq_error *err) {
    bool *read = oq_mem_calloc(s->mem, s->graph->value_count + 1, sizeof *read, err);
    if (!read) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < s->graph->value_count; v++) {
        const oq_gvalue *value = oq_graph_value(s->graph, (oq_value_id)v);
        read[v] = !value->dead && (value->use_count || value->is_output) &&
                  !oq_graph_constant(s->graph, (oq_value_id)v);
    }
    const oq_program_options options = {.observed = read};
    const oq_status status = oq_program_new(s->graph, &options, &s->program, err);
    oq_mem_free(s->mem, read);
    if (status != ONNXQ_OK) return status;
    oq_program_inputs(s->program, &s->input_count);
    oq_program_outputs(s->program, &s->output_count);
    return ONNXQ_OK;
}

// Clones of large graphs are kept a few at a time.
static size_t group_size(const search *s) {
    const size_t most = MOST_OBJECTS / (s->graph->node_count + s->graph->value_count + 1);
    return most < 1 ? 1 : most < s->layer_count ? most : s->layer_count ? s->layer_count : 1;
}

static oq_status open_search(search *s, oq_error *err) {
    const size_t threads = oq_pool_threads(s->options->pool);
    const size_t limit = s->options->limit ? s->options->limit : DEFAULT_SAMPLES;
    OQ_TRY(find_layers(s, err));
    OQ_TRY(new_overrides(s, err));
    OQ_TRY(open_program(s, err));
    s->varies = oq_mem_calloc(s->mem, s->graph->value_count + 1, sizeof *s->varies, err);
    if (!s->varies) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_varying(s->graph, s->varies, err));
    s->samples = oq_samples_choose(s->data, limit < MOST_SAMPLES ? limit : MOST_SAMPLES, s->indices);
    s->group_most = group_size(s);
    s->group = oq_mem_calloc(s->mem, s->group_most, sizeof *s->group, err);
    s->lanes = oq_mem_calloc(s->mem, threads, sizeof *s->lanes, err);
    s->results = oq_mem_calloc(s->mem, s->samples * s->group_most, s->output_count * sizeof *s->results, err);
    if (!s->group || !s->lanes || !s->results) return ONNXQ_NO_MEMORY;
    for (size_t t = 0; t < threads; t++) {
        s->lanes[t].kept = oq_mem_calloc(s->mem, s->graph->value_count + 1, sizeof(oq_value), err);
        s->lanes[t].alone = oq_mem_calloc(s->mem, s->group_most, sizeof(oq_worker *), err);
        if (!s->lanes[t].kept || !s->lanes[t].alone) return ONNXQ_NO_MEMORY;
    }
    return ONNXQ_OK;
}

static void close_group(search *s) {
    for (size_t t = 0; s->lanes && t < oq_pool_threads(s->options->pool); t++)
        for (size_t g = 0; s->lanes[t].alone && g < s->group_count; g++) {
            oq_worker_free(s->lanes[t].alone[g]);
            s->lanes[t].alone[g] = NULL;
        }
    for (size_t g = 0; g < s->group_count; g++) oq_isolated_release(&s->group[g]);
    s->group_count = 0;
}

static void close_search(search *s) {
    close_group(s);
    for (size_t t = 0; s->lanes && t < oq_pool_threads(s->options->pool); t++) {
        oq_worker_free(s->lanes[t].whole);
        oq_mem_free(s->mem, s->lanes[t].kept);
        oq_mem_free(s->mem, s->lanes[t].alone);
    }
    oq_mem_free(s->mem, s->lanes);
    oq_mem_free(s->mem, s->varies);
    oq_mem_free(s->mem, s->group);
    oq_mem_free(s->mem, s->found);
    oq_mem_free(s->mem, s->results);
    oq_mem_free(s->mem, s->overrides);
    oq_program_free(s->program);
}

static oq_status measure_group(search *s, size_t begin, oq_error *err) {
    s->group_begin = begin;
    while (s->group_count < s->group_most && begin + s->group_count < s->layer_count) {
        leave_all_but(s, begin + s->group_count);
        OQ_TRY(oq_isolate(&s->one, &s->group[s->group_count++], err));
    }
    OQ_TRY(oq_pool_run(s->options->pool, s->samples, one_sample, s, err));
    for (size_t g = 0; g < s->group_count; g++) combine_layer(s, g, &s->layers[begin + g]);
    close_group(s);
    return ONNXQ_OK;
}

oq_status oq_sensitivity_measure(const oq_quantization *q, const oq_dataset *data,
                                 const oq_sensitivity_options *options, oq_sensitivity *out, oq_error *err) {
    search s = {.mem = q->model->mem, .q = q, .graph = q->model->graph, .data = data, .options = options};
    *out = (oq_sensitivity){.mem = s.mem};
    oq_status status;
    OQ_TRY_DONE(open_search(&s, err));
    for (size_t begin = 0; begin < s.layer_count; begin += s.group_most)
        OQ_TRY_DONE(measure_group(&s, begin, err));
    OQ_TRY_DONE(count_passes(&s, &out->passes, err));
    qsort(s.layers, s.layer_count, sizeof *s.layers, by_loss);
    out->layers = s.layers;
    out->count = s.layer_count;
    out->samples = s.samples;
    s.layers = NULL;
done:
    oq_mem_free(s.mem, s.layers);
    close_search(&s);
    return status;
}

void oq_sensitivity_release(oq_sensitivity *sensitivity) {
    if (!sensitivity->mem) return;
    oq_mem_free(sensitivity->mem, sensitivity->layers);
    *sensitivity = (oq_sensitivity){0};
}
