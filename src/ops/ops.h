// Operators: one table entry each, {schema, shape inference, kernel, upgrade} per version.
//
// src/ops/<domain>/<name>.c exports one `const oq_op oq_op_<domain>_<Name>` (dots of the domain as
// underscores: `oq_op_ai_onnx_MatMul` in src/ops/ai.onnx/MatMul.c); the build collects them. Helpers of
// families are in src/ops/lib.
#ifndef OQ_OPS_OPS_H
#define OQ_OPS_OPS_H

#include "base/pool.h"
#include "graph/graph.h"

// --- type sets of schemas: one bit per dtype (tensors), then bits for whole kinds ---
#define OQ_T(name)         (UINT64_C(1) << ONNXQ_##name)
#define OQ_T_FLOAT32       OQ_T(FLOAT)
#define OQ_T_FLOATS3       (OQ_T(FLOAT16) | OQ_T(FLOAT) | OQ_T(DOUBLE)) // the floats of opset 1..12
#define OQ_T_FLOATS4       (OQ_T_FLOATS3 | OQ_T(BFLOAT16))
#define OQ_T_INTS_SIGNED   (OQ_T(INT8) | OQ_T(INT16) | OQ_T(INT32) | OQ_T(INT64))
#define OQ_T_INTS_UNSIGNED (OQ_T(UINT8) | OQ_T(UINT16) | OQ_T(UINT32) | OQ_T(UINT64))
#define OQ_T_INTS          (OQ_T_INTS_SIGNED | OQ_T_INTS_UNSIGNED)
#define OQ_T_INDEX         (OQ_T(INT32) | OQ_T(INT64))
#define OQ_T_NUMERIC3      (OQ_T_INTS | OQ_T_FLOATS3)
#define OQ_T_NUMERIC4      (OQ_T_INTS | OQ_T_FLOATS4)
#define OQ_T_COMPLEX       (OQ_T(COMPLEX64) | OQ_T(COMPLEX128))
#define OQ_T_FLOAT8        (OQ_T(FLOAT8E4M3FN) | OQ_T(FLOAT8E4M3FNUZ) | OQ_T(FLOAT8E5M2) | OQ_T(FLOAT8E5M2FNUZ))
// All tensor types as the standard lists them in a given range of opsets.
#define OQ_T_ALL1     (OQ_T_NUMERIC3 | OQ_T_COMPLEX | OQ_T(STRING) | OQ_T(BOOL)) // until 12
#define OQ_T_ALL13    (OQ_T_ALL1 | OQ_T(BFLOAT16))                               // 13..18
#define OQ_T_ALL19    (OQ_T_ALL13 | OQ_T_FLOAT8)                                 // 19, 20 (IR 9)
#define OQ_T_ALL21    (OQ_T_ALL19 | OQ_T(UINT4) | OQ_T(INT4))                    // 21, 22 (IR 10)
#define OQ_T_ALL23    (OQ_T_ALL21 | OQ_T(FLOAT4E2M1))                            // 23 (IR 11)
#define OQ_T_ALL24    (OQ_T_ALL23 | OQ_T(FLOAT8E8M0))                            // 24 (IR 12)
#define OQ_T_ALL25    (OQ_T_ALL24 | OQ_T(UINT2) | OQ_T(INT2))                    // 25 (IR 13)
#define OQ_T_ALL28    (OQ_T_ALL25 | OQ_T(FLOAT6E2M3) | OQ_T(FLOAT6E3M2))         // 28 (IR 14)
#define OQ_T_SEQUENCE (UINT64_C(1) << 40)
#define OQ_T_OPTIONAL (UINT64_C(1) << 41)
#define OQ_T_MAP      (UINT64_C(1) << 42)
#define OQ_T_ANY      UINT64_MAX

typedef struct oq_type_set {
    const char *variable; // "T"
    uint64_t allowed;
} oq_type_set;

typedef struct oq_attr_spec {
    const char *name;
    oq_attr_kind kind;
    bool required;
} oq_attr_spec;

typedef struct oq_infer_context oq_infer_context;
typedef struct oq_run_context oq_run_context;
typedef struct oq_upgrade_context oq_upgrade_context;

