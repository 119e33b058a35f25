// Bytes of protobuf messages written by hand.
#include "support/wire.h"

#include <string.h>

void wire_varint(oq_text *into, uint64_t value) {
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        oq_text_add_bytes(into, &byte, 1);
        value >>= 7;
    } while (value);
}

void wire_int(oq_text *into, uint32_t field, uint64_t value) {
    wire_varint(into, (uint64_t)field << 3);
    wire_varint(into, value);
}

void wire_bytes(oq_text *into, uint32_t field, const void *bytes, size_t count) {
    wire_varint(into, (uint64_t)field << 3 | 2);
    wire_varint(into, count);
    oq_text_add_bytes(into, bytes, count);
}

void wire_text(oq_text *into, uint32_t field, const char *text) {
    wire_bytes(into, field, text, strlen(text));
}

void wire_message(oq_text *into, uint32_t field, oq_text *message) {
    wire_bytes(into, field, oq_text_get(message), message->length);
    oq_text_release(message);
}

void wire_model(oq_text *into, oq_text *graph) {
    oq_text import;
    oq_text_init(&import, into->mem);
    wire_int(into, MODEL_IR, 8);
    wire_message(into, MODEL_GRAPH, graph);
    wire_int(&import, IMPORT_VERSION, 17);
    wire_message(into, MODEL_IMPORT, &import);
}

void wire_value(oq_text *graph, uint32_t role, const char *name) {
    oq_text value;
    oq_text_init(&value, graph->mem);
    wire_text(&value, VALUE_NAME, name);
    wire_message(graph, role, &value);
}

void wire_node(oq_text *graph, const char *op, const char *input, const char *output, oq_text *attrs) {
    oq_text node;
    oq_text_init(&node, graph->mem);
    if (input[0]) wire_text(&node, NODE_INPUT, input);
    if (output[0]) wire_text(&node, NODE_OUTPUT, output);
    wire_text(&node, NODE_OP, op);
    if (attrs) {
        oq_text_add_bytes(&node, oq_text_get(attrs), attrs->length);
        oq_text_release(attrs);
    }
    wire_message(graph, GRAPH_NODE, &node);
}

void wire_tensor(oq_text *tensor, const char *name, int dtype, const int64_t *dims, size_t rank) {
    for (size_t i = 0; i < rank; i++) wire_int(tensor, TENSOR_DIMS, (uint64_t)dims[i]);
    wire_int(tensor, TENSOR_TYPE, (uint64_t)dtype);
    wire_text(tensor, TENSOR_NAME, name);
}

void wire_entry(oq_text *tensor, const char *key, const char *value) {
    oq_text entry;
    oq_text_init(&entry, tensor->mem);
    wire_text(&entry, ENTRY_KEY, key);
    wire_text(&entry, ENTRY_VALUE, value);
    wire_message(tensor, TENSOR_EXTERNAL, &entry);
}

// An If whose branch reads x from outside.
static void add_if(oq_text *graph) {
    oq_text body, attr, attrs;
    oq_text_init(&body, graph->mem);
    oq_text_init(&attr, graph->mem);
    oq_text_init(&attrs, graph->mem);
    wire_node(&body, "Abs", "x", "t", NULL);
    wire_value(&body, GRAPH_OUTPUT, "t");
    wire_text(&attr, ATTR_NAME, "then_branch");
    wire_message(&attr, ATTR_G, &body);
    wire_int(&attr, ATTR_TYPE, 5);
    wire_message(&attrs, NODE_ATTR, &attr);
    wire_node(graph, "If", "w", "z", &attrs);
}

static void add_constants(oq_text *graph) {
    const int64_t dims[] = {2, 1}, size = 10, index = 3;
    oq_text raw, typed, values, indices, sparse;
    oq_text_init(&raw, graph->mem);
    oq_text_init(&typed, graph->mem);
    oq_text_init(&values, graph->mem);
    oq_text_init(&indices, graph->mem);
    oq_text_init(&sparse, graph->mem);
    wire_tensor(&raw, "w", ONNXQ_BOOL, NULL, 0);
    wire_bytes(&raw, TENSOR_RAW, "\1", 1);
    wire_message(graph, GRAPH_INITIALIZER, &raw);
    wire_tensor(&typed, "v", ONNXQ_INT64, dims, 2);
    wire_bytes(&typed, TENSOR_INT64S, "\5\6", 2);
    wire_message(graph, GRAPH_INITIALIZER, &typed);
    wire_tensor(&values, "s", ONNXQ_INT8, &dims[1], 1);
    wire_bytes(&values, TENSOR_RAW, "a", 1);
    wire_tensor(&indices, "", ONNXQ_INT64, &dims[1], 1);
    wire_bytes(&indices, TENSOR_RAW, &index, 8);
    wire_message(&sparse, SPARSE_VALUES, &values);
    wire_message(&sparse, SPARSE_INDICES, &indices);
    wire_int(&sparse, SPARSE_DIMS, (uint64_t)size);
    wire_message(graph, GRAPH_SPARSE, &sparse);
}

static void add_function(oq_text *model) {
    oq_text function, node;
    oq_text_init(&function, model->mem);
    oq_text_init(&node, model->mem);
    wire_text(&function, FUNCTION_NAME, "twice");
    wire_text(&function, FUNCTION_DOMAIN, "own");
    wire_text(&function, FUNCTION_INPUT, "a");
    wire_text(&function, FUNCTION_OUTPUT, "b");
    wire_text(&node, NODE_INPUT, "a");
    wire_text(&node, NODE_INPUT, "a");
    wire_text(&node, NODE_OUTPUT, "b");
    wire_text(&node, NODE_OP, "Add");
    wire_message(&function, FUNCTION_NODE, &node);
    wire_message(model, MODEL_FUNCTION, &function);
}

void wire_rich_model(oq_text *into) {
    oq_text graph;
    oq_text_init(&graph, into->mem);
    wire_text(&graph, GRAPH_NAME, "rich");
    wire_value(&graph, GRAPH_INPUT, "x");
    add_constants(&graph);
    add_if(&graph);
    wire_node(&graph, "Relu", "x", "y", NULL);
    wire_text(&graph, 4711, "unknown");
    wire_value(&graph, GRAPH_VALUE_INFO, "z");
    wire_value(&graph, GRAPH_OUTPUT, "y");
    wire_model(into, &graph);
    add_function(into);
    wire_text(into, MODEL_TRAINING, "");
}
