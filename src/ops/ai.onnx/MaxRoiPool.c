// MaxRoiPool: the greatest element of each cell of a grid laid over regions with rounded borders.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>

typedef struct region {
    int64_t first[2], size[2]; // rows, then columns
} region;

static int64_t rounded(float x) {
    return x > 1e9F ? 1000000000 : x > -1e9F ? (int64_t)roundf(x) : -1000000000;
}

static region read_region(const float *roi, float scale) {
    region r;
    for (int i = 0; i < 2; i++) {
        const int64_t begin = rounded(roi[2 - i] * scale);
        const int64_t size = rounded(roi[4 - i] * scale) - begin + 1;
        r.first[i] = begin;
        r.size[i] = size > 1 ? size : 1;
    }
    return r;
}

// Elements [*from, *to) that cell `i` of `cells` covers along an axis of `limit` elements.
static void cell(const region *r, int axis, int64_t i, int64_t cells, int64_t limit, int64_t *from,
                 int64_t *to) {
    const float each = (float)r->size[axis] / (float)cells;
    *from = r->first[axis] + (int64_t)floorf((float)i * each);
    *to = r->first[axis] + (int64_t)ceilf((float)(i + 1) * each);
    *from = *from < 0 ? 0 : *from > limit ? limit : *from;
    *to = *to < 0 ? 0 : *to > limit ? limit : *to;
}

static oq_status read_shapes(const oq_run_context *context, int64_t pooled[2], oq_error *err) {
    const oq_shape *x = &oq_in(context, 0)->shape;
    const oq_shape *rois = &oq_in(context, 1)->shape;
    size_t count = 0;
    const int64_t *sizes = oq_node_ints(context->node, "pooled_shape", &count);
    if (count != 2 || sizes[0] < 1 || sizes[1] < 1 || x->rank != 4 || rois->rank != 2 || rois->dim[1] != 5) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "MaxRoiPool needs images of rank 4, rois of shape [n,5] and a pooled_shape of two sizes");
    }
    pooled[0] = sizes[0];
    pooled[1] = sizes[1];
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *rois = oq_in(context, 1);
    int64_t pooled[2] = {0};
    OQ_TRY(read_shapes(context, pooled, err));
    const int64_t *image = &x->shape.dim[2];
    const oq_shape shape = OQ_SHAPE(rois->shape.dim[0], x->shape.dim[1], pooled[0], pooled[1]);
    const float scale = oq_node_float(context->node, "spatial_scale", 1.0F);
    const void *values = NULL;
    const void *corners = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &values, err));
    OQ_TRY(oq_array_in(context, rois, OQ_WORK_F32, &corners, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, OQ_WORK_F64, &y, err));
    const int64_t cells = pooled[0] * pooled[1];
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        const float *roi = (const float *)corners + i / (cells * shape.dim[1]) * 5;
        const region r = read_region(roi, scale);
        if (!(roi[0] >= 0 && roi[0] < (float)x->shape.dim[0])) {
            return oq_fail(err, ONNXQ_BAD_DATA, "batch index %g of MaxRoiPool is out of range",
                           (double)roi[0]);
        }
        const int64_t plane = (int64_t)roi[0] * shape.dim[1] + i / cells % shape.dim[1];
        const double *from = (const double *)values + plane * image[0] * image[1];
        int64_t rows[2];
        int64_t columns[2];
        cell(&r, 0, i / pooled[1] % pooled[0], pooled[0], image[0], &rows[0], &rows[1]);
        cell(&r, 1, i % pooled[1], pooled[1], image[1], &columns[0], &columns[1]);
        const bool empty = rows[0] >= rows[1] || columns[0] >= columns[1];
        double most = empty ? 0 : -(double)INFINITY;
        for (int64_t row = rows[0]; row < rows[1]; row++) {
            for (int64_t column = columns[0]; column < columns[1]; column++) {
                const double value = from[row * image[1] + column];
                most = value > most ? value : most;
            }
        }
        ((double *)y.data)[i] = most;
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    size_t count = 0;
    const int64_t *sizes = oq_node_ints(context->node, "pooled_shape", &count);
    (void)err;
    oq_dim dims[4] = {oq_infer_dim(context, 1, 0), oq_infer_dim(context, 0, 1), OQ_DIM_ANONYMOUS,
                      OQ_DIM_ANONYMOUS};
    for (size_t i = 0; i < 2 && count == 2; i++) dims[2 + i] = oq_dim_as_size(oq_dim_number(sizes[i]));
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), 4, dims);
    return ONNXQ_OK;
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {
    {"pooled_shape", OQ_ATTR_INTS, true}, {"spatial_scale", OQ_ATTR_FLOAT, false}, {0}};

#define RUNS .signature = "X:T, rois:T -> Y:T", .attrs = attrs, .infer = infer, .run = run
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(MaxRoiPool, versions);
