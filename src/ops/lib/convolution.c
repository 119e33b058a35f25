// What Conv, QLinearConv and ConvInteger share.
#include "ops/lib/convolution.h"

#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

static oq_status groups_of(const oq_node *node, int64_t filters, size_t *out, oq_error *err) {
    const int64_t groups = oq_node_int(node, "group", 1);
    if (groups < 1 || (filters >= 0 && filters % groups != 0)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "group is %lld, which does not divide the %lld filters",
                       (long long)groups, (long long)filters);
    }
    *out = (size_t)groups;
    return ONNXQ_OK;
}

oq_status oq_convolution_plan(const oq_node *node, const oq_shape *x, const oq_shape *w, oq_convolution *out,
                              oq_error *err) {
    *out = (oq_convolution){0};
    if (x->rank < 3 || x->rank != w->rank) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "input and weight of a convolution must have the same rank of at least 3, not %d and %d", x->rank,
            w->rank);
    }
    const int spatial = x->rank - 2;
    OQ_TRY(groups_of(node, w->dim[0], &out->groups, err));
    int64_t channels = 0;
    if (!oq_mul_i64(w->dim[1], (int64_t)out->groups, &channels) || channels != x->dim[1]) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "the input has %lld channels, the weight needs %lld in each of %zu groups",
                       (long long)x->dim[1], (long long)w->dim[1], out->groups);
    }
    OQ_TRY(oq_window_read(node, spatial, &w->dim[2], &out->window, err));
    OQ_TRY(oq_window_place(&out->window, &x->dim[2], err));
    out->images = (size_t)x->dim[0];
    out->channels = (size_t)x->dim[1];
    out->filters = (size_t)w->dim[0];
    out->out = *x;
    out->out.dim[1] = w->dim[0];
    for (int i = 0; i < spatial; i++) out->out.dim[2 + i] = out->window.out[i];
    OQ_TRY(oq_shape_check(&out->out, 16, NULL, err));
    out->in_image = (size_t)oq_shape_range_count(x, 1, x->rank);
    out->out_image = (size_t)oq_shape_range_count(&out->out, 1, x->rank);
    out->patch = (size_t)oq_shape_range_count(w, 1, w->rank);
    return ONNXQ_OK;
}

oq_status oq_convolution_of_weight(const oq_node *node, const oq_shape *w, oq_conv_shape *out, bool *fits,
                                   oq_error *err) {
    *out = (oq_conv_shape){.spatial = w->rank - 2};
    *fits = w->rank > 2 && out->spatial <= OQ_CONV_MAX_SPATIAL && oq_shape_count(w) > 0;
    if (!*fits) return ONNXQ_OK;
    OQ_TRY(groups_of(node, w->dim[0], &out->groups, err));
    out->filters = (size_t)w->dim[0];
    if (!oq_mul_size((size_t)w->dim[1], out->groups, &out->channels)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "group is too large");
    }
    oq_window window;
    OQ_TRY(oq_window_read(node, out->spatial, &w->dim[2], &window, err));
    for (int i = 0; i < out->spatial; i++) {
        out->kernel[i] = (size_t)window.kernel[i];
        out->stride[i] = (size_t)window.stride[i];
        out->dilation[i] = (size_t)window.dilation[i];
    }
    return ONNXQ_OK;
}

bool oq_convolution_shape(const oq_convolution *c, oq_conv_shape *out) {
    if (c->window.spatial > OQ_CONV_MAX_SPATIAL) return false;
    *out = (oq_conv_shape){
        .spatial = c->window.spatial, .groups = c->groups, .channels = c->channels, .filters = c->filters};
    for (int i = 0; i < c->window.spatial; i++) {
        out->in[i] = (size_t)c->window.in[i];
        out->out[i] = (size_t)c->window.out[i];
        out->kernel[i] = (size_t)c->window.kernel[i];
        out->stride[i] = (size_t)c->window.stride[i];
        out->dilation[i] = (size_t)c->window.dilation[i];
        out->pad[i] = (size_t)c->window.pad_begin[i];
    }
    return true;
}

oq_status oq_convolution_infer(oq_infer_context *context, size_t x, size_t w, oq_dtype dtype, oq_error *err) {
    const oq_type *image = oq_infer_in(context, x);
    const oq_type *weight = oq_infer_in(context, w);
    oq_infer_set_dtype(context, 0, dtype);
    if (!image || !weight) return ONNXQ_OK;
    const int rank = image->rank >= 0 ? image->rank : weight->rank;
    context->out[0] = oq_type_tensor(dtype, rank, NULL);
    if (rank < 0) return ONNXQ_OK;
    if (rank < 3 || (weight->rank >= 0 && weight->rank != rank)) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "input and weight of a convolution must have the same rank of at least 3, not %d and %d", rank,
            weight->rank);
    }
    oq_type *out = &context->out[0];
    if (image->rank >= 0) out->dim[0] = image->dim[0];
    if (weight->rank >= 0) out->dim[1] = weight->dim[0];
    int64_t kernel[OQ_MAX_RANK];
    bool known = weight->rank >= 0;
    for (int i = 2; i < rank && known; i++) {
        kernel[i - 2] = weight->dim[i].size;
        known = oq_dim_known(weight->dim[i]);
    }
    if (image->rank < 0 || (!known && !oq_node_attr(context->node, "kernel_shape"))) return ONNXQ_OK;
    oq_window window;
    OQ_TRY(oq_window_read(context->node, rank - 2, known ? kernel : NULL, &window, err));
    for (int i = 2; i < rank; i++) {
        OQ_TRY(oq_window_infer(&window, i - 2, image->dim[i], &out->dim[i], err));
    }
    return ONNXQ_OK;
}

uint64_t oq_convolution_macs(const oq_graph *graph, const oq_node *node, size_t w) {
    const oq_type *weight = oq_macs_input(graph, node, w);
    const oq_type *out = oq_macs_output(graph, node, 0);
    return weight && out ? oq_macs_times(oq_macs_elements(out, 0), oq_macs_elements(weight, 1)) : 0;
}
