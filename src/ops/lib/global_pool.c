// Global pools: every channel's image becomes one number.
#include "ops/lib/global_pool.h"

#include "ops/lib/array.h"
#include "ops/lib/infer.h"

typedef struct state {
    const oq_global_pool *pool;
    oq_work_type work;
    size_t plane; // elements
} state;

static void visit(void *self, size_t plane, const void *x, void *y) {
    const state *s = self;
    (void)plane;
    if (s->work == OQ_WORK_F32) {
        *(float *)y = s->pool->f32(x, s->plane, s->pool->p);
    } else {
        *(double *)y = s->pool->f64(x, s->plane, s->pool->p);
    }
}

oq_status oq_global_pool_run(oq_run_context *context, const oq_global_pool *pool, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    if (x->shape.rank < 2) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "a global pool needs images and channels, not rank %d",
                       x->shape.rank);
    }
    oq_shape shape = x->shape;
    for (int i = 2; i < shape.rank; i++) shape.dim[i] = 1;
    state s = {.pool = pool,
               .work = oq_dtype_info(x->dtype)->work,
               .plane = (size_t)oq_shape_range_count(&x->shape, 2, x->shape.rank)};
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    const oq_planes planes = {.work = s.work,
                              .x = x,
                              .y = y,
                              .count = (size_t)oq_tensor_count(y),
                              .x_plane = s.plane,
                              .y_plane = 1,
                              .visit = visit,
                              .self = &s};
    return oq_planes_run(context, &planes, err);
}

oq_status oq_global_pool_infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    if (!x) return ONNXQ_OK;
    if (x->rank == 0 || x->rank == 1) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "a global pool needs images and channels, not rank %d", x->rank);
    }
    oq_type out = *x;
    for (int i = 2; i < x->rank; i++) out.dim[i] = oq_dim_of(1);
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}
