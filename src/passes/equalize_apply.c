// Equalization, once the factors are known: constants, names, statistics.
#include "passes/equalize.h"

#include <math.h>

static oq_status put_constant(const oq_equalize *e, oq_node *node, size_t input, oq_tensor tensor,
                              oq_error *err) {
    oq_value_id id;
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_equalized",
                                       oq_graph_value(e->graph, node->inputs[input])->name);
    if (!name) {
        oq_tensor_release(&tensor);
        return ONNXQ_NO_MEMORY;
    }
    OQ_TRY(oq_graph_add_initializer(e->graph, name, tensor, &id, err));
    return oq_node_set_input(e->graph, node, input, id, err);
}

static bool changes(const oq_equalize *e, int32_t group) {
    if (group == OQ_NONE) return false;
    for (size_t c = 0; c < e->groups[group].channels; c++)
        if (e->groups[group].factor[c] != 1) return true;
    return false;
}

static oq_status scale_weight(const oq_equalize *e, const oq_equalize_layer *l, oq_error *err) {
    oq_tensor scaled = {0};
    OQ_TRY(oq_tensor_new(e->graph->model->mem, ONNXQ_FLOAT, &l->weight.shape, &scaled, err));
    const float *from = l->weight.data;
    float *to = scaled.data;
    for (size_t i = 0; i < l->entries; i++) {
        size_t output, input;
        oq_equalize_entry(l, i, &output, &input);
        double factor = l->in == OQ_NONE ? 1 : e->groups[l->in].factor[input];
        if (l->out != OQ_NONE) factor /= e->groups[l->out].factor[output];
        for (size_t k = 0; k < l->kernel; k++) *to++ = (float)((double)*from++ * factor);
    }
    return put_constant(e, l->node, 1, scaled, err);
}

static oq_status scale_bias(const oq_equalize *e, const oq_equalize_layer *l, oq_error *err) {
    oq_mem *mem = e->graph->model->mem;
    if (l->node->input_count < 3 || l->node->inputs[2] == OQ_NONE) return ONNXQ_OK;
    oq_tensor from = {0}, to = {0};
    OQ_TRY(oq_constant_load(mem, oq_graph_constant(e->graph, l->node->inputs[2]), &from, err));
    const oq_status status = oq_tensor_new(mem, ONNXQ_FLOAT, &from.shape, &to, err);
    for (size_t c = 0; status == ONNXQ_OK && c < l->outputs; c++)
        ((float *)to.data)[c] = (float)((double)((const float *)from.data)[c] / e->groups[l->out].factor[c]);
    oq_tensor_release(&from);
    OQ_TRY(status);
    return put_constant(e, l->node, 2, to, err);
}

// The sum of squares, as estimated of each channel: what errors there count is told by it.
static oq_status derive_power(const oq_equalize *e, const oq_equalize_group *g, const oq_tensor_stats *t,
                              oq_tensor_stats *to, oq_error *err) {
    const double each = (double)t->count / (double)g->channels;
    double *power = oq_mem_calloc(e->graph->model->mem, g->channels, sizeof *power, err);
    if (!power) return ONNXQ_NO_MEMORY;
    oq_stats_channel_power(t, 0, NULL, power);
    for (size_t c = 0; c < g->channels; c++)
        oq_exact_sum_add(&to->sum_squares, power[c] * each / (g->factor[c] * g->factor[c]));
    oq_mem_free(e->graph->model->mem, power);
    return ONNXQ_OK;
}

// Least and greatest value follow from those of the channels. A histogram does not follow from anything
// known, so every method falls back to this range.
static oq_status derive_statistics(const oq_equalize *e, const oq_equalize_group *g, const oq_tensor_stats *t,
                                   const char *name, oq_error *err) {
    oq_tensor_stats *to;
    OQ_TRY(oq_stats_ensure(e->stats, name, &to, err));
    to->count = t->count;
    for (size_t c = 0; c < g->channels; c++) {
        to->min = fminf(to->min, (float)((double)t->channel_min[c] / g->factor[c]));
        to->max = fmaxf(to->max, (float)((double)t->channel_max[c] / g->factor[c]));
    }
    return derive_power(e, g, t, to, err);
}

// A value that changes gets a new name: nobody may take it, or its statistics, for the old one.
static oq_status rename(const oq_equalize *e, oq_value_id value, oq_error *err) {
    const oq_tensor_stats *t = oq_stats_find(e->stats, oq_graph_value(e->graph, value)->name);
    const char *name =
        oq_arena_printf(&e->graph->model->arena, err, "%s_equalized", oq_graph_value(e->graph, value)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(e->graph, name, &name, err));
    if (t) OQ_TRY(derive_statistics(e, &e->groups[e->group_of[value]], t, name, err));
    return oq_graph_rename(e->graph, value, name, err);
}

oq_status oq_equalize_apply(const oq_equalize *e, oq_error *err) {
    const size_t values = e->graph->value_count; // constants that arise are in no group
    for (size_t i = 0; i < e->layer_count; i++) {
        const oq_equalize_layer *l = &e->layers[i];
        if (changes(e, l->in) || changes(e, l->out)) OQ_TRY(scale_weight(e, l, err));
        if (changes(e, l->out)) OQ_TRY(scale_bias(e, l, err));
    }
    for (size_t v = 0; v < values; v++)
        if (!oq_graph_value(e->graph, (oq_value_id)v)->dead && changes(e, e->group_of[v]))
            OQ_TRY(rename(e, (oq_value_id)v, err));
    return ONNXQ_OK;
}
