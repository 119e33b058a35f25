// The intermediate representation: model, graph, node, value, constant, attribute. Structure only; meaning is
// in ops/.
//
// Values and nodes are numbered; ids stay valid for the graph's life, also across edits (removed objects are
// marked dead). All texts, shapes and nodes live in the model's arena and die with it; tensor data are
// refcounted buffers. A graph inside a node (If, Loop, Scan, ...) has its own values; what it takes from
// outside appears as a value of kind CAPTURE, paired by index with the captures of the node that owns it, so
// that order, liveness and edits see it as an input.
#ifndef OQ_GRAPH_GRAPH_H
#define OQ_GRAPH_GRAPH_H

#include "base/file.h"
#include "base/map.h"
#include "graph/type.h"

typedef int32_t oq_value_id;
typedef int32_t oq_node_id;
#define OQ_NONE (-1) // no value (an optional input left out), no node

typedef struct oq_model oq_model;
typedef struct oq_graph oq_graph;

typedef struct oq_bytes {
    const uint8_t *data;
    size_t size;
} oq_bytes;

// Where an object came from: its field in the model file (tag, length, message), written back as it was while
// `size` is not 0. Every edit of the object clears it. `unknown` holds the fields that have no place in the
// IR, re-emitted at the end of a changed message; edits keep it.
typedef struct oq_origin {
    uint64_t offset, size;
    oq_bytes unknown;
} oq_origin;

// A constant: in memory, or still in a file as packed little-endian bytes. Made by oq_constant_new, so that
// the model can give its tensor and file back at its end.
typedef struct oq_constant {
    const char *name;
    oq_dtype dtype;
    oq_shape shape;
    oq_tensor tensor; // dtype UNDEFINED while the data are in `file`
    oq_file *file;
    uint64_t offset, length;
    bool external; // the bytes are in a file of external data, not in the model file
    const char *doc;
    oq_origin origin;
    struct oq_constant *next; // of all constants of the model
} oq_constant;

// ONNX's own numbers (AttributeProto.AttributeType).
typedef enum oq_attr_kind {
    OQ_ATTR_NONE,
    OQ_ATTR_FLOAT,
    OQ_ATTR_INT,
    OQ_ATTR_STRING,
    OQ_ATTR_TENSOR,
    OQ_ATTR_GRAPH,
    OQ_ATTR_FLOATS,
    OQ_ATTR_INTS,
    OQ_ATTR_STRINGS,
    OQ_ATTR_TENSORS,
    OQ_ATTR_GRAPHS,
    OQ_ATTR_SPARSE,
    OQ_ATTR_SPARSES,
    OQ_ATTR_TYPE,
    OQ_ATTR_TYPES
} oq_attr_kind;

typedef struct oq_sparse {
    oq_constant *values, *indices;
    oq_shape shape;
} oq_sparse;

typedef struct oq_attr {
    const char *name, *doc;
    const char *reference; // ref_attr_name: inside a function body, the caller's attribute; else NULL
    oq_attr_kind kind;
    size_t count; // of the list kinds; 1 otherwise
    union {
        float f;
        int64_t i;
        oq_bytes s; // NUL-terminated behind `size` bytes
        oq_constant *tensor;
        oq_graph *graph;
        oq_type *type;
        oq_sparse *sparse;
        float *floats;
        int64_t *ints;
        oq_bytes *strings;
        oq_constant **tensors;
        oq_graph **graphs;
        oq_sparse **sparses;
        oq_type **types;
    };
    oq_origin origin;
} oq_attr;

// A key with its text (metadata_props, external data, dimension bindings).
typedef struct oq_pair {
    const char *key, *text;
} oq_pair;

