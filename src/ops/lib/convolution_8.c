// 8-bit convolution of one image.
#include "ops/lib/convolution_8.h"

#include "kernels/rows.h"

oq_status oq_convolution_8_prepare(oq_run_context *context, size_t w, void **state, oq_error *err) {
    const oq_tensor *weight = oq_in(context, w);
    oq_conv_shape shape;
    bool fits = false;
    if (!weight || context->saturate_pairs) return ONNXQ_OK;
    OQ_TRY(oq_convolution_of_weight(context->node, &weight->shape, &shape, &fits, err));
    if (!fits) return ONNXQ_OK;
    oq_packed *packed = NULL;
    OQ_TRY(oq_packed_new(context, 1, oq_conv_8_packed_bytes(&shape), &packed, err));
    oq_conv_8_pack(&shape, weight->data, weight->dtype == ONNXQ_INT8, packed->panels);
    *state = packed;
    return ONNXQ_OK;
}

static int32_t byte_at(const void *data, bool is_signed, size_t i) {
    return is_signed ? ((const int8_t *)data)[i] : ((const uint8_t *)data)[i];
}

// What element `i` of a filter meets at one place of the output: x_zero in the padding.
static int32_t input_at(const oq_convolution_8 *c, size_t filter, const int64_t *place, size_t i) {
    const oq_window *w = &c->plan->window;
    const size_t channels = c->plan->channels / c->plan->groups;
    const size_t first = filter / (c->plan->filters / c->plan->groups) * channels;
    const size_t cells = (size_t)oq_window_cells(w);
    size_t rest = i % cells;
    size_t offset = 0;
    size_t step = 1;
    for (int axis = w->spatial - 1; axis >= 0; axis--) {
        const int64_t cell = (int64_t)(rest % (size_t)w->kernel[axis]);
        const int64_t at = place[axis] * w->stride[axis] + cell * w->dilation[axis] - w->pad_begin[axis];
        if (at < 0 || at >= w->in[axis]) return c->x_zero;
        offset += (size_t)at * step;
        step *= (size_t)w->in[axis];
        rest /= (size_t)w->kernel[axis];
    }
    return byte_at(c->x, c->x_signed, (first + i / cells) * oq_window_in_plane(w) + offset);
}

// Sum of one filter at one place.
static int32_t plain_sum(const oq_convolution_8 *c, size_t filter, const int64_t *place) {
    const int32_t w_zero = c->w_zero[c->w_zero_per_filter ? filter : 0];
    const bool w_signed = c->w->dtype == ONNXQ_INT8;
    uint32_t sum = 0; // wraps like the kernels
    for (size_t i = 0; i < c->plan->patch; i++) {
        const int32_t x = input_at(c, filter, place, i) - c->x_zero;
        sum += (uint32_t)(x * (byte_at(c->w->data, w_signed, filter * c->plan->patch + i) - w_zero));
    }
    return (int32_t)sum;
}

// What saturation of pairs adds to the sum: channels of one cell are neighbours.
static int32_t pairs_excess(const oq_convolution_8 *c, size_t filter, const int64_t *place) {
    const size_t channels = c->plan->channels / c->plan->groups;
    const size_t cells = c->plan->patch / channels;
    const int8_t *w = (const int8_t *)c->w->data + filter * c->plan->patch;
    int32_t excess = 0;
    for (size_t k = 0; k + 1 < c->plan->patch; k += 2) {
        const size_t a = k % channels * cells + k / channels;
        const size_t b = (k + 1) % channels * cells + (k + 1) / channels;
        excess += oq_pair_excess(input_at(c, filter, place, a) * w[a] + input_at(c, filter, place, b) * w[b]);
    }
    return excess;
}

// Kernels add no pairs in depthwise convolutions.
static bool saturates(const oq_run_context *context, const oq_convolution_8 *c) {
    return context->saturate_pairs && !c->x_signed && c->w->dtype == ONNXQ_INT8 && c->plan->patch &&
           (c->plan->groups == 1 || c->plan->channels > c->plan->groups);
}

static void plain(const oq_convolution_8 *c, bool saturating) {
    const oq_window *w = &c->plan->window;
    const size_t places = oq_window_out_plane(w);
    for (size_t i = 0; i < c->plan->out_image; i++) {
        int64_t place[OQ_WINDOW_MAX];
        size_t rest = i % places;
        for (int axis = w->spatial - 1; axis >= 0; axis--) {
            place[axis] = (int64_t)(rest % (size_t)w->out[axis]);
            rest /= (size_t)w->out[axis];
        }
        c->acc[i] = plain_sum(c, i / places, place);
        if (saturating) c->acc[i] += pairs_excess(c, i / places, place);
    }
    const oq_requantize *r = c->requantize;
    for (size_t f = 0; r && f < c->plan->filters; f++) {
        int32_t *acc = c->acc + f * places;
        const int32_t bias = r->bias ? r->bias[f] : 0;
        for (size_t i = 0; i < places; i++) acc[i] = (int32_t)((uint32_t)acc[i] + (uint32_t)bias);
        oq_rows_requantize_8(acc, r->multiplier + (r->per_channel ? f : 0), 0, r->zero_point, r->is_signed,
                             (uint8_t *)r->out + f * places, places);
    }
}

oq_status oq_convolution_8_run(oq_run_context *context, oq_convolution_8 *c, oq_error *err) {
    const oq_packed *state = context->state;
    oq_conv_shape shape;
    if (!c->plan->out_image) return ONNXQ_OK;
    if (!c->plan->patch || !oq_convolution_shape(c->plan, &shape) || saturates(context, c)) {
        plain(c, saturates(context, c));
        return ONNXQ_OK;
    }
    const bool w_signed = c->w->dtype == ONNXQ_INT8;
    if (!state && !c->packed) {
        OQ_TRY(oq_scratch_array(context, 1, oq_conv_8_packed_bytes(&shape), &c->packed, err));
        oq_conv_8_pack(&shape, c->w->data, w_signed, c->packed);
    }
    const oq_conv_8 conv = {.shape = &shape,
                            .x = c->x,
                            .x_signed = c->x_signed,
                            .w_signed = w_signed,
                            .x_zero = c->x_zero,
                            .packed = state ? state->panels : c->packed,
                            .w_zero = c->w_zero,
                            .w_zero_per_filter = c->w_zero_per_filter,
                            .acc = c->acc,
                            .requantize = c->requantize,
                            .pool = context->pool};
    oq_conv_8_run(&conv);
    return ONNXQ_OK;
}