typedef struct oq_op_version {
    int since; // opset of the domain from which this version holds
    // "X:T, W:T, B?:T -> Y:T": ? may be left out, * any number (0 or more), + one or more, ~ behind * or +
    // when the types may differ from each other ("inputs*~:V"). A type is a variable of `types` or a dtype's
    // name ("int64").
    const char *signature;
    const oq_type_set *types;  // ended by {0}; NULL when the signature names no variable
    const oq_attr_spec *attrs; // ended by {0}; NULL = none
    // Fills what can be known of the outputs. NULL: only output dtypes that a type variable gives.
    oq_status (*infer)(oq_infer_context *context, oq_error *err);
    // Computes the outputs. NULL: this version cannot be run.
    oq_status (*run)(oq_run_context *context, oq_error *err);
    // Optional: work on constant inputs done once per program (packed weights). The state is read-only during
    // runs.
    oq_status (*prepare)(oq_run_context *context, void **state, oq_error *err);
    void (*release)(oq_mem *mem, void *state);
    // Inputs (bit i for input i) of which `run` reads dtype and shape only once there is a state: the program
    // lets go of constants that nobody else reads.
    unsigned spent;
    // Rewrites a node of the version before this one to this one. NULL: nothing to do but the number.
    oq_status (*upgrade)(oq_upgrade_context *context, oq_error *err);
    // Whether this node draws random numbers, for operators that only some nodes of do. NULL: as the flags
    // say.
    bool (*random)(oq_graph *graph, const oq_node *node);
    // Multiply-accumulates of one run, unknown sizes counted as 1. NULL: not a product, none.
    uint64_t (*macs)(const oq_graph *graph, const oq_node *node);
} oq_op_version;

// How an operator is random, needs bodies, etc.
typedef enum oq_op_flags { OQ_OP_PLAIN = 0, OQ_OP_RANDOM = 1, OQ_OP_BODY = 2 } oq_op_flags;

typedef struct oq_op {
    const char *domain; // "" for ai.onnx
    const char *name;
    const oq_op_version *versions; // rising since
    size_t version_count;
    unsigned flags;
} oq_op;

#define OQ_OP(DOMAIN_ID, NAME, DOMAIN, VERSIONS, FLAGS)                                                      \
    extern const oq_op oq_op_##DOMAIN_ID##_##NAME;                                                           \
    const oq_op oq_op_##DOMAIN_ID##_##NAME = {.domain = (DOMAIN),                                            \
                                              .name = #NAME,                                                 \
                                              .versions = (VERSIONS),                                        \
                                              .version_count = sizeof(VERSIONS) / sizeof((VERSIONS)[0]),     \
                                              .flags = (FLAGS)}
// Last line of every file in src/ops/ai.onnx: OQ_ONNX_OP(MatMul, versions);
#define OQ_ONNX_OP(NAME, VERSIONS) OQ_OP(ai_onnx, NAME, "", VERSIONS, OQ_OP_PLAIN)
// The same in src/ops/com.microsoft: operators of ONNX Runtime, all of version 1.
#define OQ_MICROSOFT_OP(NAME, VERSIONS) OQ_OP(com_microsoft, NAME, "com.microsoft", VERSIONS, OQ_OP_PLAIN)

// --- the table ---
extern const oq_op *const oq_op_table[]; // generated; ended by NULL; sorted by domain, name
const oq_op *oq_op_find(const char *domain, const char *name);
// The version that holds at `opset`, or NULL when the operator is younger.
const oq_op_version *oq_op_at(const oq_op *op, int64_t opset);
// The version that holds for a node in its model, or NULL with the operator unknown (then *op is NULL) or too
// young.
const oq_op_version *oq_op_of_node(const oq_model *model, const oq_node *node, const oq_op **op);
// Whether a node may give other results for the same inputs; true when its operator is unknown.
bool oq_op_is_random(oq_graph *graph, const oq_node *node);
// Version that holds for `domain` in this graph: its function's own imports inside a local function, else the
// model's; 0 when it is not imported.
int64_t oq_graph_opset(const oq_graph *graph, const char *domain);
// The local function that a node calls, or NULL when it calls none.
const oq_function *oq_function_of_node(const oq_model *model, const oq_node *node);

// --- shape inference ---
struct oq_infer_context {
    oq_model *model; // for its arena and symbols
    oq_graph *graph;
    const oq_node *node;
    int64_t opset;
    size_t input_count, output_count;
    const oq_type *const *in;         // [input_count], NULL = left out
    const oq_tensor *const *in_const; // [input_count] known data, or NULL
    // [input_count] elements of an integer tensor of rank 0 or 1 known as dimensions (from Shape arithmetic),
    // or NULL.
    const oq_dim *const *in_dims;
    const size_t *in_dims_count;
    oq_type *out;      // [output_count] kind UNKNOWN until filled
    oq_dim **out_dims; // [output_count] the same for outputs: arena arrays, set when known
    size_t *out_dims_count;
    // Infers the bodies: types of the graph's inputs in, of its outputs out. For If, Loop, Scan.
    oq_status (*infer_graph)(oq_infer_context *context, oq_graph *body, const oq_type *inputs, size_t count,
                             oq_error *err);
};

