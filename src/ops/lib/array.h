// Whole tensors as dense arrays of their working type: native ones uncopied, the others through scratch.
#ifndef OQ_OPS_LIB_ARRAY_H
#define OQ_OPS_LIB_ARRAY_H

#include "ops/lib/work.h"

// Scratch for `count` elements of `size` bytes; the product is checked.
oq_status oq_scratch_array(oq_run_context *context, size_t count, size_t size, void **out, oq_error *err);
// All elements of `tensor` as the working type: its own data when that is native, else a converted copy.
oq_status oq_array_in(oq_run_context *context, const oq_tensor *tensor, oq_work_type work, const void **out,
                      oq_error *err);

// Copies elements of `size` bytes (those of working types) at these strides, in the order of `onto`.
void oq_array_gather(const void *from, const int64_t *strides, const oq_shape *onto, size_t size, void *into);
// As oq_array_in, broadcast to `onto`; an error when it does not broadcast.
oq_status oq_array_expand(oq_run_context *context, const oq_tensor *tensor, const oq_shape *onto,
                          oq_work_type work, const void **out, oq_error *err);

// An output that is computed in a working type.
typedef struct oq_array_target {
    oq_work_type work;
    oq_tensor *tensor;
    void *data; // the tensor's own elements, or scratch that oq_array_finish converts
} oq_array_target;
oq_status oq_array_out(oq_run_context *context, size_t i, oq_dtype dtype, const oq_shape *shape,
                       oq_work_type work, oq_array_target *out, oq_error *err);
void oq_array_finish(const oq_array_target *target);

// Planes: x seen as `count` planes of `x_plane` elements, y as as many of `y_plane`. Calls visit(self, i,
// ...) for each with both in the working type; planes of other dtypes pass through one plane of scratch.
typedef struct oq_planes {
    oq_work_type work;
    const oq_tensor *x;
    oq_tensor *y;
    size_t count, x_plane, y_plane;
    void (*visit)(void *self, size_t plane, const void *x, void *y);
    void *self;
} oq_planes;
oq_status oq_planes_run(oq_run_context *context, const oq_planes *planes, oq_error *err);

#endif
