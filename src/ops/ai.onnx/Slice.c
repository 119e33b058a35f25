// Slice: every step-th element between start and end, along some axes.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

// What is taken of one axis: `count` elements from `first` on, `step` apart.
typedef struct range {
    int64_t first, step, count;
} range;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

// Negative positions count from the end; what lies outside is cut. Any int64 may come in.
static range resolve(int64_t size, int64_t start, int64_t end, int64_t step) {
    if (start < 0) start += size;
    if (end < 0) end += size;
    range r = {.step = step};
    uint64_t span = 0, stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (size && step > 0) {
        r.first = clamp(start, 0, size);
        const int64_t stop = clamp(end, 0, size);
        if (stop > r.first) span = (uint64_t)(stop - r.first);
    } else if (size) {
        r.first = clamp(start, 0, size - 1);
        const int64_t stop = clamp(end, -1, size - 1);
        if (r.first > stop) span = (uint64_t)(r.first - stop);
    }
    r.count = span ? (int64_t)((span - 1) / stride) + 1 : 0;
    if (r.count <= 1) r.step = 1; // a giant step is never taken
    return r;
}

// Bounds as given: lists of equal length, axes and steps optional.
typedef struct bounds {
    const int64_t *starts, *ends, *axes, *steps; // axes, steps may be NULL
    size_t count;
} bounds;

static oq_status check_bounds(size_t starts, size_t ends, size_t axes, bool has_axes, size_t steps,
                              bool has_steps, int rank, oq_error *err) {
    if (starts != ends || (has_axes && axes != starts) || (has_steps && steps != starts))
        return oq_fail(err, ONNXQ_BAD_MODEL, "Slice has %zu starts, %zu ends, %zu axes and %zu steps", starts,
                       ends, has_axes ? axes : starts, has_steps ? steps : starts);
    if (starts > (size_t)rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Slice of %zu axes of an input of rank %d", starts, rank);
    return ONNXQ_OK;
}

static oq_status axes_of(const bounds *b, int rank, int axes[OQ_MAX_RANK], oq_error *err) {
    for (size_t k = 0; k < b->count; ++k) axes[k] = (int)k;
    if (b->axes) OQ_TRY(oq_axes_list("Slice", b->axes, b->count, rank, axes, err));
    for (size_t k = 0; b->steps && k < b->count; ++k)
        if (!b->steps[k]) return oq_fail(err, ONNXQ_BAD_MODEL, "Slice with a step of 0");
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    bounds b;
    size_t ends, axes, steps;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input_or_attr(context, 1, "starts", &b.starts, &b.count, err));
    OQ_TRY(oq_list_input_or_attr(context, 2, "ends", &b.ends, &ends, err));
    OQ_TRY(oq_list_input_or_attr(context, 3, "axes", &b.axes, &axes, err));
    OQ_TRY(oq_list_input(context, 4, &b.steps, &steps, err));
    OQ_TRY(check_bounds(b.count, ends, axes, b.axes, steps, b.steps, data->shape.rank, err));
    int list[OQ_MAX_RANK];
    OQ_TRY(axes_of(&b, data->shape.rank, list, err));
    int64_t strides[OQ_MAX_RANK], offset = 0;
    oq_shape shape = data->shape;
    oq_shape_strides(&data->shape, strides);
    for (size_t k = 0; k < b.count; ++k) {
        const int d = list[k];
        const range r = resolve(shape.dim[d], b.starts[k], b.ends[k], b.steps ? b.steps[k] : 1);
        shape.dim[d] = r.count;
        if (r.count) offset += r.first * strides[d];
        strides[d] *= r.step;
    }
    if (oq_shape_equal(&shape, &data->shape) && !offset) return oq_out_view(context, 0, data, &shape, err);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    if (oq_shape_count(&shape))
        oq_move_dense(m.to, m.from[0] + (size_t)offset * m.element, strides, m.element, shape.rank,
                      shape.dim);
    return oq_mover_close(&m, err);
}

