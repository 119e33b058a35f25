// Inside the export: what is clean goes out as it came, what was edited is made anew.
#ifndef OQ_ONNX_EXPORT_H
#define OQ_ONNX_EXPORT_H

#include "onnx/rope.h"

#include "onnx-data.pb-c.h"
#include "onnx.pb-c.h"

typedef struct oq_exporter {
    const oq_model *model;
    oq_arena scratch; // generated structs, until the rope is built
    oq_rope rope;     // the model
    oq_rope data;     // the file of external data
    bool rehome;      // external data of the model would not be found from the new place: take them along
    bool outside;     // constants of at least `minimum` bytes go into the data file
    uint64_t minimum;
    const char
        *location; // name of the data file; its length is final, its text only when the data are hashed
    oq_error *err;
} oq_exporter;

// True when the bytes that an object came from still say what it is.
bool oq_export_clean_graph(const oq_exporter *exporter, const oq_graph *graph);
bool oq_export_clean_node(const oq_exporter *exporter, const oq_node *node);
bool oq_export_clean_attr(const oq_exporter *exporter, const oq_attr *attr);
bool oq_export_clean_constant(const oq_exporter *exporter, const oq_constant *constant);

// Each adds one field of that number to the rope, as it came when that is still right.
void oq_export_constant(oq_exporter *exporter, uint32_t number, const oq_constant *constant);
void oq_export_new_constant(oq_exporter *exporter, uint32_t number, const oq_constant *constant,
                            const char *name); // made anew, under this name; number 0: without a frame
oq_status oq_export_attr(oq_exporter *exporter, uint32_t number, const oq_attr *attr);
oq_status oq_export_node(oq_exporter *exporter, uint32_t number, const oq_graph *graph, const oq_node *node);
oq_status oq_export_graph(oq_exporter *exporter, uint32_t number, const oq_graph *graph);
oq_status oq_export_model(oq_exporter *exporter);

// The generated form of a type, in scratch; NULL for an unknown type, and without memory (then status of
// err).
oq_status oq_export_type(oq_exporter *exporter, const oq_type *type, Onnx__TypeProto **out);
oq_status oq_export_pairs(oq_exporter *exporter, const oq_pair *pairs, size_t count,
                          Onnx__StringStringEntryProto ***out);
// The bytes of an object as they came.
void oq_export_span(oq_exporter *exporter, const oq_origin *origin);
// NULL for "": an empty text is left out.
static inline char *oq_export_text(const char *text) { return text && text[0] ? (char *)text : NULL; }

#define OQ_FIELD(message, member)                                                                            \
    oq_field_number(&onnx__##message##__descriptor, offsetof(OQ_STRUCT_##message, member))
#define OQ_STRUCT_tensor_proto              Onnx__TensorProto
#define OQ_STRUCT_sparse_tensor_proto       Onnx__SparseTensorProto
#define OQ_STRUCT_attribute_proto           Onnx__AttributeProto
#define OQ_STRUCT_node_proto                Onnx__NodeProto
#define OQ_STRUCT_graph_proto               Onnx__GraphProto
#define OQ_STRUCT_function_proto            Onnx__FunctionProto
#define OQ_STRUCT_model_proto               Onnx__ModelProto
#define OQ_STRUCT_sequence_proto            Onnx__SequenceProto
#define OQ_STRUCT_optional_proto            Onnx__OptionalProto
#define OQ_STRUCT_map_proto                 Onnx__MapProto
#define OQ_STRUCT_string_string_entry_proto Onnx__StringStringEntryProto

#endif
