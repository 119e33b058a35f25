// The readable print of a graph: inputs, initializers, one line a node, bodies indented.
#include "graph/storage.h"

#include <inttypes.h>

#define MOST_ITEMS 16 // of a list attribute that are shown

// Text of the file in quotes, unprintable bytes escaped, so that a name cannot forge lines.
static void add_escaped(oq_text *into, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            oq_text_printf(into, "\\%c", c);
        else if (c < 32 || c == 127)
            oq_text_printf(into, "\\x%02x", c);
        else
            oq_text_add_bytes(into, &c, 1);
    }
}

static void add_name(oq_text *into, const char *name) {
    oq_text_add(into, "%");
    for (const char *c = name; *c; c++) add_escaped(into, c, 1);
}

static void add_value(oq_text *into, const oq_graph *graph, oq_value_id id, bool with_type) {
    if (id == OQ_NONE) {
        oq_text_add(into, "_");
        return;
    }
    const oq_gvalue *value = graph->values[id];
    add_name(into, value->name);
    if (!with_type || value->type.kind == OQ_TYPE_UNKNOWN) return;
    oq_text_add(into, ":");
    oq_type_format(&value->type, into);
}

static void add_values(oq_text *into, const oq_graph *graph, const oq_value_id *ids, size_t count,
                       bool with_type) {
    for (size_t i = 0; i < count; i++) {
        if (i) oq_text_add(into, ", ");
        add_value(into, graph, ids[i], with_type);
    }
}

static void add_constant(oq_text *into, const oq_constant *constant) {
    char shape[256];
    oq_text_printf(into, "%s%s", oq_dtype_info(constant->dtype)->name,
                   oq_shape_format(&constant->shape, shape, sizeof shape));
}

static void add_item(oq_text *into, const oq_attr *attr, size_t i) {
    switch (attr->kind) {
    case OQ_ATTR_FLOAT: oq_text_printf(into, "%.9g", (double)attr->f); break;
    case OQ_ATTR_FLOATS: oq_text_printf(into, "%.9g", (double)attr->floats[i]); break;
    case OQ_ATTR_INT: oq_text_printf(into, "%" PRId64, attr->i); break;
    case OQ_ATTR_INTS: oq_text_printf(into, "%" PRId64, attr->ints[i]); break;
    case OQ_ATTR_STRING:
    case OQ_ATTR_STRINGS: {
        const oq_bytes *s = attr->kind == OQ_ATTR_STRING ? &attr->s : &attr->strings[i];
        oq_text_add(into, "\"");
        add_escaped(into, (const char *)s->data, s->size);
        oq_text_add(into, "\"");
        break;
    }
    case OQ_ATTR_TENSOR: add_constant(into, attr->tensor); break;
    case OQ_ATTR_TENSORS: add_constant(into, attr->tensors[i]); break;
    case OQ_ATTR_TYPE: oq_type_format(attr->type, into); break;
    case OQ_ATTR_TYPES: oq_type_format(attr->types[i], into); break;
    case OQ_ATTR_GRAPH:
    case OQ_ATTR_GRAPHS: oq_text_add(into, "graph"); break;
    default: oq_text_add(into, "sparse"); break;
    }
}

static bool is_list(oq_attr_kind kind) {
    return (kind >= OQ_ATTR_FLOATS && kind <= OQ_ATTR_GRAPHS) || kind == OQ_ATTR_SPARSES ||
           kind == OQ_ATTR_TYPES;
}

static void add_attr(oq_text *into, const oq_attr *attr) {
    oq_text_printf(into, "%s=", attr->name);
    if (attr->reference) {
        oq_text_printf(into, "@%s", attr->reference);
        return;
    }
    const bool list = is_list(attr->kind);
    const size_t count = list ? attr->count : 1;
    if (list) oq_text_add(into, "[");
    for (size_t i = 0; i < count && i < MOST_ITEMS; i++) {
        if (i) oq_text_add(into, ",");
        add_item(into, attr, i);
    }
    if (count > MOST_ITEMS) oq_text_printf(into, ",... %zu in all", count);
    if (list) oq_text_add(into, "]");
}

typedef struct printing {
    oq_text *into;
    int indent;
} printing;

static void begin_line(const printing *p) {
    for (int i = 0; i < p->indent; i++) oq_text_add(p->into, "  ");
}

static oq_status print_graph(const printing *p, const oq_graph *graph, oq_error *err);

static oq_status print_body(void *self, oq_graph *body, oq_error *err) {
    const printing *around = self;
    const printing inside = {.into = around->into, .indent = around->indent + 1};
    return print_graph(&inside, body, err);
}

static oq_status print_node(const printing *p, const oq_graph *graph, const oq_node *node, oq_error *err) {
    begin_line(p);
    add_values(p->into, graph, node->outputs, node->output_count, true);
    oq_text_add(p->into, node->output_count ? " = " : "");
    if (node->domain[0]) oq_text_printf(p->into, "%s.", node->domain);
    oq_text_printf(p->into, "%s(", node->op_type);
    add_values(p->into, graph, node->inputs, node->input_count, false);
    oq_text_add(p->into, ")");
    for (size_t i = 0; i < node->attr_count; i++) {
        oq_text_add(p->into, i ? ", " : " {");
        add_attr(p->into, &node->attrs[i]);
    }
    if (node->attr_count) oq_text_add(p->into, "}");
    if (node->name[0]) {
        oq_text_add(p->into, " \"");
        for (const char *c = node->name; *c; c++) add_escaped(p->into, c, 1);
        oq_text_add(p->into, "\"");
    }
    oq_text_add(p->into, "\n");
    printing inside = *p;
    return oq_node_each_body(node, print_body, &inside, err);
}

static oq_status print_graph(const printing *p, const oq_graph *graph, oq_error *err) {
    begin_line(p);
    oq_text_add(p->into, "graph ");
    for (const char *c = graph->name; *c; c++) add_escaped(p->into, c, 1);
    oq_text_add(p->into, "(");
    add_values(p->into, graph, graph->inputs, graph->input_count, true);
    oq_text_add(p->into, ") -> (");
    add_values(p->into, graph, graph->outputs, graph->output_count, true);
    oq_text_add(p->into, ")\n");
    const printing inside = {.into = p->into, .indent = p->indent + 1};
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (value->dead || !value->initializer) continue;
        begin_line(&inside);
        add_name(p->into, value->name);
        oq_text_add(p->into, ":");
        add_constant(p->into, value->initializer);
        oq_text_add(p->into, value->is_input ? " default\n" : " initializer\n");
    }
    oq_node_id *order = NULL;
    size_t count = 0;
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = print_node(&inside, graph, graph->nodes[order[i]], err);
    oq_mem_free(graph->model->mem, order);
    return status;
}

oq_status oq_graph_print(const oq_graph *graph, oq_text *into, oq_error *err) {
    const printing p = {.into = into};
    OQ_TRY(print_graph(&p, graph, err));
    if (into->failed) return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory to print the graph");
    return ONNXQ_OK;
}