typedef struct oq_node {
    oq_graph *graph; // that it belongs to
    oq_node_id id;
    bool dead;
    const char *name;                              // "" when the file gives none; shown as Op_<id>
    const char *op_type, *domain, *overload, *doc; // domain "" is ai.onnx ("ai.onnx" is read as "")
    oq_value_id *inputs, *outputs;                 // OQ_NONE: left out
    size_t input_count, output_count;
    oq_attr *attrs;
    size_t attr_count;
    oq_value_id *captures; // outer values that the bodies of this node use, each once
    size_t capture_count, capture_capacity;
    oq_pair *metadata;
    size_t metadata_count;
    int region; // index of the region it belongs to (passes/regions), or OQ_NONE
    oq_origin origin;
} oq_node;

typedef struct oq_use {
    oq_node_id node;
    int32_t input; // index; a capture k is counted as input_count + k
} oq_use;

typedef struct oq_gvalue {
    const char *name;
    oq_type type;            // as far as it is known
    bool declared;           // has a value_info (or is a graph input or output) in the file
    const char *misdeclared; // the type that the file gave where inference contradicts its shape, else NULL
    bool is_input, is_output, is_capture;
    bool dead;    // removed; its name may be used again
    bool bounded; // an input of which the user said that it lies within [low, high]
    double low, high;
    oq_node_id producer; // OQ_NONE: input, initializer, capture
    int32_t output;      // index among the producer's outputs
    oq_constant
        *initializer;        // NULL when it is none; an input may have one as default (IR 4 and before: must)
    const oq_constant *made; // what oq_graph_constant made of its Constant node; NULL while nobody asked
    oq_use *uses;
    size_t use_count, use_capacity;
    const char *doc;
    oq_origin origin; // of the value_info
} oq_gvalue;

struct oq_graph {
    oq_model *model;
    oq_graph *parent; // NULL for the main graph and function bodies
    oq_node *owner;   // the node of `parent` whose body this is, as far as it is known yet
    oq_graph *next;   // of all graphs of the model
    const char *name, *doc;
    oq_node **nodes; // by id, dead ones included
    size_t node_count, node_capacity;
    oq_gvalue **values; // by id
    size_t value_count, value_capacity;
    // captures[k] pairs with the owning node's captures[k]; OQ_NONE, or a shorter list, where this body does
    // not use what another body of that node does.
    oq_value_id *inputs, *outputs, *captures;
    size_t input_count, output_count, capture_count, capture_capacity;
    oq_map names; // value name -> id
    oq_pair *metadata;
    size_t metadata_count;
    bool changed; // any edit since import
    oq_origin origin;
};

typedef struct oq_import {
    const char *domain; // "" for ai.onnx
    int64_t version;
    oq_bytes unknown;
} oq_import;

typedef struct oq_function {
    const char *domain, *name, *overload, *doc;
    oq_graph *body;               // inputs and outputs untyped
    const char **attribute_names; // without default
    size_t attribute_count;
    oq_attr *defaults; // attributes with default
    size_t default_count;
    oq_import *imports;
    size_t import_count;
    oq_origin origin;
} oq_function;

struct oq_model {
    oq_mem *mem;
    oq_arena arena;
    oq_map symbols;   // interned texts (dimension names)
    const char *path; // as given, or "" for a model made in memory
    oq_file *file;    // source of clean messages and of constants; NULL for a model made in memory
    int64_t ir_version;
    const char *producer_name, *producer_version, *domain, *doc;
    int64_t model_version;
    bool has_model_version;
    oq_import *imports;
    size_t import_count;
    oq_pair *metadata;
    size_t metadata_count;
    oq_function *functions;
    size_t function_count;
    oq_graph *graph;
    oq_graph *graphs;       // all of them, bodies and removed ones included
    oq_constant *constants; // all of them, removed ones included
    bool changed;           // header fields edited since import
    oq_origin origin;       // unknown fields of the ModelProto
};

// --- model ---
oq_status oq_model_new(oq_mem *mem, oq_model **out, oq_error *err); // empty graph, no imports, ir_version 0
void oq_model_free(oq_model *model);                                // NULL is allowed
// A deep, independent copy (constants share their buffers and files).
oq_status oq_model_clone(const oq_model *model, oq_model **out, oq_error *err);
// Version that the model imports for `domain` ("" = ai.onnx), or 0.
int64_t oq_model_opset(const oq_model *model, const char *domain);
oq_status oq_model_set_opset(oq_model *model, const char *domain, int64_t version, oq_error *err);
oq_status oq_model_set_metadata(oq_model *model, const char *key, const char *text, oq_error *err);
const char *oq_model_metadata(const oq_model *model, const char *key); // NULL when it is not there
const char *oq_model_intern(oq_model *model, const char *text, oq_error *err);

