// Order among elements of any type: keys that compare as unsigned integers, and a stable sort.
#ifndef OQ_OPS_LIB_ORDER_H
#define OQ_OPS_LIB_ORDER_H

#include "ops/lib/work.h"

// keys[i] orders as element i does: NaN above all, -0 equal to 0. `count` elements of a dtype with a working
// type.
void oq_order_keys(oq_dtype dtype, const void *elements, uint64_t *keys, size_t count);

// Sorts ids stably; `before(self, a, b)` says that a comes before b. `spare` has room for as many ids.
void oq_order_sort(int64_t *ids, int64_t *spare, size_t count,
                   bool (*before)(void *self, int64_t a, int64_t b), void *self);

#endif
