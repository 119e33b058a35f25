// TensorScatter: writes new steps into a cache, per sample at its own place, around the end when circular.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status check(oq_run_context *context, const oq_tensor *cache, const oq_tensor *update, int axis,
                       size_t starts, oq_error *err) {
    bool fits = cache->shape.rank == update->shape.rank && axis >= 1;
    for (int d = 0; fits && d < cache->shape.rank; ++d)
        fits = d == axis ? update->shape.dim[d] <= cache->shape.dim[d]
                         : update->shape.dim[d] == cache->shape.dim[d];
    if (fits && (!starts || (int64_t)starts == cache->shape.dim[0])) return ONNXQ_OK;
    char a[128], b[128];
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of cache %s, update %s and %zu write indices does not fit",
                   context->node->op_type, oq_shape_format(&cache->shape, a, sizeof a),
                   oq_shape_format(&update->shape, b, sizeof b), starts);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *cache, *update;
    const int64_t *starts;
    size_t start_count;
    int axis;
    OQ_TRY(oq_need(context, 0, &cache, err));
    OQ_TRY(oq_need(context, 1, &update, err));
    OQ_TRY(oq_list_input(context, 2, &starts, &start_count, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", -2), cache->shape.rank, &axis, err));
    OQ_TRY(check(context, cache, update, axis, start_count, err));
    const bool circular = !strcmp(oq_node_string(context->node, "mode", "linear"), "circular");
    const oq_tensor *sources[2] = {cache, update};
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &cache->shape, sources, 2, err));
    const int64_t room = cache->shape.dim[axis], steps = update->shape.dim[axis];
    const size_t run = (size_t)oq_shape_range_count(&cache->shape, axis + 1, cache->shape.rank) * m.element;
    const int64_t prefixes = oq_shape_range_count(&cache->shape, 0, axis);
    const int64_t per_batch = oq_shape_range_count(&cache->shape, 1, axis);
    const size_t bytes = (size_t)oq_tensor_count(cache) * m.element;
    if (bytes) memcpy(m.to, m.from[0], bytes);
    for (int64_t p = 0; run && steps && p < prefixes; ++p) {
        int64_t start = starts ? starts[p / per_batch] : 0;
        if (circular && start > 0) start %= room;
        if (start < 0 || (!circular && start > room - steps))
            return oq_fail(err, ONNXQ_BAD_DATA, "write index %lld of %s is out of range for size %lld",
                           (long long)start, context->node->op_type, (long long)room);
        const int64_t first = steps < room - start ? steps : room - start; // steps before the end
        unsigned char *to = m.to + (size_t)(p * room) * run;
        const unsigned char *from = m.from[1] + (size_t)(p * steps) * run;
        memcpy(to + (size_t)start * run, from, (size_t)first * run);
        memcpy(to, from + (size_t)first * run, (size_t)(steps - first) * run);
    }
    return oq_mover_close(&m, err);
}

static const oq_op_version versions[] = {
    {.since = 24,
     .signature = "past_cache:T, update:T, write_indices?:int64 -> present_cache:T",
     .types = OQ_TYPES({"T", OQ_T_ALL24}),
     .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"mode", OQ_ATTR_STRING, false}),
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(TensorScatter, versions);
