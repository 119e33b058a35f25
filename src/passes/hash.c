// The hash of a graph's meaning: structure, attributes, constants and the names of what statistics are kept
// for; not doc texts, node names or the producer.
#include "passes/passes.h"

#include <string.h>

static void add_text(oq_hasher *h, const char *text) {
    oq_hasher_add(h, text ? text : "", strlen(text ? text : "") + 1);
}
static void add_number(oq_hasher *h, int64_t value) { oq_hasher_add(h, &value, sizeof value); }

static oq_status add_constant(oq_hasher *h, oq_mem *mem, const oq_constant *constant, oq_error *err) {
    oq_tensor tensor;
    OQ_TRY(oq_constant_load(mem, constant, &tensor, err));
    add_number(h, tensor.dtype);
    add_number(h, tensor.shape.rank);
    for (int d = 0; d < tensor.shape.rank; d++) add_number(h, tensor.shape.dim[d]);
    oq_hasher_add(h, tensor.data, oq_tensor_bytes(&tensor));
    oq_tensor_release(&tensor);
    return ONNXQ_OK;
}

static oq_status add_graph(oq_hasher *h, const oq_graph *graph, oq_error *err);

static oq_status add_attr(oq_hasher *h, oq_mem *mem, const oq_attr *attr, oq_error *err) {
    add_text(h, attr->name);
    add_number(h, attr->kind);
    add_number(h, (int64_t)attr->count);
    switch (attr->kind) {
    case OQ_ATTR_FLOAT: oq_hasher_add(h, &attr->f, sizeof attr->f); break;
    case OQ_ATTR_INT: add_number(h, attr->i); break;
    case OQ_ATTR_STRING: oq_hasher_add(h, attr->s.data, attr->s.size); break;
    case OQ_ATTR_TENSOR: return add_constant(h, mem, attr->tensor, err);
    case OQ_ATTR_GRAPH: return add_graph(h, attr->graph, err);
    case OQ_ATTR_FLOATS: oq_hasher_add(h, attr->floats, attr->count * sizeof *attr->floats); break;
    case OQ_ATTR_INTS: oq_hasher_add(h, attr->ints, attr->count * sizeof *attr->ints); break;
    case OQ_ATTR_STRINGS:
        for (size_t i = 0; i < attr->count; i++)
            oq_hasher_add(h, attr->strings[i].data, attr->strings[i].size);
        break;
    case OQ_ATTR_TENSORS:
        for (size_t i = 0; i < attr->count; i++) OQ_TRY(add_constant(h, mem, attr->tensors[i], err));
        break;
    case OQ_ATTR_GRAPHS:
        for (size_t i = 0; i < attr->count; i++) OQ_TRY(add_graph(h, attr->graphs[i], err));
        break;
    default: break; // types and sparse tensors do not bear on activations
    }
    return ONNXQ_OK;
}

static void add_values(oq_hasher *h, const oq_graph *graph, const oq_value_id *ids, size_t count) {
    add_number(h, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        add_text(h, ids[i] == OQ_NONE ? "" : oq_graph_value(graph, ids[i])->name);
}

static oq_status add_graph(oq_hasher *h, const oq_graph *graph, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    oq_node_id *order = NULL;
    size_t count;
    oq_status status;
    add_values(h, graph, graph->inputs, graph->input_count);
    add_values(h, graph, graph->outputs, graph->output_count);
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    for (size_t i = 0; i < count; i++) {
        const oq_node *node = oq_graph_node(graph, order[i]);
        add_text(h, node->domain);
        add_text(h, node->op_type);
        add_values(h, graph, node->inputs, node->input_count);
        add_values(h, graph, node->outputs, node->output_count);
        for (size_t a = 0; a < node->attr_count; a++) OQ_TRY_DONE(add_attr(h, mem, &node->attrs[a], err));
    }
    for (size_t v = 0; v < graph->value_count; v++) {
        if (!graph->values[v]->initializer) continue;
        add_text(h, graph->values[v]->name);
        OQ_TRY_DONE(add_constant(h, mem, graph->values[v]->initializer, err));
    }
    status = ONNXQ_OK;
done:
    oq_mem_free(mem, order);
    return status;
}

oq_status oq_graph_hash(const oq_graph *graph, oq_hash *out, oq_error *err) {
    oq_hasher *hasher = NULL;
    OQ_TRY(oq_hasher_new(graph->model->mem, &hasher, err));
    for (size_t i = 0; i < graph->model->import_count; i++) {
        add_text(hasher, graph->model->imports[i].domain);
        add_number(hasher, graph->model->imports[i].version);
    }
    const oq_status status = add_graph(hasher, graph, err);
    *out = oq_hasher_end(hasher);
    return status;
}
