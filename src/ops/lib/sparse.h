// Sparse tensors made dense.
#ifndef OQ_OPS_LIB_SPARSE_H
#define OQ_OPS_LIB_SPARSE_H

#include "graph/graph.h"

// New dense tensor; indices are linear, or tuples of one index per axis. Indices outside are an error.
oq_status oq_sparse_load(oq_mem *mem, const oq_sparse *sparse, oq_tensor *out, oq_error *err);

#endif
