// ConvTranspose: every input element spreads its filter over the output; a product, then columns to image.
#include "ops/lib/columns.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/product.h"

#include <string.h>

// `window` is that of the convolution whose gradient this is: its image is our output, its places our input.
typedef struct transposed {
    oq_window window;
    size_t images, groups, channels, filters; // of x and of y
    size_t in_image, out_image;               // elements of one image of x and of y
    size_t patch;                             // columns of w: filters / groups * kernel
    oq_shape out;
} transposed;

// Output size and pads along one axis from the input's size.
static oq_status place_axis(oq_window *w, int axis, int64_t in, int64_t extra, int64_t asked, oq_error *err) {
    int64_t full = 0; // without any padding
    int64_t extent = 0;
    const bool fits = oq_mul_i64(in - 1, w->stride[axis], &full) &&
                      oq_mul_i64(w->kernel[axis] - 1, w->dilation[axis], &extent) &&
                      oq_add_i64(full, extent + 1 + extra, &full);
    const bool same = w->auto_pad == OQ_PAD_SAME_UPPER || w->auto_pad == OQ_PAD_SAME_LOWER;
    if (!fits) return oq_fail(err, ONNXQ_BAD_MODEL, "the output along spatial axis %d is too large", axis);
    if (w->auto_pad == OQ_PAD_VALID) w->pad_begin[axis] = w->pad_end[axis] = 0;
    if (asked < 0 && same) asked = in * w->stride[axis];
    if (asked >= 0) {
        const int64_t total = full > asked ? full - asked : 0;
        w->pad_begin[axis] = w->auto_pad == OQ_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[axis] = total - w->pad_begin[axis];
    }
    w->in[axis] = asked >= 0 ? asked : full - w->pad_begin[axis] - w->pad_end[axis];
    w->out[axis] = in;
    if (w->in[axis] >= 0) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "pads are larger than the output along spatial axis %d", axis);
}

// Reads a list attribute of one number (or, for output_shape, one with images and channels in front) per
// axis.
static oq_status read_sizes(const oq_node *node, const char *name, int spatial, int64_t otherwise,
                            int64_t *out, oq_error *err) {
    size_t count = 0;
    const int64_t *values = oq_node_ints(node, name, &count);
    const size_t n = (size_t)spatial;
    if (count && count != n && count != n + 2) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "attribute %s has %zu numbers for %d spatial axes", name, count,
                       spatial);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = count ? values[count - n + i] : otherwise;
        if (count && (out[i] < 0 || out[i] > INT32_MAX)) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "attribute %s holds %lld, which is out of range", name,
                           (long long)out[i]);
        }
    }
    return ONNXQ_OK;
}

static oq_status place(const oq_node *node, oq_window *w, const int64_t *in, oq_error *err) {
    int64_t extra[OQ_WINDOW_MAX] = {0};
    int64_t asked[OQ_WINDOW_MAX] = {0};
    OQ_TRY(read_sizes(node, "output_padding", w->spatial, 0, extra, err));
    OQ_TRY(read_sizes(node, "output_shape", w->spatial, -1, asked, err));
    for (int i = 0; i < w->spatial; i++) OQ_TRY(place_axis(w, i, in[i], extra[i], asked[i], err));
    return ONNXQ_OK;
}

