// Resize: resamples a tensor along its axes, to sizes or by scales.
#include "ops/lib/resize.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

#include <math.h>
#include <string.h>

// What the inputs ask for, before the sizes of the data are looked at; lists are for `axes`.
typedef struct request {
    int axes[OQ_MAX_RANK];
    size_t count; // of axes
    const float *scales;
    const int64_t *sizes;
    bool not_larger, not_smaller; // keep_aspect_ratio_policy
} request;

static oq_status read_axes(const oq_node *node, int rank, size_t given, request *r, oq_error *err) {
    size_t count;
    const int64_t *axes = oq_node_ints(node, "axes", &count);
    for (int d = 0; d < rank; ++d) r->axes[d] = d;
    r->count = (size_t)rank;
    if (axes && count) {
        OQ_TRY(oq_axes_list("Resize", axes, count, rank, r->axes, err));
        r->count = count;
    }
    if (given != r->count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Resize has %zu scales or sizes for %zu axes", given, r->count);
    const char *policy = oq_node_string(node, "keep_aspect_ratio_policy", "stretch");
    r->not_larger = !strcmp(policy, "not_larger");
    r->not_smaller = !strcmp(policy, "not_smaller");
    if (r->not_larger || r->not_smaller || !strcmp(policy, "stretch")) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "keep_aspect_ratio_policy '%.64s' is not known", policy);
}

// Factors and output sizes of the axes from their input sizes, which must be known for those in `r`.
static oq_status resolve(const request *r, oq_resize_axis *axes, oq_error *err) {
    double common = r->not_larger ? HUGE_VAL : 0;
    for (size_t k = 0; k < r->count; ++k) {
        oq_resize_axis *axis = &axes[r->axes[k]];
        bool valid = true;
        if (r->sizes) {
            axis->out = r->sizes[k];
            valid = axis->out >= 0;
            axis->scale = axis->in ? (double)axis->out / (double)axis->in : 1;
        } else {
            axis->scale = (double)r->scales[k];
            valid = oq_resize_scaled(axis->in, r->scales[k], &axis->out);
        }
        if (!valid)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Resize of axis %d of size %lld by %g", r->axes[k],
                           (long long)axis->in, axis->scale);
        common = r->not_larger ? fmin(common, axis->scale) : fmax(common, axis->scale);
    }
    if (!r->sizes || (!r->not_larger && !r->not_smaller)) return ONNXQ_OK;
    for (size_t k = 0; k < r->count; ++k) {
        oq_resize_axis *axis = &axes[r->axes[k]];
        const double size = floor(common * (double)axis->in + 0.5);
        if (!(size < 0x1p62)) return oq_fail(err, ONNXQ_BAD_MODEL, "Resize by %g is too large", common);
        axis->scale = common;
        axis->out = (int64_t)size;
    }
    return ONNXQ_OK;
}

static oq_status read_floats(const oq_tensor *tensor, const float **values, size_t *count, oq_error *err) {
    *count = (size_t)oq_tensor_count(tensor);
    *values = tensor->data;
    if (tensor->dtype == ONNXQ_FLOAT) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "scales of Resize must be float32, not %s",
                   onnxq_dtype_name(tensor->dtype));
}

// Input 1: starts of all axes, then ends, in 0..1.
static oq_status read_roi(const oq_run_context *context, const request *r, oq_resize_axis *axes,
                          oq_error *err) {
    const oq_tensor *roi = oq_in(context, 1);
    if (!roi || (size_t)oq_tensor_count(roi) != 2 * r->count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Resize with tf_crop_and_resize needs a roi of %zu numbers",
                       2 * r->count);
    for (size_t k = 0; k < r->count; ++k) {
        axes[r->axes[k]].roi_start = oq_tensor_get_f64(roi, (int64_t)k);
        axes[r->axes[k]].roi_end = oq_tensor_get_f64(roi, (int64_t)(k + r->count));
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *scales = oq_in(context, 2), *sizes = oq_in(context, 3);
    request r = {0};
    size_t given = 0;
    oq_resize_options options;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_resize_read_options(context->node, &options, err));
    if (sizes && oq_tensor_count(sizes))
        OQ_TRY(oq_list_input(context, 3, &r.sizes, &given, err));
    else if (scales)
        OQ_TRY(read_floats(scales, &r.scales, &given, err));
    if (!r.sizes && !r.scales) return oq_fail(err, ONNXQ_BAD_MODEL, "Resize has neither scales nor sizes");
    OQ_TRY(read_axes(context->node, data->shape.rank, given, &r, err));
    oq_resize_axis axes[OQ_MAX_RANK];
    for (int d = 0; d < data->shape.rank; ++d)
        axes[d] =
            (oq_resize_axis){.in = data->shape.dim[d], .out = data->shape.dim[d], .scale = 1, .roi_end = 1};
    OQ_TRY(resolve(&r, axes, err));
    if (options.coordinate == OQ_RESIZE_CROP) OQ_TRY(read_roi(context, &r, axes, err));
    return oq_resize(context, data, &options, axes, err);
}

