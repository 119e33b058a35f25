// The hash of a graph's meaning: structure, attributes, constants and the names of what statistics are kept
// for; not doc texts, node names or the producer.
#include "passes/passes.h"

#include <string.h>

#define BLOCK_BYTES ((size_t)256 << 10) // of a constant that is read to be hashed

static void add_text(oq_hasher *h, const char *text) {
    oq_hasher_add(h, text ? text : "", strlen(text ? text : "") + 1);
}
static void add_number(oq_hasher *h, int64_t value) { oq_hasher_add(h, &value, sizeof value); }
// With its size in front, so that two neighbours cannot be taken for two others.
static void add_bytes(oq_hasher *h, oq_bytes bytes) {
    add_number(h, (int64_t)bytes.size);
    oq_hasher_add(h, bytes.data, bytes.size);
}

// Elements that lie in a file as they do in memory, block by block.
static oq_status add_stored(oq_hasher *h, oq_mem *mem, const oq_constant *constant, oq_error *err) {
    const uint64_t total = constant->length;
    const size_t block = total < BLOCK_BYTES ? (size_t)total : BLOCK_BYTES;
    uint8_t *bytes = oq_mem_alloc(mem, block, err);
    if (!bytes) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (uint64_t at = 0; at < total && status == ONNXQ_OK; at += block) {
        const size_t count = total - at < block ? (size_t)(total - at) : block;
        status = oq_file_read(constant->file, constant->offset + at, bytes, count, err);
        if (status == ONNXQ_OK) oq_hasher_add(h, bytes, count);
    }
    oq_mem_free(mem, bytes);
    return status;
}

static oq_status add_constant(oq_hasher *h, oq_mem *mem, const oq_constant *constant, oq_error *err) {
    add_number(h, constant->dtype);
    add_number(h, constant->shape.rank);
    for (int d = 0; d < constant->shape.rank; d++) add_number(h, constant->shape.dim[d]);
    const bool in_file = constant->tensor.dtype == ONNXQ_UNDEFINED && constant->file;
    if (in_file && !oq_dtype_is_sub_byte(constant->dtype) && constant->dtype != ONNXQ_BOOL)
        return add_stored(h, mem, constant, err);
    oq_tensor tensor;
    OQ_TRY(oq_constant_load(mem, constant, &tensor, err));
    oq_hasher_add(h, tensor.data, oq_tensor_bytes(&tensor));
    oq_tensor_release(&tensor);
    return ONNXQ_OK;
}

static oq_status add_graph(oq_hasher *h, const oq_graph *graph, oq_error *err);

static oq_status add_attr(oq_hasher *h, oq_mem *mem, const oq_attr *attr, oq_error *err) {
    add_text(h, attr->name);
    add_text(h, attr->reference);
    add_number(h, attr->kind);
    add_number(h, (int64_t)attr->count);
    if (attr->reference) return ONNXQ_OK; // the value is the caller's
    switch (attr->kind) {
    case OQ_ATTR_FLOAT: oq_hasher_add(h, &attr->f, sizeof attr->f); break;
    case OQ_ATTR_INT: add_number(h, attr->i); break;
    case OQ_ATTR_STRING: add_bytes(h, attr->s); break;
    case OQ_ATTR_TENSOR: return add_constant(h, mem, attr->tensor, err);
    case OQ_ATTR_GRAPH: return add_graph(h, attr->graph, err);
    case OQ_ATTR_FLOATS: oq_hasher_add(h, attr->floats, attr->count * sizeof *attr->floats); break;
    case OQ_ATTR_INTS: oq_hasher_add(h, attr->ints, attr->count * sizeof *attr->ints); break;
    case OQ_ATTR_STRINGS:
        for (size_t i = 0; i < attr->count; i++) add_bytes(h, attr->strings[i]);
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
        add_number(h, (int64_t)node->attr_count);
        for (size_t a = 0; a < node->attr_count; a++) OQ_TRY_DONE(add_attr(h, mem, &node->attrs[a], err));
    }
    for (size_t v = 0; v < graph->value_count; v++) {
        if (graph->values[v]->dead || !graph->values[v]->initializer) continue;
        add_text(h, graph->values[v]->name);
        OQ_TRY_DONE(add_constant(h, mem, graph->values[v]->initializer, err));
    }
    status = ONNXQ_OK;
done:
    oq_mem_free(mem, order);
    return status;
}

static void add_imports(oq_hasher *h, const oq_import *imports, size_t count) {
    add_number(h, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        add_text(h, imports[i].domain);
        add_number(h, imports[i].version);
    }
}

// Local functions are part of the meaning of who calls them.
static oq_status add_function(oq_hasher *h, const oq_function *function, oq_error *err) {
    add_text(h, function->domain);
    add_text(h, function->name);
    add_text(h, function->overload);
    add_imports(h, function->imports, function->import_count);
    for (size_t i = 0; i < function->default_count; i++)
        OQ_TRY(add_attr(h, function->body->model->mem, &function->defaults[i], err));
    return add_graph(h, function->body, err);
}

oq_status oq_graph_hash(const oq_graph *graph, oq_hash *out, oq_error *err) {
    oq_hasher *hasher = NULL;
    OQ_TRY(oq_hasher_new(graph->model->mem, &hasher, err));
    add_imports(hasher, graph->model->imports, graph->model->import_count);
    oq_status status = add_graph(hasher, graph, err);
    for (size_t i = 0; i < graph->model->function_count && status == ONNXQ_OK; i++)
        status = add_function(hasher, &graph->model->functions[i], err);
    *out = oq_hasher_end(hasher);
    return status;
}