// --- look ---
static inline oq_gvalue *oq_graph_value(const oq_graph *graph, oq_value_id id) { return graph->values[id]; }
static inline oq_node *oq_graph_node(const oq_graph *graph, oq_node_id id) { return graph->nodes[id]; }
oq_value_id oq_graph_find(const oq_graph *graph, const char *value_name);    // OQ_NONE when it is not there
oq_node_id oq_graph_find_node(const oq_graph *graph, const char *node_name); // linear; OQ_NONE
const oq_attr *oq_node_attr(const oq_node *node, const char *name);          // NULL when it is not there
int64_t oq_node_int(const oq_node *node, const char *name, int64_t otherwise);
float oq_node_float(const oq_node *node, const char *name, float otherwise);
const char *oq_node_string(const oq_node *node, const char *name, const char *otherwise);
// List of ints (count 0 when it is not there).
const int64_t *oq_node_ints(const oq_node *node, const char *name, size_t *count);
bool oq_node_is(const oq_node *node, const char *op_type); // of ai.onnx
// The producer of a value when it is of ai.onnx and has that type, else NULL; and the one consumer, when
// there is exactly one and the value is no graph output, else NULL.
oq_node *oq_graph_producer_is(const oq_graph *graph, oq_value_id value, const char *op_type);
oq_node *oq_graph_only_consumer(const oq_graph *graph, oq_value_id value);
// The constant behind a value: initializer that is no graph input, Constant node (value, value_float(s),
// value_int(s)), or Identity of one; NULL when it is none.
const oq_constant *oq_graph_constant(oq_graph *graph, oq_value_id value);
// Shown name: the node's own, or "Conv_12".
const char *oq_node_label(const oq_node *node, char *buffer, size_t size);

// --- constants ---
// A new empty constant in the model's arena; its tensor and file references end with the model.
oq_status oq_constant_new(oq_model *model, oq_constant **out, oq_error *err);
// Its data as a tensor (one new reference; read from the file each time when they are there; sub-byte types
// unpacked). Bytes that do not fit dtype and shape are BAD_MODEL.
oq_status oq_constant_load(oq_mem *mem, const oq_constant *constant, oq_tensor *out, oq_error *err);
uint64_t oq_constant_bytes(const oq_constant *constant); // packed, as in the file

// --- edit ---  (all mark what they touch as changed)
// A name not yet used in this graph or in any graph around or inside it: `base`, then base_2, base_3, ...
oq_status oq_graph_unique_name(oq_graph *graph, const char *base, const char **out, oq_error *err);
// New value without producer; `name` must be new in this graph (error otherwise). Type UNKNOWN.
oq_status oq_graph_add_value(oq_graph *graph, const char *name, oq_value_id *out, oq_error *err);
// New initializer that takes the tensor's reference over, also on failure; the name is made unique from
// `base`.
oq_status oq_graph_add_initializer(oq_graph *graph, const char *base, oq_tensor tensor, oq_value_id *out,
                                   oq_error *err);
oq_status oq_graph_add_node(oq_graph *graph, const char *name, const char *op_type, const char *domain,
                            const oq_value_id *inputs, size_t input_count, const oq_value_id *outputs,
                            size_t output_count, oq_node **out, oq_error *err);
