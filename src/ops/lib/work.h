// Blocks of elements in the four working types, and loops over ranges: what all elementwise families share.
#ifndef OQ_OPS_LIB_WORK_H
#define OQ_OPS_LIB_WORK_H

#include "ops/ops.h"

#define OQ_WORK_COUNT (OQ_WORK_U64 + 1)
#define OQ_BLOCK      256 // elements that are converted at a time

// Room for one block of any working type, or of complex128.
typedef union oq_block {
    float f32[OQ_BLOCK];
    double f64[OQ_BLOCK];
    int64_t i64[OQ_BLOCK];
    uint64_t u64[OQ_BLOCK];
    unsigned char bytes[16 * OQ_BLOCK];
} oq_block;

// The working type of a dtype for operators: the trait's own, and U64 for bool. NONE for strings and complex.
oq_work_type oq_work_of(oq_dtype dtype);
size_t oq_work_bytes(oq_work_type work);
// True when elements in memory are already in the working type (float32, float64, int64, uint64).
bool oq_work_is_native(oq_dtype dtype);
// `count` elements between memory of `dtype` and its working type.
void oq_work_load(oq_dtype dtype, const void *from, void *into, size_t count);
void oq_work_store(oq_dtype dtype, const void *from, void *into, size_t count);
// The same with any working type that can hold them (integers as float64, float32 as double).
void oq_work_load_as(oq_work_type work, oq_dtype dtype, const void *from, void *into, size_t count);
void oq_work_store_as(oq_work_type work, oq_dtype dtype, const void *from, void *into, size_t count);

// Float to integer towards zero; out of range goes to the nearest end, NaN to 0: defined on every machine.
static inline int64_t oq_to_i64(double x) {
    return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x;
}
static inline uint64_t oq_to_u64(double x) { return !(x > 0) ? 0 : x >= 0x1p64 ? UINT64_MAX : (uint64_t)x; }

// The same address `index` elements further.
static inline const void *oq_at(const void *data, size_t index, size_t element_bytes) {
    return (const unsigned char *)data + index * element_bytes;
}
static inline void *oq_at_mutable(void *data, size_t index, size_t element_bytes) {
    return (unsigned char *)data + index * element_bytes;
}
static inline size_t oq_min_size(size_t a, size_t b) { return a < b ? a : b; }

// work(self, from, to) over [0, count) in pieces of `grain`, on the threads of `pool` when there is one. The
// pieces must be independent of each other.
typedef void (*oq_range_work)(void *self, size_t from, size_t to);
oq_status oq_ranges(oq_pool *pool, size_t count, size_t grain, oq_range_work work, void *self, oq_error *err);
#define OQ_GRAIN 65536 // elements of a cheap elementwise function that pay for one hand-over to a thread

// Input `i` as a tensor, or an error that says which one is missing.
oq_status oq_need(const oq_run_context *context, size_t i, const oq_tensor **out, oq_error *err);
// The error of a kernel that has no loop for a dtype.
oq_status oq_no_loop(const oq_run_context *context, oq_dtype dtype, oq_error *err);

#endif
