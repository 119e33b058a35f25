// Model files: ONNX bytes to the graph and back. The only user of protobuf-c.
#ifndef OQ_ONNX_ONNX_H
#define OQ_ONNX_ONNX_H

#include "graph/graph.h"

// Scans (depth, counts, lengths, NUL) and reads a model file; constants stay in the file. Checks the
// structure of the graph. Errors: IO, BAD_MODEL with the offset of the first bad byte.
oq_status oq_onnx_load(oq_mem *mem, const char *path, oq_model **out, oq_error *err);
// The same from memory; the bytes are copied as far as needed; `name` is used in errors.
oq_status oq_onnx_parse(oq_mem *mem, const uint8_t *bytes, size_t count, const char *name, oq_model **out,
                        oq_error *err);

typedef struct oq_onnx_save_options {
    bool external_data;        // put large constants into a data file also below 2 GiB
    uint64_t external_minimum; // bytes of a constant that goes there; 0 = 1024
} oq_onnx_save_options;

// Writes the model: whole or not at all, byte-identical when nothing changed. NULL options: defaults. `path`
// may be the file that the model was read from. Models whose message would reach 2 GiB go out with external
// data, beside the file.
oq_status oq_onnx_save(const oq_model *model, const char *path, const oq_onnx_save_options *options,
                       oq_error *err);
// The same into memory (no external data; over 2 GiB is an error).
oq_status oq_onnx_format(const oq_model *model, oq_text *into, oq_error *err);
// The bytes of the file, and of its external data, that oq_onnx_save would write; nothing is written.
oq_status oq_onnx_size(const oq_model *model, uint64_t *bytes, oq_error *err);

// Values in files: TensorProto, SequenceProto, OptionalProto as in test_data_set_*/input_0.pb. `kind` says
// which message the bytes hold (the format does not say it itself).
oq_status oq_onnx_parse_value(oq_mem *mem, const uint8_t *bytes, size_t count, oq_value_kind kind,
                              const char *name, oq_value *out, oq_error *err);
oq_status oq_onnx_format_value(const oq_value *value, const char *name, oq_text *into, oq_error *err);

#endif
