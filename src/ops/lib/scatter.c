// Writing updates to places of a copy.
#include "ops/lib/scatter.h"

#include "ops/lib/gather.h"
#include "ops/lib/pick.h"

#include <string.h>

oq_status oq_scatter_reduction_of(const oq_node *node, oq_scatter_reduction *out, oq_error *err) {
    static const char *const names[OQ_SCATTER_REDUCTIONS] = {"none", "add", "mul", "max", "min"};
    const char *text = oq_node_string(node, "reduction", "none");
    for (int k = 0; k < OQ_SCATTER_REDUCTIONS; ++k) {
        *out = (oq_scatter_reduction)k;
        if (!strcmp(text, names[k])) return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "reduction '%.64s' of %s is not known", text, node->op_type);
}

// a = reduction(a, b). NaN wins in max and min, as in the standard's reference.
#define REDUCERS(NAME, TYPE)                                                                                 \
    static void reduce_##NAME(oq_scatter_reduction reduction, TYPE *a, const TYPE *b, size_t n) {            \
        for (size_t i = 0; i < n; ++i) {                                                                     \
            switch (reduction) {                                                                             \
            case OQ_SCATTER_ADD: a[i] = (TYPE)(a[i] + b[i]); break;                                          \
            case OQ_SCATTER_MUL: a[i] = (TYPE)(a[i] * b[i]); break;                                          \
            case OQ_SCATTER_MAX: a[i] = b[i] > a[i] || b[i] != b[i] ? b[i] : a[i]; break;                    \
            case OQ_SCATTER_MIN: a[i] = b[i] < a[i] || b[i] != b[i] ? b[i] : a[i]; break;                    \
            default: a[i] = b[i]; break;                                                                     \
            }                                                                                                \
        }                                                                                                    \
    }
REDUCERS(f32, float)
REDUCERS(f64, double)
REDUCERS(u64, uint64_t)

// Signed integers wrap when added and multiplied, so that is done unsigned.
static void reduce_i64(oq_scatter_reduction reduction, int64_t *a, const int64_t *b, size_t n) {
    if (reduction == OQ_SCATTER_ADD || reduction == OQ_SCATTER_MUL) {
        reduce_u64(reduction, (uint64_t *)a, (const uint64_t *)b, n);
        return;
    }
    for (size_t i = 0; i < n; ++i)
        if (reduction == OQ_SCATTER_MAX ? b[i] > a[i] : b[i] < a[i]) a[i] = b[i];
}

static void reduce_run(oq_dtype dtype, oq_scatter_reduction reduction, void *to, const void *from,
                       size_t run) {
    const size_t element = oq_dtype_bytes(dtype);
    oq_block a, b;
    for (size_t done = 0; done < run; done += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, run - done);
        void *at = oq_at_mutable(to, done, element);
        oq_work_load(dtype, at, &a, n);
        oq_work_load(dtype, oq_at(from, done, element), &b, n);
        switch (oq_work_of(dtype)) {
        case OQ_WORK_F32: reduce_f32(reduction, a.f32, b.f32, n); break;
        case OQ_WORK_F64: reduce_f64(reduction, a.f64, b.f64, n); break;
        case OQ_WORK_I64: reduce_i64(reduction, a.i64, b.i64, n); break;
        default: reduce_u64(reduction, a.u64, b.u64, n); break;
        }
        oq_work_store(dtype, &a, at, n);
    }
}

oq_status oq_scatter(oq_run_context *context, oq_dtype dtype, const oq_mover *m, const unsigned char *updates,
                     const int64_t *offsets, size_t count, size_t run, oq_scatter_reduction reduction,
                     oq_error *err) {
    if (reduction == OQ_SCATTER_NONE) {
        oq_put_runs(m->to, updates, offsets, count, run, m->element);
        return ONNXQ_OK;
    }
    if (oq_work_of(dtype) == OQ_WORK_NONE) return oq_no_loop(context, dtype, err);
    for (size_t k = 0; k < count; ++k)
        reduce_run(dtype, reduction, m->to + (size_t)offsets[k] * m->element, updates + k * run * m->element,
                   run);
    return ONNXQ_OK;
}

oq_status oq_run_scatter_elements(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices, *updates;
    const int64_t *picks;
    size_t count;
    int axis;
    oq_scatter_reduction reduction;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(oq_need(context, 2, &updates, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), data->shape.rank, &axis, err));
    OQ_TRY(oq_scatter_reduction_of(context->node, &reduction, err));
    if (!oq_shape_equal(&indices->shape, &updates->shape))
        return oq_fail(err, ONNXQ_BAD_MODEL, "indices and updates of %s have different shapes",
                       context->node->op_type);
    OQ_TRY(oq_list_of(context, indices, &picks, &count, err));
    int64_t *offsets = oq_scratch(context, count * sizeof *offsets, err);
    if (!offsets) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_element_offsets(context, &data->shape, &indices->shape, axis, picks, offsets, err));
    const oq_tensor *sources[2] = {data, updates};
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &data->shape, sources, 2, err));
    const size_t bytes = (size_t)oq_tensor_count(data) * m.element;
    if (bytes) memcpy(m.to, m.from[0], bytes);
    OQ_TRY(oq_scatter(context, data->dtype, &m, m.from[1], offsets, count, 1, reduction, err));
    return oq_mover_close(&m, err);
}
