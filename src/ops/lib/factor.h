// The right-hand factor of a product: constant matrices are packed once, others per call.
#ifndef OQ_OPS_LIB_FACTOR_H
#define OQ_OPS_LIB_FACTOR_H

#include "ops/lib/product.h"

// `count` float matrices [k, n] (or [n, k] when transposed), one after the other, from a constant tensor of
// any float dtype of at most 32 bits: packed in context->mem, the state of the node.
oq_status oq_factor_pack(oq_run_context *context, const oq_tensor *b, size_t count, size_t k, size_t n,
                         bool transposed, oq_packed **out, oq_error *err);

// The same for one-byte integers and the 8-bit kernel.
oq_status oq_factor_pack_8(oq_run_context *context, const oq_tensor *b, size_t count, size_t k, size_t n,
                           bool transposed, oq_packed **out, oq_error *err);

#endif
