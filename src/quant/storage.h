// Weight-only quantization: constant weights are stored as integers and become floats again in front of the
// node that reads them; of tables (embeddings) the rows that Gather looked up become floats behind it. All
// else stays as it is. In other modes than weight-only, only tables are stored.
//
//     prepared graph -> find: which inputs of which nodes are weights, and what each constant is cut into
//                    -> make: parameters and integers of each
//                    -> emit: initializers and DequantizeLinear
#ifndef OQ_QUANT_STORAGE_H
#define OQ_QUANT_STORAGE_H

#include "grid/layout.h"
#include "quant/quant.h"

// One constant that is stored as integers, for all who read it in the same way.
typedef struct oq_stored {
    oq_value_id value; // the float constant
    bool table;        // read by Gather row by row; has a scale for each row
    const oq_constant *constant;
    oq_shape shape; // of the integers: the constant's, or [M, all the rest] of a convolution in groups
    int reduction;  // axis along which a matrix is summed; -1: none, or a convolution
    oq_granularity granularity;
    oq_layout layout;
    oq_shape params_shape; // of scales and zero points, as DequantizeLinear takes them
    bool symmetric;        // zero points are all the grid's zero
    oq_grid grid;
    oq_dtype carrier;
    oq_qparam *params; // [oq_layout_params(&layout)]
    oq_tensor q;       // integers
    oq_value_id tied;  // the integers that a layer of a plan has of it: they become its transpose; or OQ_NONE
    const char *dropped; // why it stays float after all, or NULL
} oq_stored;

// One node with weights, or one that would have some: a row of the report.
typedef struct oq_stored_use {
    oq_node_id node;
    oq_node_id reader;  // that node, or the Transpose before it
    size_t input;       // of the reader
    bool rows;          // looks rows of a table up
    bool transposed;    // the reader wants the transpose of what is stored
    size_t stored;      // index, when `reason` is NULL
    const char *reason; // why nothing is stored for this node
} oq_stored_use;

// A bias that makes up for what the weights lose in the mean: of a Conv or Gemm, as its input 2.
typedef struct oq_stored_bias {
    oq_node_id node;
    const float *bias; // [count]
    size_t count;
} oq_stored_bias;

typedef struct oq_storage {
    oq_mem *mem;
    oq_arena arena;
    oq_graph *graph;
    const oq_stats *stats; // while it is made; or NULL
    oq_quant_options options;
    oq_stored *items;
    size_t count, capacity;
    oq_stored_use *uses; // tables, then weights, in the order of the graph
    size_t use_count, use_capacity;
    oq_stored_bias *biases; // [bias_count]
    size_t bias_count;
    bool rounded; // by samples, and kept
} oq_storage;

// Fills items and uses of a new one; the rest of them comes with oq_storage_make.
oq_status oq_storage_find(oq_storage *storage, oq_error *err);
// The least opset of ai.onnx in which this graph's weights can be written as `options` say.
oq_status oq_storage_opset(oq_graph *graph, const oq_quant_options *options, int64_t *opset, oq_error *err);
// Whether there is anything that `options` would store.
oq_status oq_storage_any(oq_graph *graph, const oq_quant_options *options, bool *any, oq_error *err);
// What there is to store, without parameters and integers.
oq_status oq_storage_list(oq_graph *graph, const oq_quant_options *options, oq_storage **out, oq_error *err);
// Decides and computes everything. `graph` is the main graph, prepared and of that opset; it is not changed
// and must outlive the result. Errors: USAGE when options contradict each other.
// `stats` may be NULL; else weights whose inputs' channels it knows are rounded with the least error where
// those are large.
oq_status oq_storage_make(oq_graph *graph, const oq_stats *stats, const oq_quant_options *options,
                          oq_storage **out, oq_error *err);
// Behind the emission of `plan` into the storage's graph: tables that are also a layer's weights take that
// layer's integers, where they are the same numbers, so that emission writes them once.
oq_status oq_storage_tie(oq_storage *storage, const oq_plan *plan, oq_error *err);
void oq_storage_free(oq_storage *storage); // NULL is allowed
// Writes it into the graph that it was made for, or into its unchanged clone; the rows and sizes stay
// readable.
oq_status oq_storage_emit(const oq_storage *storage, oq_graph *graph, oq_error *err);

// --- improving it by looking at data ---
// The products of the stored weights as the layers of a plan that carries no activation as integers, for
// tune/ to change their weights (edit.h): matrices and convolutions, of weights that one layer alone reads.
// It is never emitted; the storage must outlive it.
oq_status oq_storage_plan(const oq_storage *storage, oq_plan **out, oq_error *err);
// Why the weights of a use that is stored keep the nearest integers whatever samples say; NULL: they need
// not.
const char *oq_storage_nearest(const oq_storage *storage, const oq_stored_use *use);
// Makes weights and biases those of the plan, as they are now.
oq_status oq_storage_adopt(oq_storage *storage, const oq_plan *plan, oq_error *err);

// Whether its zero points must be written: DequantizeLinear takes 0 for those left out.
static inline bool oq_stored_has_zeros(const oq_stored *stored) {
    return !stored->grid.is_signed || !stored->symmetric;
}
// Bytes of one constant in the file: as it was, and as integers with their parameters; integers that are a
// layer's, too, count there.
uint64_t oq_stored_bytes_before(const oq_stored *stored);
uint64_t oq_stored_bytes_after(const oq_stored *stored);

#endif
