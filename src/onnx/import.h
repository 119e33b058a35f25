// Inside the import: one message at a time, cut into plain fields for protobuf-c and parts read on their own.
#ifndef OQ_ONNX_IMPORT_H
#define OQ_ONNX_IMPORT_H

#include "onnx/wire.h"

#include "onnx.pb-c.h"

typedef struct oq_importer {
    oq_model *model; // its arena and accounting serve everything that stays
    oq_image image;
    char *folder;     // of the model file, resolved; NULL until external data are met, or without a file
    const char *path; // NULL: the bytes are not from a file
    oq_map externals; // location -> index of `files`
    oq_file **files;
    size_t file_count, file_capacity;
} oq_importer;

// What a kind of message is cut into: fields read on their own (objects with an origin, payloads), fields
// that have no place in the IR and are carried along as bytes (like those we do not know), and the plain
// rest.
typedef struct oq_layout {
    const ProtobufCMessageDescriptor *message;
    size_t apart[8];   // offsets in the generated struct; ended by 0
    size_t carried[3]; // likewise
} oq_layout;

// One message, cut by its layout. Lives until oq_part_release, except `carried` (model's arena).
typedef struct oq_part {
    oq_arena scratch;
    void *plain; // the generated struct
    oq_field *apart;
    size_t apart_count;
    oq_bytes carried;
} oq_part;

oq_status oq_part_read(oq_importer *importer, const oq_layout *layout, const oq_field *field, oq_part *out,
                       oq_error *err);
void oq_part_release(oq_part *part);

// `text` into the model's arena, NULL as ""; NULL result: no memory.
const char *oq_import_text(oq_importer *importer, const char *text, oq_error *err);
oq_status oq_import_pairs(oq_importer *importer, Onnx__StringStringEntryProto *const *entries, size_t count,
                          oq_pair **pairs, size_t *pair_count, oq_error *err);
oq_status oq_import_type(oq_importer *importer, const Onnx__TypeProto *from, oq_type *type, oq_error *err);
oq_origin oq_import_origin(const oq_field *field, oq_bytes carried);

// A TensorProto into a new constant. Elements stay in the file when they are large.
oq_status oq_import_constant(oq_importer *importer, const oq_field *field, oq_constant *constant,
                             oq_error *err);
oq_status oq_import_sparse(oq_importer *importer, const oq_field *field, oq_sparse **out, oq_error *err);
// The dense form of a sparse tensor.
oq_status oq_import_densify(oq_importer *importer, const oq_sparse *sparse, oq_tensor *out, oq_error *err);
// The bytes of a constant outside the model file: `entries` are its external_data, `length` what it needs.
oq_status oq_import_external(oq_importer *importer, Onnx__StringStringEntryProto *const *entries,
                             size_t count, uint64_t length, oq_constant *constant, oq_error *err);

// Where names are looked up: a graph, and the node of the graph around it whose body it is.
typedef struct oq_scope {
    oq_graph *graph;
    oq_node *owner;
    struct oq_scope *outer; // NULL: main graph, function
} oq_scope;

oq_status oq_import_attr(oq_importer *importer, oq_scope *scope, oq_node *node, const oq_field *field,
                         oq_attr *attr, oq_error *err);
oq_status oq_import_graph(oq_importer *importer, oq_scope *scope, const oq_field *field, oq_error *err);
oq_status oq_import_function(oq_importer *importer, const oq_field *field, oq_function *function,
                             oq_error *err);
oq_status oq_import_imports(oq_importer *importer, Onnx__OperatorSetIdProto *const *entries, size_t count,
                            oq_import **imports, size_t *import_count, oq_error *err);

#endif
