// Softmax, LogSoftmax and Hardmax along one axis, or over all axes from one on as they were before opset 13.
#include "ops/lib/softmax.h"

#include "kernels/rows.h"

#include <math.h>
#include <string.h>

// Elements of a tile: [axis, width] in the working type, width neighbouring columns at a time.
enum { TILE = 65536, LEAST_WIDTH = 16 };

typedef struct softmax_job {
    oq_softmax_kind kind;
    oq_dtype dtype;
    oq_axis_view view;
    size_t width; // columns of a tile
    void *tile;   // scratch, or NULL when rows are computed where they are
    const void *x;
    void *y;
} softmax_job;

// max[0..width) over the rows of a tile; NaN wins.
#define TILE_MAX(name, type)                                                                                 \
    static void name(const type *x, size_t rows, size_t width, type *max) {                                  \
        memcpy(max, x, width * sizeof *x);                                                                   \
        for (size_t r = 1; r < rows; r++)                                                                    \
            for (size_t i = 0; i < width; i++) {                                                             \
                const type v = x[r * width + i];                                                             \
                max[i] = (max[i] > v) | (max[i] != max[i]) ? max[i] : v;                                     \
            }                                                                                                \
    }
TILE_MAX(max_f32, float)
TILE_MAX(max_f64, double)

// 1 at the first row that holds the column's maximum.
#define TILE_HARDMAX(name, type)                                                                             \
    static void name(type *x, size_t rows, size_t width, const type *max) {                                  \
        for (size_t i = 0; i < width; i++) {                                                                 \
            bool found = false;                                                                              \
            for (size_t r = 0; r < rows; r++) {                                                              \
                const type v = x[r * width + i];                                                             \
                const bool here = !found && (v == max[i] || v != v);                                         \
                x[r * width + i] = here;                                                                     \
                found |= here;                                                                               \
            }                                                                                                \
        }                                                                                                    \
    }
TILE_HARDMAX(hardmax_f32, float)
TILE_HARDMAX(hardmax_f64, double)

// One contiguous row, in place or not.
static void row_f32(oq_softmax_kind kind, const float *x, float *y, size_t n) {
    const float max = oq_rows_max(x, n);
    if (kind == OQ_HARDMAX) {
        memmove(y, x, n * sizeof *x);
        hardmax_f32(y, n, 1, &max);
        return;
    }
    oq_rows_binary_f32(OQ_ROWS_SUB, x, 1, &max, 0, y, n);
    if (kind == OQ_SOFTMAX) {
        oq_rows_exp(y, y, n);
        const float sum = oq_rows_sum(y, n);
        oq_rows_binary_f32(OQ_ROWS_DIV, y, 1, &sum, 0, y, n);
        return;
    }
    // The exponentials are needed for their sum only: a block at a time.
    float block[OQ_BLOCK], sum = 0;
    for (size_t at = 0; at < n; at += OQ_BLOCK) {
        const size_t count = oq_min_size(OQ_BLOCK, n - at);
        oq_rows_exp(y + at, block, count);
        sum += oq_rows_sum(block, count);
    }
    oq_rows_log(&sum, &sum, 1);
    oq_rows_binary_f32(OQ_ROWS_SUB, y, 1, &sum, 0, y, n);
}

// A tile [rows, width] in place; max and sum are per column.
static void tile_f32(oq_softmax_kind kind, float *x, size_t rows, size_t width) {
    float max[OQ_BLOCK], sum[OQ_BLOCK] = {0}, e[OQ_BLOCK];
    max_f32(x, rows, width, max);
    if (kind == OQ_HARDMAX) {
        hardmax_f32(x, rows, width, max);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        float *const row = x + r * width, *const into = kind == OQ_SOFTMAX ? row : e;
        oq_rows_binary_f32(OQ_ROWS_SUB, row, 1, max, 1, row, width);
        oq_rows_exp(row, into, width);
        oq_rows_binary_f32(OQ_ROWS_ADD, sum, 1, into, 1, sum, width);
    }
    if (kind == OQ_LOG_SOFTMAX) oq_rows_log(sum, sum, width);
    const oq_rows_binary last = kind == OQ_SOFTMAX ? OQ_ROWS_DIV : OQ_ROWS_SUB;
    for (size_t r = 0; r < rows; r++)
        oq_rows_binary_f32(last, x + r * width, 1, sum, 1, x + r * width, width);
}

static void tile_f64(oq_softmax_kind kind, double *x, size_t rows, size_t width) {
    double max[OQ_BLOCK], sum[OQ_BLOCK] = {0};
    max_f64(x, rows, width, max);
    if (kind == OQ_HARDMAX) {
        hardmax_f64(x, rows, width, max);
        return;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            const double d = x[r * width + i] - max[i], e = exp(d);
            x[r * width + i] = kind == OQ_SOFTMAX ? e : d;
            sum[i] += e;
        }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            double *const v = &x[r * width + i];
            *v = kind == OQ_SOFTMAX ? *v / sum[i] : *v - log(sum[i]);
        }
}

