// Sliding windows of convolutions and pools.
#include "ops/lib/window.h"

#include "ops/lib/infer.h"

#include <string.h>

#define SIZE_LIMIT (INT64_C(1) << 31) // of kernels, strides, pads and images: sums and products stay exact

static oq_status read_auto_pad(const oq_node *node, oq_auto_pad *out, oq_error *err) {
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *text = oq_node_string(node, "auto_pad", "NOTSET");
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (oq_auto_pad)i;
            return ONNXQ_OK;
        }
    }
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "auto_pad is '%s'; it must be NOTSET, VALID, SAME_UPPER or SAME_LOWER", text);
}

// A list attribute of `count` numbers >= least; `otherwise` everywhere when it is left out.
static oq_status read_list(const oq_node *node, const char *name, size_t count, int64_t least,
                           int64_t otherwise, int64_t *out, oq_error *err) {
    size_t given = 0;
    const int64_t *values = oq_node_ints(node, name, &given);
    if (given && given != count) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "attribute %s has %zu numbers where the input needs %zu", name,
                       given, count);
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = given ? values[i] : otherwise;
        if (out[i] < least || out[i] > SIZE_LIMIT) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "attribute %s holds %lld, which is out of range", name,
                           (long long)out[i]);
        }
    }
    return ONNXQ_OK;
}

oq_status oq_window_read(const oq_node *node, int spatial, const int64_t *kernel, oq_window *out,
                         oq_error *err) {
    *out = (oq_window){.spatial = spatial};
    if (spatial < 1 || spatial > OQ_WINDOW_MAX) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the input has too few or too many axes (rank %d)", spatial + 2);
    }
    const size_t n = (size_t)spatial;
    int64_t pads[2 * OQ_WINDOW_MAX] = {0};
    OQ_TRY(read_auto_pad(node, &out->auto_pad, err));
    OQ_TRY(read_list(node, "kernel_shape", n, 1, 1, out->kernel, err));
    OQ_TRY(read_list(node, "strides", n, 1, 1, out->stride, err));
    OQ_TRY(read_list(node, "dilations", n, 1, 1, out->dilation, err));
    OQ_TRY(read_list(node, "pads", 2 * n, 0, 0, pads, err));
    const bool has_kernel = oq_node_attr(node, "kernel_shape") != NULL;
    for (int i = 0; i < spatial; i++) {
        out->pad_begin[i] = pads[i];
        out->pad_end[i] = pads[spatial + i];
        if (!kernel) continue;
        if (kernel[i] < 1 || kernel[i] > SIZE_LIMIT || (has_kernel && kernel[i] != out->kernel[i])) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "the weight has kernel size %lld along spatial axis %d%s",
                           (long long)kernel[i], i, has_kernel ? ", kernel_shape says otherwise" : "");
        }
        out->kernel[i] = kernel[i];
    }
    out->ceil = oq_node_int(node, "ceil_mode", 0) != 0;
    return ONNXQ_OK;
}

// Elements that one window spans along an axis.
static oq_status extent_of(const oq_window *w, int axis, int64_t *out, oq_error *err) {
    if (oq_mul_i64(w->kernel[axis] - 1, w->dilation[axis], out) && *out < SIZE_LIMIT) {
        *out += 1;
        return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "the window along spatial axis %d is too large", axis);
}

// Output size and pads in effect along one axis.
static oq_status place_axis(oq_window *w, int axis, int64_t in, oq_error *err) {
    int64_t extent = 0;
    OQ_TRY(extent_of(w, axis, &extent, err));
    const int64_t stride = w->stride[axis];
    if (in > SIZE_LIMIT) return oq_fail(err, ONNXQ_BAD_MODEL, "the image is too large");
    w->in[axis] = in;
    if (w->auto_pad == OQ_PAD_SAME_UPPER || w->auto_pad == OQ_PAD_SAME_LOWER) {
        const int64_t out = in / stride + (in % stride != 0);
        const int64_t needed = out ? (out - 1) * stride + extent - in : 0;
        const int64_t total = needed > 0 ? needed : 0;
        const int64_t less = total / 2;
        w->pad_begin[axis] = w->auto_pad == OQ_PAD_SAME_UPPER ? less : total - less;
        w->pad_end[axis] = total - w->pad_begin[axis];
        w->out[axis] = out;
        return ONNXQ_OK;
    }
    if (w->auto_pad == OQ_PAD_VALID) {
        w->pad_begin[axis] = 0;
        w->pad_end[axis] = 0;
    }
    const int64_t padded = in + w->pad_begin[axis] + w->pad_end[axis];
    const int64_t room = padded - extent;
    if (room < 0) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "the window (%lld) is larger than the padded image (%lld) along spatial axis %d",
                       (long long)extent, (long long)padded, axis);
    }
    w->out[axis] = room / stride + 1;
    if (w->ceil && room % stride != 0) {
        // One more window, unless it would begin behind the image, in the padding of the end.
        if (w->out[axis] * stride < in + w->pad_begin[axis]) w->out[axis]++;
    }
    return ONNXQ_OK;
}

oq_status oq_window_place(oq_window *window, const int64_t *in, oq_error *err) {
    for (int axis = 0; axis < window->spatial; axis++) OQ_TRY(place_axis(window, axis, in[axis], err));
    return ONNXQ_OK;
}

