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
