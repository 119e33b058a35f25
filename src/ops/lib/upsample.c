// Upsample and Resize-10: scales per axis, coordinates without half pixels.
#include "ops/lib/resize.h"

#include <string.h>

// Attributes height_scale and width_scale (Upsample-1) or scales (7), or input 1; `count` scales.
static oq_status read_scales(oq_run_context *context, float scales[OQ_MAX_RANK], size_t *count,
                             oq_error *err) {
    const oq_node *node = context->node;
    const oq_tensor *input = oq_in(context, 1);
    const oq_attr *attr = oq_node_attr(node, "scales");
    *count = 0;
    if (input) {
        const int64_t given = oq_tensor_count(input);
        if (input->dtype != ONNXQ_FLOAT || given > OQ_MAX_RANK)
            return oq_fail(err, ONNXQ_BAD_MODEL, "scales of %s must be a short list of float32",
                           node->op_type);
        memcpy(scales, input->data, (size_t)given * sizeof *scales);
        *count = (size_t)given;
    } else if (attr && attr->kind == OQ_ATTR_FLOATS && attr->count <= OQ_MAX_RANK) {
        memcpy(scales, attr->floats, attr->count * sizeof *scales);
        *count = attr->count;
    } else if (oq_node_attr(node, "height_scale")) {
        scales[0] = scales[1] = 1;
        scales[2] = oq_node_float(node, "height_scale", 1);
        scales[3] = oq_node_float(node, "width_scale", 1);
        *count = 4;
    }
    return ONNXQ_OK;
}

static oq_status check_scale(const oq_node *node, int64_t size, float scale, int64_t *out, oq_error *err) {
    if (oq_resize_scaled(size, scale, out)) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s scales size %lld by %g", node->op_type, (long long)size,
                   (double)scale);
}

oq_status oq_run_upsample(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    float scales[OQ_MAX_RANK];
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_scales(context, scales, &count, err));
    if (count != (size_t)data->shape.rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %zu scales for an input of rank %d",
                       context->node->op_type, count, data->shape.rank);
    const char *mode = oq_node_string(context->node, "mode", "nearest");
    const bool linear = !strcmp(mode, "linear") || !strcmp(mode, "bilinear");
    if (!linear && strcmp(mode, "nearest") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "mode '%.64s' of %s is not known", mode, context->node->op_type);
    const oq_resize_options options = {.mode = linear ? OQ_RESIZE_LINEAR : OQ_RESIZE_NEAREST,
                                       .coordinate = OQ_RESIZE_ASYMMETRIC,
                                       .round = OQ_RESIZE_SIMPLE};
    oq_resize_axis axes[OQ_MAX_RANK];
    for (int d = 0; d < data->shape.rank; ++d) {
        axes[d] = (oq_resize_axis){.in = data->shape.dim[d], .scale = (double)scales[d]};
        OQ_TRY(check_scale(context->node, axes[d].in, scales[d], &axes[d].out, err));
    }
    return oq_resize(context, data, &options, axes, err);
}

static const float *known_scales(const oq_infer_context *context, float pair[4], size_t *count) {
    const oq_node *node = context->node;
    const oq_tensor *input = context->input_count > 1 ? context->in_const[1] : NULL;
    const oq_attr *attr = oq_node_attr(node, "scales");
    if (input && input->dtype == ONNXQ_FLOAT) {
        *count = (size_t)oq_tensor_count(input);
        return input->data;
    }
    if (attr && attr->kind == OQ_ATTR_FLOATS) {
        *count = attr->count;
        return attr->floats;
    }
    if (!oq_node_attr(node, "height_scale")) return NULL;
    pair[0] = pair[1] = 1;
    pair[2] = oq_node_float(node, "height_scale", 1);
    pair[3] = oq_node_float(node, "width_scale", 1);
    *count = 4;
    return pair;
}

oq_status oq_infer_upsample(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    float pair[4];
    size_t count = 0;
    const float *scales = known_scales(context, pair, &count);
    if (!in || in->rank < 0) return ONNXQ_OK;
    oq_type out = *in;
    if (scales && count != (size_t)in->rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %zu scales for an input of rank %d",
                       context->node->op_type, count, in->rank);
    for (int d = 0; d < in->rank; ++d) {
        if (scales && scales[d] == 1) continue;
        if (scales && oq_dim_known(in->dim[d]))
            OQ_TRY(check_scale(context->node, in->dim[d].size, scales[d], &out.dim[d].size, err));
        else
            out.dim[d] = OQ_DIM_ANONYMOUS;
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}
