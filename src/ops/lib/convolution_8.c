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

// Kernels add no pairs in depthwise convolutions.
static bool saturates(const oq_run_context *context, const oq_convolution_8 *c) {
    return context->saturate_pairs && !c->x_signed && c->w->dtype == ONNXQ_INT8 && c->plan->patch &&
           (c->plan->groups == 1 || c->plan->channels > c->plan->groups);
}

static void place_of(const oq_window *w, size_t index, int64_t *place) {
    for (int axis = w->spatial - 1; axis >= 0; axis--) {
        place[axis] = (int64_t)(index % (size_t)w->out[axis]);
        index /= (size_t)w->out[axis];
    }
}

static void requantize(const oq_convolution_8 *c) {
    const oq_requantize *r = c->requantize;
    const size_t places = oq_window_out_plane(&c->plan->window);
    for (size_t f = 0; r && f < c->plan->filters; f++) {
        int32_t *acc = c->acc + f * places;
        const int32_t bias = r->bias ? r->bias[f] : 0;
        for (size_t i = 0; i < places; i++) acc[i] = (int32_t)((uint32_t)acc[i] + (uint32_t)bias);
        oq_rows_requantize_8(acc, r->multiplier + (r->per_channel ? f : 0), 0, r->zero_point, r->is_signed,
                             (uint8_t *)r->out + f * places, places);
    }
}

static void plain(const oq_convolution_8 *c) {
    const size_t places = oq_window_out_plane(&c->plan->window);
    for (size_t i = 0; i < c->plan->out_image; i++) {
        int64_t place[OQ_WINDOW_MAX];
        place_of(&c->plan->window, i % places, place);
        c->acc[i] = plain_sum(c, i / places, place);
    }
    requantize(c);
}

// --- pairs that saturate ---

// Where in a filter its element number `k` stands when channels of one cell are neighbours.
static size_t paired_element(const oq_convolution_8 *c, size_t k) {
    const size_t channels = c->plan->channels / c->plan->groups, cells = c->plan->patch / channels;
    return k % channels * cells + k / channels;
}

// sum (x - x_zero)(w - w_zero) over n elements, sums of two products cut to 16 bits; wraps like the kernels.
static int32_t paired_sum(const uint8_t *x, const int8_t *w, size_t n, int32_t x_zero, int32_t w_zero) {
    uint32_t sum = 0, zeros = 0;
    for (size_t k = 0; k + 1 < n; k += 2) {
        const int32_t pair = x[k] * w[k] + x[k + 1] * w[k + 1];
        sum += (uint32_t)(pair + oq_pair_excess(pair));
    }
    if (n % 2) sum += (uint32_t)(x[n - 1] * w[n - 1]);
    for (size_t k = 0; k < n; k++) zeros += (uint32_t)(x_zero * w_zero - w_zero * x[k] - x_zero * w[k]);
    return (int32_t)(sum + zeros);
}

static oq_status saturating(oq_run_context *context, const oq_convolution_8 *c, oq_error *err) {
    const size_t places = oq_window_out_plane(&c->plan->window), patch = c->plan->patch;
    const size_t filters = c->plan->filters / c->plan->groups; // of a group
    const int8_t *given = c->w->data;
    void *space = NULL;
    OQ_TRY(oq_scratch_array(context, patch, c->plan->filters + 1, &space, err));
    int8_t *w = space;
    uint8_t *x = (uint8_t *)space + patch * c->plan->filters;
    for (size_t f = 0; f < c->plan->filters; f++)
        for (size_t k = 0; k < patch; k++) w[f * patch + k] = given[f * patch + paired_element(c, k)];
    for (size_t group = 0; group < c->plan->groups; group++)
        for (size_t i = 0; i < places; i++) {
            const size_t first = group * filters;
            int64_t place[OQ_WINDOW_MAX];
            place_of(&c->plan->window, i, place);
            for (size_t k = 0; k < patch; k++)
                x[k] = (uint8_t)input_at(c, first, place, paired_element(c, k));
            for (size_t f = first; f < first + filters; f++)
                c->acc[f * places + i] =
                    paired_sum(x, w + f * patch, patch, c->x_zero, c->w_zero[c->w_zero_per_filter ? f : 0]);
        }
    requantize(c);
    return ONNXQ_OK;
}

oq_status oq_convolution_8_run(oq_run_context *context, oq_convolution_8 *c, oq_error *err) {
    const oq_packed *state = context->state;
    oq_conv_shape shape;
    if (!c->plan->out_image || !c->plan->filters) return ONNXQ_OK; // nothing to compute
    if (saturates(context, c)) return saturating(context, c, err);
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
