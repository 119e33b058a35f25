// Joining tensors along one axis.
#include "ops/lib/concat.h"
#include "ops/lib/infer.h"
#include "ops/lib/mover.h"

#include <string.h>

static oq_status joined_shape(const oq_tensor *const *parts, size_t count, int axis, oq_shape *shape,
                              oq_error *err) {
    *shape = parts[0]->shape;
    for (size_t i = 1; i < count; ++i) {
        const oq_shape *part = &parts[i]->shape;
        bool fits = part->rank == shape->rank;
        for (int d = 0; fits && d < shape->rank; ++d) fits = d == axis || part->dim[d] == shape->dim[d];
        if (!fits) {
            char a[128], b[128];
            return oq_fail(err, ONNXQ_BAD_MODEL, "shapes %s and %s do not join along axis %d",
                           oq_shape_format(&parts[0]->shape, a, sizeof a), oq_shape_format(part, b, sizeof b),
                           axis);
        }
        if (!oq_add_i64(shape->dim[axis], part->dim[axis], &shape->dim[axis]))
            return oq_fail(err, ONNXQ_BAD_MODEL, "sizes along axis %d are too large to be joined", axis);
    }
    return ONNXQ_OK;
}

oq_status oq_concat(oq_run_context *context, size_t out, const oq_tensor *const *parts, size_t count,
                    int axis, oq_error *err) {
    oq_shape shape;
    OQ_TRY(joined_shape(parts, count, axis, &shape, err));
    if (count == 1) return oq_out_view(context, out, parts[0], &shape, err);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, out, &shape, parts, count, err));
    const size_t outer = (size_t)oq_shape_range_count(&shape, 0, axis);
    const size_t row = (size_t)oq_shape_range_count(&shape, axis, shape.rank) * m.element;
    size_t offset = 0; // of this part in a row of the output
    for (size_t i = 0; i < count; ++i) {
        const size_t run = (size_t)oq_shape_range_count(&parts[i]->shape, axis, shape.rank) * m.element;
        for (size_t o = 0; run && o < outer; ++o) memcpy(m.to + o * row + offset, m.from[i] + o * run, run);
        offset += run;
    }
    return oq_mover_close(&m, err);
}

oq_status oq_stack(oq_run_context *context, size_t out, const oq_tensor *const *parts, size_t count, int axis,
                   oq_error *err) {
    oq_tensor *thick = oq_scratch(context, count * sizeof *thick, err);
    const oq_tensor **pointers = oq_scratch(context, count * sizeof *pointers, err);
    if (!thick || !pointers) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; ++i) {
        thick[i] = *parts[i];
        oq_shape *shape = &thick[i].shape;
        if (shape->rank == OQ_MAX_RANK)
            return oq_fail(err, ONNXQ_UNSUPPORTED, "tensors of rank %d cannot be stacked", shape->rank);
        for (int d = shape->rank; d > axis; --d) shape->dim[d] = shape->dim[d - 1];
        shape->dim[axis] = 1;
        ++shape->rank;
        pointers[i] = &thick[i];
    }
    return oq_concat(context, out, pointers, count, axis, err);
}

// The size along the joined axis: one symbol beside empty parts survives, a sum of two does not.
static oq_dim joined_dim(oq_dim so_far, oq_dim next) {
    if (!oq_dim_known(so_far)) return OQ_DIM_ANONYMOUS;
    if (so_far.size == 0) return next;
    return oq_dim_known(next) ? oq_dim_add(so_far, next.size) : OQ_DIM_ANONYMOUS;
}

oq_status oq_concat_infer(oq_infer_context *context, size_t first, size_t step, int64_t asked,
                          oq_error *err) {
    const oq_dtype dtype = oq_infer_dtype(context, first);
    int rank = -1, axis;
    for (size_t i = first; i < context->input_count && rank < 0; i += step) rank = oq_infer_rank(context, i);
    oq_infer_set_dtype(context, 0, dtype);
    if (rank < 0) return ONNXQ_OK;
    OQ_TRY(oq_infer_axis(context, asked, rank, &axis, err));
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < rank; ++d) dims[d] = OQ_DIM_ANONYMOUS;
    dims[axis] = oq_dim_of(0);
    for (size_t i = first; i < context->input_count; i += step) {
        const int r = oq_infer_rank(context, i);
        if (r >= 0 && r != rank)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Concat of inputs of rank %d and %d", rank, r);
        for (int d = 0; d < rank; ++d) {
            const oq_dim dim = oq_infer_dim(context, i, d);
            if (d == axis) {
                dims[d] = joined_dim(dims[d], dim);
            } else if (oq_dim_known(dim) && oq_dim_known(dims[d]) && dim.size != dims[d].size) {
                return oq_fail(err, ONNXQ_BAD_MODEL, "Concat along axis %d of sizes %lld and %lld on axis %d",
                               axis, (long long)dims[d].size, (long long)dim.size, d);
            } else if (!oq_dim_known(dims[d]) && (oq_dim_known(dim) || !dims[d].symbol)) {
                dims[d] = dim;
            }
        }
    }
    oq_infer_set(context, 0, dtype, rank, dims);
    return ONNXQ_OK;
}