// Sizes of axes that are known and whose scale or size is; the others are anonymous.
static oq_status infer_sizes(oq_infer_context *context, const request *r, oq_type *out, oq_error *err) {
    bool all = true;
    oq_resize_axis axes[OQ_MAX_RANK];
    for (size_t k = 0; k < r->count; ++k) {
        const int d = r->axes[k];
        all = all && oq_dim_known(out->dim[d]);
        axes[d] = (oq_resize_axis){.in = out->dim[d].size};
    }
    if (all) {
        OQ_TRY(resolve(r, axes, err));
        for (size_t k = 0; k < r->count; ++k) out->dim[r->axes[k]] = oq_dim_of(axes[r->axes[k]].out);
        return ONNXQ_OK;
    }
    for (size_t k = 0; k < r->count; ++k) {
        oq_dim *dim = &out->dim[r->axes[k]];
        if (r->sizes && !r->not_larger && !r->not_smaller)
            *dim = oq_dim_as_size(oq_dim_number(r->sizes[k]));
        else if (!r->scales || r->scales[k] != 1)
            *dim = OQ_DIM_ANONYMOUS;
    }
    (void)context;
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    if (!in || in->rank < 0) return ONNXQ_OK;
    request r = {0};
    size_t given = 0;
    int64_t sizes[OQ_INFER_MAX_DIMS];
    const oq_tensor *scales = context->input_count > 2 ? context->in_const[2] : NULL;
    oq_type out = *in;
    if (oq_infer_list(context, 3, NULL, sizes, &given) == OQ_LIST_KNOWN && given)
        r.sizes = sizes;
    else if (!oq_infer_given(context, 3) && scales)
        OQ_TRY(read_floats(scales, &r.scales, &given, err));
    if (r.sizes || r.scales) {
        OQ_TRY(read_axes(context->node, in->rank, given, &r, err));
        OQ_TRY(infer_sizes(context, &r, &out, err));
    } else { // axes that are not named stay
        size_t named;
        const bool all = !oq_node_ints(context->node, "axes", &named);
        OQ_TRY(read_axes(context->node, in->rank, all ? (size_t)in->rank : named, &r, err));
        for (size_t k = 0; k < r.count; ++k) out.dim[r.axes[k]] = OQ_DIM_ANONYMOUS;
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// Version 10 reads without half pixels and rounds down, or up when it shrinks; which of them shows in its
// scales.
static oq_status upgrade_11(oq_upgrade_context *context, oq_error *err) {
    oq_graph *graph = context->graph;
    oq_node *node = context->node;
    const oq_value_id scales = node->input_count > 1 ? node->inputs[1] : OQ_NONE;
    const oq_constant *constant = scales == OQ_NONE ? NULL : oq_graph_constant(graph, scales);
    bool shrinks = false, grows = false;
    const bool nearest = !strcmp(oq_node_string(node, "mode", "nearest"), "nearest");
    if (nearest && !constant)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "Resize of opset 10 with computed scales cannot be upgraded");
    if (nearest) {
        oq_tensor values;
        OQ_TRY(oq_constant_load(graph->model->mem, constant, &values, err));
        for (int64_t k = 0; k < oq_tensor_count(&values); ++k) {
            shrinks |= oq_tensor_get_f64(&values, k) < 1;
            grows |= oq_tensor_get_f64(&values, k) > 1;
        }
        oq_tensor_release(&values);
    }
    if (shrinks && grows)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Resize of opset 10 that grows and shrinks cannot be upgraded");
    OQ_TRY(oq_node_set_string(graph, node, "coordinate_transformation_mode", "asymmetric", err));
    OQ_TRY(oq_node_set_string(graph, node, "nearest_mode", shrinks ? "ceil" : "floor", err));
    OQ_TRY(oq_node_set_input(graph, node, 2, scales, err));
    return oq_upgrade_add(context, "roi", 1, ONNXQ_FLOAT, NULL, 0, false, err);
}

static oq_status upgrade_13(oq_upgrade_context *context, oq_error *err) {
    const char *mode = oq_node_string(context->node, "coordinate_transformation_mode", "half_pixel");
    if (strcmp(mode, "tf_half_pixel_for_nn") != 0) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_UNSUPPORTED, "Resize with %s has no counterpart from opset 13 on", mode);
}

#define ATTRS_11                                                                                             \
    {"coordinate_transformation_mode", OQ_ATTR_STRING, false}, {"cubic_coeff_a", OQ_ATTR_FLOAT, false},      \
        {"exclude_outside", OQ_ATTR_INT, false}, {"extrapolation_value", OQ_ATTR_FLOAT, false},              \
        {"mode", OQ_ATTR_STRING, false}, {                                                                   \
        "nearest_mode", OQ_ATTR_STRING, false                                                                \
    }
#define ATTRS_18                                                                                             \
    {"antialias", OQ_ATTR_INT, false}, {"axes", OQ_ATTR_INTS, false}, {                                      \
        "keep_aspect_ratio_policy", OQ_ATTR_STRING, false                                                    \
    }
#define VERSION(SINCE, ROI, SCALES, SET, UPGRADE, ...)                                                       \
    {                                                                                                        \
        .since = SINCE, .signature = "X:T1, roi" ROI ":T2, scales" SCALES ":float32, sizes?:int64 -> Y:T1",  \
        .types = OQ_TYPES({"T1", SET}, {"T2", OQ_T_FLOATS3}), .attrs = OQ_ATTRS(__VA_ARGS__),                \
        .infer = infer, .run = run, .upgrade = UPGRADE                                                       \
    }

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "X:T, scales:float32 -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS({"mode", OQ_ATTR_STRING, false}),
     .infer = oq_infer_upsample,
     .run = oq_run_upsample},
    VERSION(11, "", "", OQ_T_ALL1, upgrade_11, ATTRS_11),
    VERSION(13, "?", "?", OQ_T_ALL13, upgrade_13, ATTRS_11),
    VERSION(18, "?", "?", OQ_T_ALL13, NULL, ATTRS_11, ATTRS_18),
    VERSION(19, "?", "?", OQ_T_ALL13, NULL, ATTRS_11, ATTRS_18),
};

OQ_ONNX_OP(Resize, versions);