// --- running ---
// What a kernel sees. Tensors in `in` belong to the caller. Outputs are made by oq_out / oq_out_view /
// oq_out_take.
struct oq_run_context {
    const oq_node *node;
    const oq_op_version *version;
    int64_t opset;
    oq_mem *mem; // for what outlives the node; scratch is better for the rest
    size_t input_count, output_count;
    const oq_value *const *in; // [input_count], NULL = left out
    const bool *in_dies;    // [input_count] nobody reads this value after the node, and no observer holds it
    oq_value *out;          // [output_count]
    const bool *out_wanted; // [output_count] somebody reads it
    const oq_value *const *captures; // [node->capture_count]
    void *state;                     // from prepare, or NULL
    oq_pool *pool;                   // threads inside one node, or NULL (usual)
    bool saturate_pairs; // sums of two uint8 x int8 products saturate in 16 bits (see oq_program_options)
    void *worker;        // the executor's own
    // Memory of a new buffer for an output (from the worker's pool).
    oq_status (*new_buffer)(oq_run_context *context, size_t bytes, oq_buffer **out, oq_error *err);
    // Scratch, undefined contents, 64-byte aligned, valid until the kernel returns; several calls give
    // several blocks.
    void *(*new_scratch)(oq_run_context *context, size_t bytes, oq_error *err);
    // Runs a body of this node; outputs get references that the caller gives back.
    oq_status (*run_graph)(oq_run_context *context, const oq_graph *body, const oq_value *inputs,
                           size_t input_count, oq_value *outputs, size_t output_count, oq_error *err);
};

// Tensor input `i`, or NULL when it is left out or not that many are given.
static inline const oq_tensor *oq_in(const oq_run_context *context, size_t i) {
    return i < context->input_count && context->in[i] && context->in[i]->kind == OQ_VALUE_TENSOR
               ? &context->in[i]->tensor
               : NULL;
}
static inline bool oq_wanted(const oq_run_context *context, size_t i) {
    return i < context->output_count && context->out_wanted[i];
}
// New output tensor with undefined contents; *out is where it is kept (valid while the kernel runs).
oq_status oq_out(oq_run_context *context, size_t i, oq_dtype dtype, const oq_shape *shape, oq_tensor **out,
                 oq_error *err);
// The same, reusing the memory of input `from` when that dies here, owns its bytes alone and they fit: for
// kernels that read each element before they write it at the same place.
oq_status oq_out_reuse(oq_run_context *context, size_t i, size_t from, oq_dtype dtype, const oq_shape *shape,
                       oq_tensor **out, oq_error *err);
// Output that shares the bytes of `source` under another shape of as many elements (Reshape, Identity, ...).
oq_status oq_out_view(oq_run_context *context, size_t i, const oq_tensor *source, const oq_shape *shape,
                      oq_error *err);
void oq_out_take(oq_run_context *context, size_t i, oq_value value); // takes the reference over
void *oq_scratch(oq_run_context *context, size_t bytes, oq_error *err);

// --- upgrading ---
struct oq_upgrade_context {
    oq_graph *graph;
    oq_node *node;
    int64_t from, to; // opset versions of the domain
};

// --- drivers over a graph ---
// Every node known, in arity, attribute names and kinds, types; unknown domains are allowed when `strict` is
// false.
oq_status oq_check_graph(oq_graph *graph, bool strict, oq_error *err);
// Fills types of all values as far as they follow from inputs and constants; contradictions with what the
// file declares are errors. Bodies and local functions included.
oq_status oq_infer_graph(oq_graph *graph, oq_error *err);
// Multiply-accumulates of one node by its operator's `macs`, for the shapes known to inference, unknown sizes
// counted as 1; 0 for operators that are no products.
uint64_t oq_op_macs(const oq_graph *graph, const oq_node *node);
// Marks the values whose size computed numbers decide (NonMaxSuppression, NonZero, Compress, Unique, control
// flow, and what is made of their results): two models that differ by rounding need not give as many elements
// there. `varies` [graph->value_count] is overwritten. Wants inferred types.
oq_status oq_graph_varying(const oq_graph *graph, bool *varies, oq_error *err);

#endif
