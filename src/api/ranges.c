// Statistics that users give: whether they fit the model, and which ranges a text of ranges should hold.
#include "api/api.h"

#include <string.h>

static bool has_value(const oq_graph *graph, const char *name) {
    return oq_graph_find(graph, name) != OQ_NONE;
}

static oq_status unknown_tensor(const oq_graph *graph, const char *name, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    const char **names = oq_mem_calloc(mem, graph->value_count + 1, sizeof *names, err);
    size_t count = 0;
    if (!names) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < graph->value_count; v++)
        if (!graph->values[v]->dead && *graph->values[v]->name) names[count++] = graph->values[v]->name;
    const char *near = oq_nearest_word(name, names, count);
    oq_mem_free(mem, names);
    oq_fail(err, ONNXQ_BAD_DATA, "a range is given for '%s', which is no tensor of the model%s%s%s", name,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    oq_error_at_tensor(err, name);
    return ONNXQ_BAD_DATA;
}

// Names of the model as it is in its file, or as it is quantized.
static oq_status check_names(const oq_stats *stats, const oq_graph *graph, const oq_graph *prepared,
                             oq_error *err) {
    for (size_t i = 0; i < stats->count; i++) {
        const char *name = stats->tensors[i]->name;
        if (!has_value(graph, name) && !has_value(prepared, name)) return unknown_tensor(graph, name, err);
    }
    return ONNXQ_OK;
}

oq_status oq_statistics_check(const oq_stats *stats, const oq_model *model, const oq_prepared *prepared,
                              oq_error *err) {
    char is[33], was[33];
    if (stats->given) return check_names(stats, model->graph, prepared->model->graph, err);
    if (oq_hash_equal(stats->model, prepared->hash)) return ONNXQ_OK;
    return oq_fail(
        err, ONNXQ_BAD_DATA,
        "the statistics are of another model (%s, this one is %s): run 'onnxq calibrate' on this model",
        oq_hash_format(stats->model, was), oq_hash_format(prepared->hash, is));
}

oq_status oq_ranges_check(const oq_stats *stats, const oq_graph *graph, const oq_plan *plan, oq_error *err) {
    size_t count;
    const oq_value_id *missing = oq_plan_missing(plan, &count);
    if (!stats->given || !count || oq_plan_summarize(plan).quantized) return ONNXQ_OK;
    return oq_fail(
        err, ONNXQ_BAD_DATA,
        "no layer can be quantized with these ranges: %zu tensors that layers need have none, among "
        "them '%s'; 'onnxq inspect --ranges' lists them",
        count, oq_graph_value(graph, missing[0])->name);
}

// --- the list of what is needed ---

static bool is_plain(const char *name) { return *name && *name != '#' && !strpbrk(name, " \t\"\\"); }

static void add_name(oq_text *into, const char *name) {
    if (is_plain(name)) {
        oq_text_add(into, name);
        return;
    }
    oq_text_add(into, "\"");
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') oq_text_add(into, "\\");
        oq_text_add_bytes(into, name, 1);
    }
    oq_text_add(into, "\"");
}

// What a plan without a single range asks for.
static oq_status list_ranges(oq_prepared *prepared, oq_text *into, oq_error *err) {
    const oq_quant_options options = oq_quant_defaults();
    oq_graph *graph = prepared->model->graph;
    oq_stats *none = NULL;
    oq_plan *plan = NULL;
    oq_status status;
    OQ_TRY_DONE(oq_pass_upgrade_opset(prepared->model, oq_quant_minimum_opset(&options), err));
    OQ_TRY_DONE(oq_infer_graph(graph, err));
    OQ_TRY_DONE(oq_stats_new(graph->model->mem, &none, err));
    OQ_TRY_DONE(oq_plan_make(graph, none, &options, &plan, err));
    size_t count;
    const oq_value_id *missing = oq_plan_missing(plan, &count);
    oq_text_add(into, "# TENSOR LOW HIGH, for 'onnxq convert --statistics FILE'\n");
    for (size_t i = 0; i < count; i++) {
        add_name(into, oq_graph_value(graph, missing[i])->name);
        oq_text_add(into, " ? ?\n");
    }
    if (into->failed) status = oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while listing ranges");
done:
    oq_plan_free(plan);
    oq_stats_free(none);
    return status;
}

onnxq_status onnxq_model_ranges(onnxq_model *model, char **text, onnxq_error *err) {
    oq_prepared prepared;
    oq_text list;
    *text = NULL;
    OQ_TRY(oq_prepared_make(model, &prepared, err));
    oq_text_init(&list, &model->session->mem);
    const oq_status status = list_ranges(&prepared, &list, err);
    oq_prepared_release(&prepared);
    if (status == ONNXQ_OK)
        *text = list.data;
    else
        oq_text_release(&list);
    return status;
}
