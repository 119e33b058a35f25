// Static types of values: kind, element type, symbolic shape.
#ifndef OQ_GRAPH_TYPE_H
#define OQ_GRAPH_TYPE_H

#include "base/arena.h"
#include "base/text.h"
#include "tensor/tensor.h"

// One dimension: known (size >= 0), named (size -1, symbol: interned in the model, so equal names are equal
// pointers), or anonymous (size -1, symbol NULL; equal to nothing, not even to itself).
typedef struct oq_dim {
    int64_t size;
    const char *symbol;
} oq_dim;

#define OQ_DIM_ANONYMOUS ((oq_dim){.size = -1})
static inline oq_dim oq_dim_of(int64_t size) { return (oq_dim){.size = size}; }
static inline bool oq_dim_known(oq_dim dim) { return dim.size >= 0; }
// Provably the same: both known and equal, or the same symbol.
static inline bool oq_dim_same(oq_dim a, oq_dim b) {
    return a.size >= 0 ? a.size == b.size : b.size < 0 && a.symbol && a.symbol == b.symbol;
}

typedef enum oq_type_kind {
    OQ_TYPE_UNKNOWN,
    OQ_TYPE_TENSOR,
    OQ_TYPE_SPARSE,
    OQ_TYPE_SEQUENCE,
    OQ_TYPE_OPTIONAL,
    OQ_TYPE_MAP
} oq_type_kind;

// Plain value; `elem` points into the model's arena.
typedef struct oq_type {
    oq_type_kind kind;
    oq_dtype dtype; // TENSOR, SPARSE: elements, UNDEFINED = unknown; MAP: keys
    int rank;       // TENSOR, SPARSE: -1 = unknown
    oq_dim dim[OQ_MAX_RANK];
    const struct oq_type *elem; // SEQUENCE, OPTIONAL: content; MAP: values
} oq_type;

oq_type oq_type_tensor(oq_dtype dtype, int rank, const oq_dim *dims); // dims NULL: all anonymous
bool oq_type_static(const oq_type *type, oq_shape *shape); // true when every size is known; fills shape
// "float32[N,3,224,?]", "seq(float32[?])" appended.
void oq_type_format(const oq_type *type, oq_text *into);
// Takes from `more` what `type` does not know yet; a contradiction (dtype, rank, known sizes) is an error
// naming `tensor`.
oq_status oq_type_merge(oq_type *type, const oq_type *more, const char *tensor, oq_error *err);

#endif
