// Bytes of protobuf messages written by hand: tests of the importer say what is in a file byte by byte.
#ifndef OQ_TESTS_WIRE_H
#define OQ_TESTS_WIRE_H

#include "base/text.h"

void wire_varint(oq_text *into, uint64_t value);
void wire_int(oq_text *into, uint32_t field, uint64_t value);
void wire_bytes(oq_text *into, uint32_t field, const void *bytes, size_t count);
void wire_text(oq_text *into, uint32_t field, const char *text);
void wire_message(oq_text *into, uint32_t field, oq_text *message); // and ends `message`

// Fields of ONNX messages, by number.
enum {
    MODEL_IR = 1,
    MODEL_GRAPH = 7,
    MODEL_IMPORT = 8,
    MODEL_TRAINING = 20,
    MODEL_FUNCTION = 25,
    FUNCTION_NAME = 1,
    FUNCTION_INPUT = 4,
    FUNCTION_OUTPUT = 5,
    FUNCTION_NODE = 7,
    FUNCTION_DOMAIN = 10,
    IMPORT_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    GRAPH_SPARSE = 15,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTR = 5,
    ATTR_NAME = 1,
    ATTR_I = 3,
    ATTR_T = 5,
    ATTR_G = 6,
    ATTR_TYPE = 20,
    VALUE_NAME = 1,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_STRINGS = 6,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10,
    TENSOR_UINT64S = 11,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14,
    SPARSE_VALUES = 1,
    SPARSE_INDICES = 2,
    SPARSE_DIMS = 3,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2
};

// A model of opset 17 around the fields of a graph; ends `graph`.
void wire_model(oq_text *into, oq_text *graph);
// A ValueInfoProto without type in field `role` of a graph.
void wire_value(oq_text *graph, uint32_t role, const char *name);
// A node with up to one input and one output ("" = none) and attribute messages; ends `attrs` (may be NULL).
void wire_node(oq_text *graph, const char *op, const char *input, const char *output, oq_text *attrs);
// The head of a TensorProto.
void wire_tensor(oq_text *tensor, const char *name, int dtype, const int64_t *dims, size_t rank);
// One entry of external_data.
void wire_entry(oq_text *tensor, const char *key, const char *value);

// A model that has some of everything: a body with a capture, constants of several forms, a
// function, unknown fields.
void wire_rich_model(oq_text *into);

#endif
