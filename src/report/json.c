// Small helpers around jansson for this room, and the pieces that several reports share.
#include "report/json.h"

#include <math.h>
#include <string.h>

oq_status oq_report_finish(oq_mem *mem, json_t *root, void (*print)(const json_t *root, oq_text *into),
                           oq_report *out, oq_error *err) {
    *out = (oq_report){0};
    char *dump = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    oq_text json, text;
    oq_text_init(&json, mem);
    oq_text_init(&text, mem);
    if (dump) {
        oq_text_add(&json, dump);
        print(root, &text);
    }
    oq_text_add(&text, "");
    const bool failed = !dump || json.failed || text.failed || !json.data || !text.data;
    free(dump);
    json_decref(root);
    if (failed) {
        oq_text_release(&json);
        oq_text_release(&text);
        return oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while writing a report");
    }
    *out = (oq_report){.json = json.data, .text = text.data};
    return ONNXQ_OK;
}

void oq_report_release(oq_mem *mem, oq_report *report) {
    oq_mem_free(mem, report->json);
    oq_mem_free(mem, report->text);
    oq_mem_free(mem, report->html);
    oq_mem_free(mem, report->svg);
    *report = (oq_report){0};
}

const char *oq_json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double oq_json_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

size_t oq_json_count(const json_t *object, const char *key) {
    return (size_t)json_integer_value(json_object_get(object, key));
}

json_t *oq_json_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static void add(json_t *object, const char *key, json_int_t more) {
    json_object_set_new(object, key, json_integer(json_integer_value(json_object_get(object, key)) + more));
}

void oq_json_add_sizes(json_t *operators, const char *op_type, uint64_t before, uint64_t after) {
    json_t *kind = json_object_get(operators, op_type);
    if (!kind) json_object_set_new(operators, op_type, kind = json_object());
    add(kind, "weights", 1);
    add(kind, "bytes_before", (json_int_t)before);
    add(kind, "bytes_after", (json_int_t)after);
}

void oq_print_sizes(const json_t *operators, oq_text *into) {
    char before[24], after[24];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)operators, key, value) {
        const size_t was = oq_json_count(value, "bytes_before"), is = oq_json_count(value, "bytes_after");
        oq_text_printf(into, "  %-22s %7zu   %s -> %s (%.3fx)\n", key, oq_json_count(value, "weights"),
                       oq_format_bytes(before, sizeof before, was), oq_format_bytes(after, sizeof after, is),
                       was ? (double)is / (double)was : 1.);
    }
}

void oq_print_weights(const json_t *root, oq_text *into) {
    char before[24], after[24];
    const size_t was = oq_json_count(root, "weight_bytes_before"),
                 is = oq_json_count(root, "weight_bytes_after");
    oq_text_printf(into, "weights: %s -> %s (%.2fx)\n", oq_format_bytes(before, sizeof before, was),
                   oq_format_bytes(after, sizeof after, is), was ? (double)is / (double)was : 1.);
}

void oq_print_cost(const json_t *root, oq_text *into) {
    char peak[24];
    oq_text_printf(into, "%.1f s, peak memory %s\n", oq_json_number(root, "seconds"),
                   oq_format_bytes(peak, sizeof peak, oq_json_count(root, "peak_memory_bytes")));
}

static void count_operators(const oq_graph *graph, json_t *counts) {
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        if (node->dead) continue;
        char name[256];
        snprintf(name, sizeof name, "%s%s%s", node->domain, node->domain[0] ? "." : "", node->op_type);
        const json_int_t before = json_integer_value(json_object_get(counts, name));
        json_object_set_new(counts, name, json_integer(before + 1));
        for (size_t a = 0; a < node->attr_count; a++) {
            const oq_attr *attr = &node->attrs[a];
            if (attr->kind == OQ_ATTR_GRAPH) count_operators(attr->graph, counts);
            for (size_t g = 0; attr->kind == OQ_ATTR_GRAPHS && g < attr->count; g++)
                count_operators(attr->graphs[g], counts);
        }
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *oq_json_operators(const oq_graph *graph) {
    json_t *counts = json_object(), *sorted = json_object();
    count_operators(graph, counts);
    const size_t size = json_object_size(counts);
    const char **names = calloc(size ? size : 1, sizeof *names);
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach(counts, key, value) if (names) names[count++] = key;
    if (names) qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) json_object_set(sorted, names[i], json_object_get(counts, names[i]));
    free(names);
    json_decref(counts);
    return sorted;
}

static uint64_t constant_bytes(const oq_graph *graph) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < graph->value_count; i++)
        if (graph->values[i]->initializer) bytes += oq_constant_bytes(graph->values[i]->initializer);
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        for (size_t a = 0; !node->dead && a < node->attr_count; a++) {
            if (node->attrs[a].kind == OQ_ATTR_TENSOR) bytes += oq_constant_bytes(node->attrs[a].tensor);
            if (node->attrs[a].kind == OQ_ATTR_GRAPH) bytes += constant_bytes(node->attrs[a].graph);
        }
    }
    return bytes;
}

uint64_t oq_report_constant_bytes(const oq_model *model) { return constant_bytes(model->graph); }
