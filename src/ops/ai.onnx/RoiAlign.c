// RoiAlign: regions of an image pooled on a grid of bilinear samples, without rounding their borders.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>
#include <string.h>

#define MAX_GRID 65536 // samples of one output element

typedef struct roi_align {
    size_t channels, height, width; // of one image
    size_t rows, columns;           // of the output
    int64_t ratio;                  // samples along a side of an output element, 0: as many as its size
    bool half_pixel, maximum;
    float scale;
} roi_align;

// A region in the image's coordinates; sizes of one output element and of its grid of samples.
typedef struct region {
    float top, left, bin_height, bin_width;
    int64_t grid_rows, grid_columns;
} region;

static int64_t grid_of(const roi_align *r, float size, size_t bins) {
    const float each = ceilf(size / (float)bins);
    return r->ratio > 0 ? r->ratio : each > 0 ? each < 1e6F ? (int64_t)each : MAX_GRID + 1 : 0;
}

static oq_status read_region(const roi_align *r, const float *roi, region *out, oq_error *err) {
    const float offset = r->half_pixel ? 0.5F : 0.0F;
    out->left = roi[0] * r->scale - offset;
    out->top = roi[1] * r->scale - offset;
    float width = roi[2] * r->scale - offset - out->left;
    float height = roi[3] * r->scale - offset - out->top;
    if (!r->half_pixel) {
        width = width > 1.0F ? width : 1.0F;
        height = height > 1.0F ? height : 1.0F;
    }
    out->bin_width = width / (float)r->columns;
    out->bin_height = height / (float)r->rows;
    out->grid_rows = grid_of(r, height, r->rows);
    out->grid_columns = grid_of(r, width, r->columns);
    if (out->grid_rows > MAX_GRID || out->grid_columns > MAX_GRID ||
        out->grid_rows * out->grid_columns > MAX_GRID) {
        return oq_fail(err, ONNXQ_BAD_DATA, "a region of RoiAlign needs more than %d samples for each output",
                       MAX_GRID);
    }
    return ONNXQ_OK;
}

// Position along one axis as two neighbours and the weight of the second; false when it lies too far outside.
static bool neighbours(double at, size_t size, size_t *low, size_t *high, double *weight) {
    if (!(at >= -1.0 && at <= (double)size)) return false;
    if (at < 0) at = 0;
    *low = (size_t)at;
    if (*low >= size - 1) {
        *low = *high = size - 1;
        *weight = 0;
    } else {
        *high = *low + 1;
        *weight = at - (double)*low;
    }
    return true;
}

// One sample: the weighted sum of four neighbours or, for the maximum, the greatest of the weighted ones.
static double sample(const roi_align *r, const double *plane, double y, double x) {
    size_t top = 0;
    size_t bottom = 0;
    size_t left = 0;
    size_t right = 0;
    double down = 0;
    double over = 0;
    if (!neighbours(y, r->height, &top, &bottom, &down) || !neighbours(x, r->width, &left, &right, &over))
        return 0;
    const double parts[] = {(1 - down) * (1 - over) * plane[top * r->width + left],
                            (1 - down) * over * plane[top * r->width + right],
                            down * (1 - over) * plane[bottom * r->width + left],
                            down * over * plane[bottom * r->width + right]};
    if (!r->maximum) return parts[0] + parts[1] + parts[2] + parts[3];
    return fmax(fmax(parts[0], parts[1]), fmax(parts[2], parts[3]));
}

static double pool(const roi_align *r, const region *g, const double *plane, size_t row, size_t column) {
    const int64_t count = g->grid_rows * g->grid_columns;
    double result = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row_of = i / g->grid_columns;
        const float in_row = ((float)row_of + 0.5F) * g->bin_height / (float)g->grid_rows;
        const float in_column = ((float)(i % g->grid_columns) + 0.5F) * g->bin_width / (float)g->grid_columns;
        const float y = g->top + (float)row * g->bin_height + in_row;
        const float x = g->left + (float)column * g->bin_width + in_column;
        const double value = sample(r, plane, (double)y, (double)x);
        result = !r->maximum ? result + value : i == 0 || value > result ? value : result;
    }
    return r->maximum || !count ? result : result / (double)count;
}

static oq_status read_attributes(const oq_node *node, const oq_shape *x, roi_align *r, oq_error *err) {
    const char *mode = oq_node_string(node, "mode", "avg");
    const int64_t rows = oq_node_int(node, "output_height", 1);
    const int64_t columns = oq_node_int(node, "output_width", 1);
    r->maximum = strcmp(mode, "max") == 0;
    r->ratio = oq_node_int(node, "sampling_ratio", 0);
    r->scale = oq_node_float(node, "spatial_scale", 1.0F);
    if (x->rank != 4 || rows < 1 || columns < 1 || rows > INT32_MAX || columns > INT32_MAX || r->ratio < 0 ||
        (!r->maximum && strcmp(mode, "avg") != 0)) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "RoiAlign needs images of rank 4, an output of at least 1 x 1 and mode avg "
                       "or max");
    }
    if (!x->dim[2] || !x->dim[3]) return oq_fail(err, ONNXQ_BAD_MODEL, "RoiAlign of an empty image");
    r->channels = (size_t)x->dim[1];
    r->height = (size_t)x->dim[2];
    r->width = (size_t)x->dim[3];
    r->rows = (size_t)rows;
    r->columns = (size_t)columns;
    return ONNXQ_OK;
}

