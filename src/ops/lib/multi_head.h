// Attention of com.microsoft (Attention, MultiHeadAttention) on top of lib/attention.h: projections that lie
// side by side, a cache, integer masks, all in float32.
#ifndef OQ_OPS_LIB_MULTI_HEAD_H
#define OQ_OPS_LIB_MULTI_HEAD_H

#include "ops/lib/attention.h"

// Queries, keys or values where they lie: element (batch, position, head, i) is data[batch * of_batch +
// position * of_position + head * of_head + i]; bias [heads * size] is added to it, or NULL.
typedef struct oq_heads {
    const float *data, *bias;
    size_t of_batch, of_position, of_head;
} oq_heads;

typedef struct oq_multi_head {
    size_t batches, heads;
    size_t queries, fresh, cached; // positions of q, of k and v, and of the cache before those
    size_t size, v_size;           // of one head of q and k, of v
    oq_heads q, k, v;
    const float *past_key, *past_value; // [batch, head, cached, size], or NULL
    const oq_tensor *mask; // int32: [batch] lengths, [2 * batch] ends and begins, [batch, keys] or [batch,
                           // queries, keys] with 0 where it forbids; or NULL
    const oq_tensor *bias; // added to the scores, broadcast to [batch, head, query, key]; or NULL
} oq_multi_head;

// Attributes num_heads, scale, unidirectional and mask_filter_value are the node's. Output 0 is [batch,
// query, head * v_size] of `dtype`; *keys and *values are [batch, head, cached + fresh, size] in scratch.
oq_status oq_multi_head_run(oq_run_context *context, const oq_multi_head *m, oq_dtype dtype,
                            const float **keys, const float **values, oq_error *err);

#endif