// Columns [from, from + width) of one outer index, between memory and the tile.
static void run_tile(const softmax_job *job, size_t outer, size_t from, size_t width) {
    const oq_axis_view v = job->view;
    const size_t bytes = oq_dtype_bytes(job->dtype);
    const bool f64 = oq_work_of(job->dtype) == OQ_WORK_F64;
    const size_t row_bytes = width * (f64 ? sizeof(double) : sizeof(float));
    const size_t base = outer * v.axis * v.inner + from;
    if (v.inner == 1) { // the whole tile is side by side
        oq_work_load(job->dtype, oq_at(job->x, base, bytes), job->tile, v.axis);
    } else {
        for (size_t r = 0; r < v.axis; r++)
            oq_work_load(job->dtype, oq_at(job->x, base + r * v.inner, bytes),
                         oq_at_mutable(job->tile, r, row_bytes), width);
    }
    if (f64)
        tile_f64(job->kind, job->tile, v.axis, width);
    else if (v.inner == 1)
        row_f32(job->kind, job->tile, job->tile, v.axis);
    else
        tile_f32(job->kind, job->tile, v.axis, width);
    if (v.inner == 1) {
        oq_work_store(job->dtype, job->tile, oq_at_mutable(job->y, base, bytes), v.axis);
    } else {
        for (size_t r = 0; r < v.axis; r++)
            oq_work_store(job->dtype, oq_at(job->tile, r, row_bytes),
                          oq_at_mutable(job->y, base + r * v.inner, bytes), width);
    }
}

static void row_range(void *self, size_t from, size_t to) {
    const softmax_job *job = self;
    const size_t n = job->view.axis;
    for (size_t row = from; row < to; row++)
        row_f32(job->kind, (const float *)job->x + row * n, (float *)job->y + row * n, n);
}

// Before opset 13 all axes from `axis` on are one.
static oq_status read_view(const oq_run_context *context, const oq_shape *shape, oq_axis_view *out,
                           oq_error *err) {
    int axis = 0;
    if (context->version->since >= 13) {
        // A scalar has no axis; it is a row of one element.
        if (shape->rank)
            OQ_TRY(oq_axis_of(context, oq_node_int(context->node, "axis", -1), shape->rank, &axis, err));
        *out = shape->rank ? oq_axis_view_of(shape, axis) : (oq_axis_view){1, 1, 1};
        return ONNXQ_OK;
    }
    const int64_t given = oq_node_int(context->node, "axis", 1);
    axis = (int)given;
    if (given != shape->rank)
        OQ_TRY(oq_axis_of(context, given, shape->rank, &axis, err)); // rank: rows of one
    *out = (oq_axis_view){.outer = (size_t)oq_shape_range_count(shape, 0, axis),
                          .axis = (size_t)oq_shape_range_count(shape, axis, shape->rank),
                          .inner = 1};
    return ONNXQ_OK;
}

oq_status oq_softmax_apply(oq_run_context *context, oq_softmax_kind kind, oq_dtype dtype, oq_axis_view view,
                           const void *x, void *y, oq_error *err) {
    const oq_axis_view v = view;
    const oq_work_type work = oq_work_of(dtype);
    softmax_job job = {.kind = kind, .dtype = dtype, .view = v, .x = x, .y = y};
    if (work != OQ_WORK_F32 && work != OQ_WORK_F64) return oq_no_loop(context, dtype, err);
    if (!v.outer || !v.axis || !v.inner) return ONNXQ_OK;
    if (dtype == ONNXQ_FLOAT && v.inner == 1)
        return oq_ranges(context->pool, v.outer, OQ_GRAIN / 8 / v.axis + 1, row_range, &job, err);
    const size_t fit = TILE / v.axis;
    job.width = oq_min_size(v.inner, fit < LEAST_WIDTH ? LEAST_WIDTH : oq_min_size(fit, OQ_BLOCK));
    size_t bytes;
    if (!oq_mul_size(v.axis, job.width * oq_work_bytes(work), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "%s: the axis is too long", context->node->op_type);
    job.tile = oq_scratch(context, bytes, err);
    if (!job.tile) return ONNXQ_NO_MEMORY;
    for (size_t outer = 0; outer < v.outer; outer++)
        for (size_t from = 0; from < v.inner; from += job.width)
            run_tile(&job, outer, from, oq_min_size(job.width, v.inner - from));
    return ONNXQ_OK;
}

oq_status oq_softmax_run(oq_run_context *context, oq_softmax_kind kind, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    oq_axis_view view = {0};
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(read_view(context, &x->shape, &view, err));
    const void *const from = x->data;
    const oq_dtype dtype = x->dtype;
    OQ_TRY(oq_out_reuse(context, 0, 0, dtype, &x->shape, &y, err));
    return oq_softmax_apply(context, kind, dtype, view, from, y->data, err);
}

oq_status oq_upgrade_softmax(oq_upgrade_context *context, oq_error *err) {
    oq_node *const node = context->node, *flatten, *shape, *reshape;
    oq_graph *const graph = context->graph;
    const oq_value_id x = node->inputs[0];
    const oq_type *type = &oq_graph_value(graph, x)->type;
    const int64_t axis = oq_node_int(node, "axis", 1);
    if (type->kind == OQ_TYPE_TENSOR && type->rank > 0 && (axis == -1 || axis == type->rank - 1))
        return oq_node_set_int(graph, node, "axis", -1, err);
    OQ_TRY(oq_upgrade_new_node(context, "Shape", &x, 1, "_shape", &shape, err));
    OQ_TRY(oq_upgrade_new_node(context, "Flatten", &x, 1, "_flat", &flatten, err));
    OQ_TRY(oq_node_set_int(graph, flatten, "axis", axis, err));
    OQ_TRY(oq_node_set_input(graph, node, 0, flatten->outputs[0], err));
    OQ_TRY(oq_node_set_int(graph, node, "axis", -1, err));
    return oq_upgrade_follow(context, "Reshape", shape->outputs[0], &reshape, err);
}