static oq_status run_with(oq_run_context *context, bool half_pixel, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *rois = oq_in(context, 1);
    const oq_tensor *indices = oq_in(context, 2);
    roi_align r = {.half_pixel = half_pixel};
    OQ_TRY(read_attributes(context->node, &x->shape, &r, err));
    const int64_t count = oq_tensor_count(indices);
    if (rois->shape.rank != 2 || rois->shape.dim[0] != count || rois->shape.dim[1] != 4) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "rois of RoiAlign must have shape [%lld,4]", (long long)count);
    }
    const oq_shape shape = OQ_SHAPE(count, x->shape.dim[1], (int64_t)r.rows, (int64_t)r.columns);
    const void *image = NULL;
    const void *corners = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &image, err));
    OQ_TRY(oq_array_in(context, rois, OQ_WORK_F32, &corners, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, OQ_WORK_F64, &y, err));
    const size_t plane = r.height * r.width;
    for (int64_t i = 0; i < count; i++) {
        const int64_t batch = oq_tensor_get_i64(indices, i);
        region g;
        if (batch < 0 || batch >= x->shape.dim[0]) {
            return oq_fail(err, ONNXQ_BAD_DATA, "batch index %lld of RoiAlign is out of range",
                           (long long)batch);
        }
        OQ_TRY(read_region(&r, (const float *)corners + 4 * i, &g, err));
        for (size_t k = 0; k < r.channels * r.rows * r.columns; k++) {
            const size_t channel = k / (r.rows * r.columns);
            const double *from = (const double *)image + ((size_t)batch * r.channels + channel) * plane;
            ((double *)y.data)[(size_t)i * r.channels * r.rows * r.columns + k] =
                pool(&r, &g, from, k / r.columns % r.rows, k % r.columns);
        }
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status run_10(oq_run_context *context, oq_error *err) { return run_with(context, false, err); }
static oq_status run_16(oq_run_context *context, oq_error *err) {
    const char *mode = oq_node_string(context->node, "coordinate_transformation_mode", "half_pixel");
    return run_with(context, strcmp(mode, "half_pixel") == 0, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dim rois = oq_infer_dim(context, 1, 0);
    const oq_dim dims[] = {oq_dim_known(rois) ? rois : oq_infer_dim(context, 2, 0),
                           oq_infer_dim(context, 0, 1),
                           oq_dim_as_size(oq_dim_number(oq_node_int(context->node, "output_height", 1))),
                           oq_dim_as_size(oq_dim_number(oq_node_int(context->node, "output_width", 1)))};
    (void)err;
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), 4, dims);
    return ONNXQ_OK;
}

// Until 15 coordinates were not shifted by half a pixel.
static oq_status upgrade_16(oq_upgrade_context *context, oq_error *err) {
    return oq_node_set_string(context->graph, context->node, "coordinate_transformation_mode",
                              "output_half_pixel", err);
}

static const oq_type_set types_10[] = {{"T1", OQ_T_FLOATS3}, {"T2", OQ_T(INT64)}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs_10[] = {
    {"mode", OQ_ATTR_STRING, false},         {"output_height", OQ_ATTR_INT, false},
    {"output_width", OQ_ATTR_INT, false},    {"sampling_ratio", OQ_ATTR_INT, false},
    {"spatial_scale", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_16[] = {{"coordinate_transformation_mode", OQ_ATTR_STRING, false},
                                        {"mode", OQ_ATTR_STRING, false},
                                        {"output_height", OQ_ATTR_INT, false},
                                        {"output_width", OQ_ATTR_INT, false},
                                        {"sampling_ratio", OQ_ATTR_INT, false},
                                        {"spatial_scale", OQ_ATTR_FLOAT, false},
                                        {0}};

#define SIGNATURE "X:T1, rois:T1, batch_indices:T2 -> Y:T1"
static const oq_op_version versions[] = {
    {.since = 10,
     .signature = SIGNATURE,
     .types = types_10,
     .attrs = attrs_10,
     .infer = infer,
     .run = run_10},
    {.since = 16,
     .signature = SIGNATURE,
     .types = types_10,
     .attrs = attrs_16,
     .infer = infer,
     .run = run_16,
     .upgrade = upgrade_16},
    {.since = 22,
     .signature = SIGNATURE,
     .types = types_22,
     .attrs = attrs_16,
     .infer = infer,
     .run = run_16},
};
OQ_ONNX_OP(RoiAlign, versions);