// Appends a value to the graph's inputs, or outputs. An input must have no producer.
oq_status oq_graph_add_input(oq_graph *graph, oq_value_id value, oq_error *err);
oq_status oq_graph_add_output(oq_graph *graph, oq_value_id value, oq_error *err);
// Takes input `index` out of the graph's inputs; the value stays.
void oq_graph_remove_input(oq_graph *graph, size_t index);
// A new empty graph: a body of a node of `parent`, or (NULL) of a function.
oq_status oq_graph_new(oq_model *model, oq_graph *parent, oq_graph **out, oq_error *err);
// The value of `body` that stands for `outer`, a value of body->parent: made at first use with the outer
// value's name and type, and entered into the captures of `owner`, the node of body->parent whose body it is.
oq_status oq_graph_capture(oq_graph *body, oq_node *owner, oq_value_id outer, oq_value_id *out,
                           oq_error *err);
oq_status oq_node_set_int(oq_graph *graph, oq_node *node, const char *name, int64_t value, oq_error *err);
oq_status oq_node_set_float(oq_graph *graph, oq_node *node, const char *name, float value, oq_error *err);
oq_status oq_node_set_string(oq_graph *graph, oq_node *node, const char *name, const char *text,
                             oq_error *err);
oq_status oq_node_set_ints(oq_graph *graph, oq_node *node, const char *name, const int64_t *values,
                           size_t count, oq_error *err);
oq_status oq_node_set_floats(oq_graph *graph, oq_node *node, const char *name, const float *values,
                             size_t count, oq_error *err);
// Takes the tensor's reference over, also on failure.
oq_status oq_node_set_tensor(oq_graph *graph, oq_node *node, const char *name, oq_tensor tensor,
                             oq_error *err);
// Makes `body` (of oq_graph_new with `graph` as parent) the node's.
oq_status oq_node_set_graph(oq_graph *graph, oq_node *node, const char *name, oq_graph *body, oq_error *err);
void oq_node_remove_attr(oq_node *node, const char *name);
// Points input `index` (grown with OQ_NONE as needed) at another value; OQ_NONE leaves it out.
oq_status oq_node_set_input(oq_graph *graph, oq_node *node, size_t index, oq_value_id value, oq_error *err);
// Takes all inputs from `count` on off the node.
oq_status oq_node_keep_inputs(oq_graph *graph, oq_node *node, size_t count, oq_error *err);
// Gives output `index` to another value that has no producer yet; the old value is left without one.
oq_status oq_node_set_output(oq_graph *graph, oq_node *node, size_t index, oq_value_id value, oq_error *err);
// All uses of `from` (also as graph output when `outputs`) become uses of `to`.
oq_status oq_graph_replace_uses(oq_graph *graph, oq_value_id from, oq_value_id to, bool outputs,
                                oq_error *err);
// Takes the node out; its outputs lose their producer. Constants that nobody uses any more go with
// oq_graph_sweep.
void oq_graph_remove_node(oq_graph *graph, oq_node *node);
// Removes initializers, values and nodes (`nodes` true) that no graph output needs, except graph inputs; in
// bodies too, whose captures that nobody uses any more go as well.
oq_status oq_graph_sweep(oq_graph *graph, bool nodes, oq_error *err);
void oq_graph_remove_initializer(oq_graph *graph, oq_value_id value);
// Renames; the new name must be free.
oq_status oq_graph_rename(oq_graph *graph, oq_value_id value, const char *name, oq_error *err);
void oq_graph_touch_value(oq_graph *graph, oq_value_id value); // its type was changed by hand
void oq_graph_touch_node(oq_graph *graph, oq_node *node);

// --- order and check ---
// Live nodes in an order in which every input comes before its use; stable: the order of ids (of the file),
// with producers that would come too late moved ahead of their first consumer. `order` is a block of
// model->mem that the caller frees. A cycle is an error that names its nodes.
oq_status oq_graph_order(const oq_graph *graph, oq_node_id **order, size_t *count, oq_error *err);
// Single assignment, names, no dangling inputs, captures resolved, no cycle, outputs produced; bodies
// included.
oq_status oq_graph_check(const oq_graph *graph, oq_error *err);
// Readable text, one line a node in topological order: `%y:float32[N,10] = Gemm(%x, %w, %b) {transB=1}
// "name"`.
oq_status oq_graph_print(const oq_graph *graph, oq_text *into, oq_error *err);

#endif
