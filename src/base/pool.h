// A thread pool: n independent items over a fixed number of threads; the lowest failing item wins.
#ifndef OQ_BASE_POOL_H
#define OQ_BASE_POOL_H

#include "base/mem.h"

typedef struct oq_pool oq_pool;

// Work on item `index` by worker `worker` (0 .. threads-1; a worker runs one item at a time).
typedef oq_status (*oq_work)(void *self, size_t index, size_t worker, oq_error *err);

// `threads` 0 = the number of processors this process may use. One thread means no thread is started.
oq_status oq_pool_new(oq_mem *mem, size_t threads, oq_pool **out, oq_error *err);
void oq_pool_free(oq_pool *pool);            // NULL is allowed
size_t oq_pool_threads(const oq_pool *pool); // 1 for NULL
// Runs work(self, 0..count-1) and waits. Items are taken in rising order; after a failure no later item is
// begun, and the error of the lowest failing index is returned whatever the timing. A NULL pool runs
// everything in the caller.
oq_status oq_pool_run(oq_pool *pool, size_t count, oq_work work, void *self, oq_error *err);

#endif
