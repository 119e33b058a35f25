// 8-bit convolution of one image.
#include "ops/lib/convolution_8.h"

#include "kernels/rows.h"

oq_status oq_convolution_8_prepare(oq_run_context *context, size_t w, void **state, oq_error *err) {
    const oq_tensor *weight = oq_in(context, w);
    oq_conv_shape shape;
    bool fits = false;
    if (!weight) return ONNXQ_OK;
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

// Sum of one filter at one place; cells in the padding add nothing, as x - x_zero is 0 there.
static int32_t plain_sum(const oq_convolution_8 *c, size_t filter, const int64_t *place) {
    const oq_window *w = &c->plan->window;
    const size_t channels = c->plan->channels / c->plan->groups;
    const size_t first = filter / (c->plan->filters / c->plan->groups) * channels;
    const size_t image = oq_window_in_plane(w);
    const int32_t w_zero = c->w_zero[c->w_zero_per_filter ? filter : 0];
    const bool w_signed = c->w->dtype == ONNXQ_INT8;
    const size_t cells = (size_t)oq_window_cells(w);
    uint32_t sum = 0; // wraps like the kernels
    for (size_t i = 0; i < c->plan->patch; i++) {
        size_t rest = i % cells;
        size_t offset = 0;
        size_t step = 1;
        bool inside = true;
        for (int axis = w->spatial - 1; axis >= 0; axis--) {
            const int64_t cell = (int64_t)(rest % (size_t)w->kernel[axis]);
            const int64_t at = place[axis] * w->stride[axis] + cell * w->dilation[axis] - w->pad_begin[axis];
            inside = inside && at >= 0 && at < w->in[axis];
            offset += (size_t)at * step;
            step *= (size_t)w->in[axis];
            rest /= (size_t)w->kernel[axis];
        }
        if (!inside) continue;
        const int32_t x = byte_at(c->x, c->x_signed, (first + i / cells) * image + offset) - c->x_zero;
        sum += (uint32_t)(x * (byte_at(c->w->data, w_signed, filter * c->plan->patch + i) - w_zero));
    }
    return (int32_t)sum;
}

static void plain(const oq_convolution_8 *c) {
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
    if (!c->plan->patch || !oq_convolution_shape(c->plan, &shape)) {
        plain(c);
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