oq_status oq_window_infer(const oq_window *window, int axis, oq_dim in, oq_dim *out, oq_error *err) {
    *out = OQ_DIM_ANONYMOUS;
    oq_window placed = *window;
    if (oq_dim_known(in)) {
        OQ_TRY(place_axis(&placed, axis, in.size, err));
        *out = oq_dim_of(placed.out[axis]);
        return ONNXQ_OK;
    }
    int64_t extent = 0;
    OQ_TRY(extent_of(window, axis, &extent, err));
    const int64_t pads =
        window->auto_pad == OQ_PAD_NOTSET ? window->pad_begin[axis] + window->pad_end[axis] : 0;
    const bool same = window->auto_pad == OQ_PAD_SAME_UPPER || window->auto_pad == OQ_PAD_SAME_LOWER;
    if (window->stride[axis] == 1 && (same || pads == extent - 1)) *out = in;
    return ONNXQ_OK;
}

int64_t oq_window_cells(const oq_window *window) {
    int64_t cells = 1;
    for (int axis = 0; axis < window->spatial; axis++) {
        if (!oq_mul_i64(cells, window->kernel[axis], &cells)) return INT64_MAX;
    }
    return cells;
}

static size_t product(const int64_t *sizes, int count) {
    size_t n = 1;
    for (int i = 0; i < count; i++) n *= (size_t)sizes[i];
    return n;
}

size_t oq_window_in_plane(const oq_window *window) { return product(window->in, window->spatial); }
size_t oq_window_out_plane(const oq_window *window) { return product(window->out, window->spatial); }

// Places along an axis whose window has `cell` inside the image: [*from, *to).
static void places_with(const oq_window *w, int axis, int64_t cell, int64_t *from, int64_t *to) {
    const int64_t shift = w->pad_begin[axis] - cell * w->dilation[axis]; // at = place * stride - shift
    const int64_t stride = w->stride[axis];
    const int64_t last = w->in[axis] - 1 + shift;
    *from = shift > 0 ? (shift + stride - 1) / stride : 0;
    *to = last < 0 ? 0 : last / stride + 1;
    if (*to > w->out[axis]) *to = w->out[axis];
}

// Where the image's row lies that `cell` touches for the output row of `place` (the last axis of both is not
// looked at); false in the padding.
static bool row_offset(const oq_window *w, const int64_t *place, const int64_t *cell, int64_t *out) {
    int64_t offset = 0;
    for (int axis = 0; axis < w->spatial - 1; axis++) {
        const int64_t at =
            place[axis] * w->stride[axis] + cell[axis] * w->dilation[axis] - w->pad_begin[axis];
        if (at < 0 || at >= w->in[axis]) return false;
        offset = offset * w->in[axis] + at;
    }
    *out = offset * w->in[w->spatial - 1];
    return true;
}

// Steps an odometer over the leading axes, last of them fastest; false after the last one.
static bool step(int64_t *index, const int64_t *sizes, int axes) {
    for (int axis = axes - 1; axis >= 0; axis--) {
        if (++index[axis] < sizes[axis]) return true;
        index[axis] = 0;
    }
    return false;
}

void oq_window_spans(const oq_window *window, void (*visit)(void *self, const oq_window_span *span),
                     void *self) {
    const int last = window->spatial - 1;
    int64_t place[OQ_WINDOW_MAX] = {0};
    size_t row = 0;
    if (!oq_window_out_plane(window) || !oq_window_in_plane(window)) return;
    do {
        int64_t cell[OQ_WINDOW_MAX] = {0};
        do {
            int64_t base = 0;
            if (!row_offset(window, place, cell, &base)) continue;
            for (int64_t k = 0; k < window->kernel[last]; k++) {
                int64_t from = 0;
                int64_t to = 0;
                places_with(window, last, k, &from, &to);
                if (from >= to) continue;
                const int64_t at =
                    from * window->stride[last] + k * window->dilation[last] - window->pad_begin[last];
                const oq_window_span span = {.y = row + (size_t)from,
                                             .x = (size_t)(base + at),
                                             .x_stride = (size_t)window->stride[last],
                                             .count = (size_t)(to - from)};
                visit(self, &span);
            }
        } while (step(cell, window->kernel, last));
        row += (size_t)window->out[last];
    } while (step(place, window->out, last));
}

oq_status oq_window_pool_type(const oq_node *node, const oq_type *x, oq_type *out, oq_error *err) {
    *out = oq_type_tensor(x->dtype, x->rank, NULL);
    if (x->rank < 0) return ONNXQ_OK;
    oq_window window;
    OQ_TRY(oq_window_read(node, x->rank - 2, NULL, &window, err));
    out->dim[0] = x->dim[0];
    out->dim[1] = x->dim[1];
    for (int i = 2; i < x->rank; i++) {
        OQ_TRY(oq_window_infer(&window, i - 2, x->dim[i], &out->dim[i], err));
    }
    return ONNXQ_OK;
}

oq_status oq_window_infer_pool(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    oq_type out;
    if (!x) return ONNXQ_OK;
    OQ_TRY(oq_window_pool_type(context->node, x, &out, err));
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

oq_status oq_window_plan_pool(const oq_node *node, const oq_shape *x, oq_window *window, oq_shape *out,
                              oq_error *err) {
    OQ_TRY(oq_window_read(node, x->rank - 2, NULL, window, err));
    OQ_TRY(oq_window_place(window, &x->dim[2], err));
    *out = *x;
    for (int i = 0; i < window->spatial; i++) out->dim[2 + i] = window->out[i];
    return oq_shape_check(out, 16, NULL, err);
}