static oq_status plan(const oq_node *node, const oq_shape *x, const oq_shape *w, transposed *t,
                      oq_error *err) {
    *t = (transposed){0};
    const int64_t groups = oq_node_int(node, "group", 1);
    int64_t filters = 0;
    if (x->rank < 3 || x->rank != w->rank || groups < 1 || x->dim[1] != w->dim[0] ||
        x->dim[1] % groups != 0 || !oq_mul_i64(w->dim[1], groups, &filters)) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "input and weight of ConvTranspose do not fit each other: rank, channels or group (%lld)",
            (long long)groups);
    }
    OQ_TRY(oq_window_read(node, x->rank - 2, &w->dim[2], &t->window, err));
    OQ_TRY(place(node, &t->window, &x->dim[2], err));
    t->out = *x;
    t->out.dim[1] = filters;
    for (int i = 2; i < x->rank; i++) t->out.dim[i] = t->window.in[i - 2];
    OQ_TRY(oq_shape_check(&t->out, 16, NULL, err));
    t->images = (size_t)x->dim[0];
    t->groups = (size_t)groups;
    t->channels = (size_t)x->dim[1];
    t->filters = (size_t)filters;
    t->in_image = (size_t)oq_shape_range_count(x, 1, x->rank);
    t->out_image = (size_t)oq_shape_range_count(&t->out, 1, x->rank);
    t->patch = (size_t)oq_shape_range_count(w, 1, w->rank);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    const oq_type *w = oq_infer_in(context, 1);
    if (!x || !w) return ONNXQ_OK;
    oq_type out = oq_type_tensor(x->dtype, x->rank, NULL);
    oq_shape kernel;
    if (x->rank < 3 || w->rank != x->rank) {
        oq_infer_set_type(context, 0, &out);
        return ONNXQ_OK;
    }
    out.dim[0] = x->dim[0];
    oq_dim groups = oq_dim_of(oq_node_int(context->node, "group", 1));
    out.dim[1] = oq_dim_multiply(w->dim[1], groups);
    int64_t asked[OQ_WINDOW_MAX] = {0};
    OQ_TRY(read_sizes(context->node, "output_shape", x->rank - 2, -1, asked, err));
    for (int i = 2; i < x->rank; i++) out.dim[i] = oq_dim_as_size(oq_dim_number(asked[i - 2]));
    oq_window window;
    if (oq_type_static(w, &kernel)) {
        int64_t in[OQ_WINDOW_MAX] = {0};
        OQ_TRY(oq_window_read(context->node, x->rank - 2, &kernel.dim[2], &window, err));
        // Axes of unknown size are placed as if they had one element, and left anonymous.
        for (int i = 2; i < x->rank; i++) in[i - 2] = oq_dim_known(x->dim[i]) ? x->dim[i].size : 1;
        oq_window placed = window;
        const bool known = place(context->node, &placed, in, NULL) == ONNXQ_OK;
        for (int i = 2; i < x->rank && known; i++) {
            if (oq_dim_known(x->dim[i])) out.dim[i] = oq_dim_of(placed.in[i - 2]);
        }
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// Each group: columns [patch, places] = w' [patch, channels] * x [channels, places], summed into the image.
static oq_status run_groups(oq_run_context *context, const transposed *t, oq_work_type work, const char *x,
                            const char *w, char *y, oq_error *err) {
    const size_t size = oq_work_bytes(work);
    const size_t channels = t->channels / t->groups;
    const size_t places = oq_window_out_plane(&t->window);
    void *columns = NULL;
    size_t count = 0;
    if (!oq_mul_size(t->patch, places, &count)) {
        return oq_fail(err, ONNXQ_NO_MEMORY, "the unrolled image does not fit in memory");
    }
    oq_product p = {.work = work,
                    .m = t->patch,
                    .n = places,
                    .k = channels,
                    .a_row = 1,
                    .a_column = t->patch,
                    .ldb = places,
                    .ldc = places,
                    .pool = context->pool};
    OQ_TRY(oq_scratch_array(context, count, size, &columns, err));
    OQ_TRY(oq_product_space(context, work, channels, places, &p.space, err));
    p.c = columns;
    for (size_t i = 0; i < t->images * t->groups && count; i++) {
        p.a = w + i % t->groups * channels * t->patch * size;
        p.b = x + i * channels * places * size;
        oq_product_run(&p);
        oq_columns_to_image(&t->window, work, t->filters / t->groups, columns,
                            y + i * (t->out_image / t->groups) * size);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *w = oq_in(context, 1);
    const oq_tensor *b = oq_in(context, 2);
    const oq_work_type work = oq_dtype_info(x->dtype)->work;
    transposed t;
    OQ_TRY(plan(context->node, &x->shape, &w->shape, &t, err));
    if (b && oq_tensor_count(b) != (int64_t)t.filters) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the bias has %lld values for %zu filters",
                       (long long)oq_tensor_count(b), t.filters);
    }
    const void *in[3] = {NULL};
    oq_array_target y;
    OQ_TRY(oq_array_out(context, 0, x->dtype, &t.out, work, &y, err));
    OQ_TRY(oq_array_in(context, x, work, &in[0], err));
    OQ_TRY(oq_array_in(context, w, work, &in[1], err));
    if (b) OQ_TRY(oq_array_in(context, b, work, &in[2], err));
    memset(y.data, 0, (size_t)oq_shape_count(&t.out) * oq_work_bytes(work));
    OQ_TRY(run_groups(context, &t, work, in[0], in[1], y.data, err));
    const size_t places = t.filters ? t.out_image / t.filters : 0;
    if (b) oq_columns_add_bias(work, y.data, in[2], t.images, t.filters, places);
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *x = oq_macs_input(graph, node, 0);
    const oq_type *w = oq_macs_input(graph, node, 1);
    return x && w ? oq_macs_times(oq_macs_elements(x, 0), oq_macs_elements(w, 1)) : 0;
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {OQ_CONVOLUTION_ATTRS,
                                     {"output_padding", OQ_ATTR_INTS, false},
                                     {"output_shape", OQ_ATTR_INTS, false},
                                     {0}};

#define SIGNATURE "X:T, W:T, B?:T -> Y:T"
#define RUNS      .signature = SIGNATURE, .attrs = attrs, .infer = infer, .run = run, .macs = macs
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, RUNS},
    {.since = 11, .types = types_1, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(ConvTranspose, versions);