// A symbolic size survives only a slice that takes all of it.
static oq_dim slice_dim(oq_dim dim, int64_t start, int64_t end, int64_t step) {
    if (oq_dim_known(dim)) return oq_dim_of(resolve(dim.size, start, end, step).count);
    const bool whole = step == 1 && start == 0 && end >= INT32_MAX;
    return whole ? dim : OQ_DIM_ANONYMOUS;
}

static oq_status slice_elements(oq_infer_context *context, int64_t start, int64_t end, int64_t step,
                                oq_error *err) {
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 0, &count);
    if (!elements || oq_infer_rank(context, 0) != 1) return ONNXQ_OK;
    oq_dim taken[OQ_INFER_MAX_DIMS];
    const range r = resolve((int64_t)count, start, end, step);
    for (int64_t k = 0; k < r.count; ++k) taken[k] = elements[r.first + k * r.step];
    return oq_infer_set_elements(context, 0, taken, (size_t)r.count, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!in || in->rank < 0) return ONNXQ_OK;
    static const oq_dim open = {.size = -1};
    oq_type out = *in;
    int64_t starts[OQ_INFER_MAX_DIMS], ends[OQ_INFER_MAX_DIMS], axes[OQ_INFER_MAX_DIMS],
        steps[OQ_INFER_MAX_DIMS];
    size_t count, end_count, axis_count, step_count;
    const oq_list_state has_axes = oq_infer_list(context, 3, "axes", axes, &axis_count);
    const oq_list_state has_steps = oq_infer_list(context, 4, NULL, steps, &step_count);
    const bool known = oq_infer_list(context, 1, "starts", starts, &count) == OQ_LIST_KNOWN &&
                       oq_infer_list(context, 2, "ends", ends, &end_count) == OQ_LIST_KNOWN &&
                       has_steps != OQ_LIST_UNKNOWN && has_axes != OQ_LIST_UNKNOWN;
    if (!known) {
        // Only the named axes change their size.
        bool flags[OQ_MAX_RANK];
        if (has_axes == OQ_LIST_KNOWN) OQ_TRY(oq_axes_flags("Slice", axes, axis_count, in->rank, flags, err));
        for (int d = 0; d < in->rank; ++d)
            if (has_axes != OQ_LIST_KNOWN || flags[d]) out.dim[d] = open;
        oq_infer_set_type(context, 0, &out);
        return ONNXQ_OK;
    }
    const bounds b = {.axes = has_axes == OQ_LIST_KNOWN ? axes : NULL,
                      .steps = has_steps == OQ_LIST_KNOWN ? steps : NULL,
                      .count = count};
    OQ_TRY(check_bounds(count, end_count, axis_count, b.axes, step_count, b.steps, in->rank, err));
    int list[OQ_MAX_RANK];
    OQ_TRY(axes_of(&b, in->rank, list, err));
    for (size_t k = 0; k < count; ++k)
        out.dim[list[k]] = slice_dim(in->dim[list[k]], starts[k], ends[k], b.steps ? steps[k] : 1);
    oq_infer_set_type(context, 0, &out);
    return count == 1 ? slice_elements(context, starts[0], ends[0], b.steps ? steps[0] : 1, err) : ONNXQ_OK;
}

static oq_status upgrade_10(oq_upgrade_context *context, oq_error *err) {
    OQ_TRY(oq_upgrade_ints(context, "starts", 1, err));
    OQ_TRY(oq_upgrade_ints(context, "ends", 2, err));
    return oq_upgrade_ints(context, "axes", 3, err);
}

#define VERSION(SINCE, SET, UPGRADE)                                                                         \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, starts:Tind, ends:Tind, axes?:Tind, steps?:Tind -> output:T",  \
        .types = OQ_TYPES({"T", SET}, {"Tind", OQ_T_INDEX}), .infer = infer, .run = run, .upgrade = UPGRADE  \
    }

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data:T -> output:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS({"axes", OQ_ATTR_INTS, false}, {"ends", OQ_ATTR_INTS, true},
                       {"starts", OQ_ATTR_INTS, true}),
     .infer = infer,
     .run = run},
    VERSION(10, OQ_T_ALL1, upgrade_10),
    VERSION(11, OQ_T_ALL1, NULL),
    VERSION(13, OQ_T_ALL13, NULL),
};

OQ_ONNX_OP(Slice, versions);
