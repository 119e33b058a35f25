// The report of inspect: inputs, outputs, operators, sizes, work, and what would be quantized.
#include "report/json.h"

#include <string.h>

static json_t *value_list(const oq_graph *graph, const oq_value_id *ids, size_t count, oq_mem *mem) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const oq_gvalue *value = oq_graph_value(graph, ids[i]);
        oq_text type;
        oq_text_init(&type, mem);
        oq_type_format(&value->type, &type);
        json_t *item = json_object();
        json_object_set_new(item, "name", json_string(value->name));
        json_object_set_new(item, "type", json_string(oq_text_get(&type)));
        json_array_append_new(list, item);
        oq_text_release(&type);
    }
    return list;
}

static json_t *dynamic_dimensions(const oq_graph *graph) {
    json_t *list = json_array();
    for (size_t i = 0; i < graph->input_count; i++) {
        const oq_gvalue *value = oq_graph_value(graph, graph->inputs[i]);
        for (int d = 0; d < value->type.rank; d++) {
            if (oq_dim_known(value->type.dim[d])) continue;
            json_t *item = json_object();
            json_object_set_new(item, "input", json_string(value->name));
            json_object_set_new(item, "axis", json_integer(d));
            if (value->type.dim[d].symbol)
                json_object_set_new(item, "name", json_string(value->type.dim[d].symbol));
            json_array_append_new(list, item);
        }
    }
    return list;
}

static json_t *header(const oq_model *model, oq_mem *mem) {
    const oq_graph *graph = model->graph;
    json_t *root = json_object(), *opsets = json_object();
    json_object_set_new(root, "model", json_string(model->path));
    json_object_set_new(root, "ir_version", json_integer(model->ir_version));
    for (size_t i = 0; i < model->import_count; i++)
        json_object_set_new(opsets, *model->imports[i].domain ? model->imports[i].domain : "ai.onnx",
                            json_integer(model->imports[i].version));
    json_object_set_new(root, "opsets", opsets);
    json_object_set_new(root, "producer", json_string(model->producer_name ? model->producer_name : ""));
    json_object_set_new(root, "inputs", value_list(graph, graph->inputs, graph->input_count, mem));
    json_object_set_new(root, "outputs", value_list(graph, graph->outputs, graph->output_count, mem));
    json_object_set_new(root, "dynamic", dynamic_dimensions(graph));
    json_object_set_new(root, "operators", oq_json_operators(graph));
    json_object_set_new(root, "weight_bytes", json_integer((json_int_t)oq_report_constant_bytes(model)));
    return root;
}

static void print_values(const json_t *list, const char *title, oq_text *into) {
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        oq_text_printf(into, "%-8s %s: %s\n", title, oq_json_text(item, "name"), oq_json_text(item, "type"));
    }
}

static void print(const json_t *root, oq_text *into) {
    char bytes[24];
    const char *key;
    json_t *value;
    oq_text_printf(into, "%s (IR %zu", oq_json_text(root, "model"), oq_json_count(root, "ir_version"));
    json_object_foreach(json_object_get(root, "opsets"), key, value)
        oq_text_printf(into, ", %s %lld", key, (long long)json_integer_value(value));
    oq_text_printf(into, "%s%s)\n", *oq_json_text(root, "producer") ? ", made by " : "",
                   oq_json_text(root, "producer"));
    print_values(json_object_get(root, "inputs"), "input", into);
    print_values(json_object_get(root, "outputs"), "output", into);
    oq_text_printf(into, "weights  %s\noperators:\n",
                   oq_format_bytes(bytes, sizeof bytes, oq_json_count(root, "weight_bytes")));
    json_object_foreach(json_object_get(root, "operators"), key, value)
        oq_text_printf(into, "  %-26s %6lld\n", key, (long long)json_integer_value(value));
    if (json_object_get(root, "cannot_run"))
        oq_text_printf(into, "cannot be run, so static quantization needs ranges from a file: %s\n",
                       oq_json_text(root, "cannot_run"));
    const json_t *plan = json_object_get(root, "plan");
    if (json_is_object(plan)) {
        oq_text_printf(
            into, "%.3f million multiply-accumulates a run (dynamic dimensions counted as 1); would run ",
            oq_json_number(plan, "macs") / 1e6);
        oq_print_plan(plan, into);
    } else {
        oq_text_printf(into, "cannot be quantized: %s\n", oq_json_text(root, "no_plan"));
    }
}

oq_status oq_report_inspect(oq_mem *mem, const oq_model *model, const oq_graph *prepared, const oq_plan *plan,
                            const char *no_plan, const char *cannot_run, oq_report *out, oq_error *err) {
    json_t *root = header(model, mem);
    if (*cannot_run) json_object_set_new(root, "cannot_run", json_string(cannot_run));
    if (plan)
        json_object_set_new(root, "plan", oq_json_plan(prepared, plan));
    else
        json_object_set_new(root, "no_plan", json_string(no_plan));
    return oq_report_finish(mem, root, print, out, err);
}
