// Scaled dot product attention over heads: softmax(q k' * scale + bias) v.
#ifndef OQ_OPS_LIB_ATTENTION_H
#define OQ_OPS_LIB_ATTENTION_H

#include "ops/lib/product.h"

// All arrays are of the working type.
typedef struct oq_attention {
    oq_work_type work;
    size_t batches, q_heads, kv_heads;
    size_t queries, keys; // positions; keys with the cached ones
    size_t size, v_size;  // of one head of q and k, of v
    size_t cached;        // keys before the first query's own
    bool flat;            // q and y are [batch, position, head * size], not [batch, head, position, size]
    double scale, softcap;
    bool causal;
    int64_t left, right;  // width of the window behind and ahead of a query, -1 = unbounded
    const int64_t *valid; // [batches] keys that are not padding, or NULL
    const void *q;
    const void *k, *v;      // [batch, kv head, key, size]
    const void *mask;       // added to the scores, -inf where it forbids; or NULL
    int64_t mask_stride[4]; // over [batch, head, query, key], 0 along broadcast axes
    size_t mask_keys;       // keys that the mask covers; the others are forbidden
    void *y;
    int mode;        // what `seen` receives: 0 products, 1 after softcap, 2 with bias, 3 probabilities
    oq_tensor *seen; // [batch, head, query, key], or NULL
} oq_attention;

oq_status oq_attention_run(oq_run_context *context, const oq_attention *a, oq_error *err);

#endif
