// DeformConv: convolution whose every cell is displaced by a learned offset and weighted by a mask.
#include "ops/lib/columns.h"
#include "ops/lib/convolution.h"
#include "ops/lib/infer.h"
#include "ops/lib/product.h"

#include <math.h>

enum { X, W, OFFSET, BIAS, MASK };

typedef struct deform {
    oq_convolution c;
    size_t offset_groups, cells, places;
    const double *x, *offset, *mask; // mask may be NULL
} deform;

// Bilinear sample of an image [rows, columns]; zeros around it.
static double sample(const double *image, const int64_t size[2], double y, double x) {
    if (!(y > -1 && y < (double)size[0] && x > -1 && x < (double)size[1])) return 0;
    const int64_t top = (int64_t)floor(y);
    const int64_t left = (int64_t)floor(x);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const int64_t row = top + i / 2;
        const int64_t column = left + i % 2;
        if (row < 0 || row >= size[0] || column < 0 || column >= size[1]) continue;
        sum += (1 - fabs(y - (double)row)) * (1 - fabs(x - (double)column)) * image[row * size[1] + column];
    }
    return sum;
}

// Columns [channels of the group * cells, places] of one image.
static void unroll(const deform *d, size_t image, size_t group, double *columns) {
    const oq_window *w = &d->c.window;
    const size_t channels = d->c.channels / d->c.groups;
    const size_t plane = d->c.in_image / d->c.channels;
    for (size_t i = 0; i < channels * d->cells * d->places; i++) {
        const size_t place = i % d->places;
        const size_t cell = i / d->places % d->cells;
        const size_t channel = group * channels + i / (d->places * d->cells);
        const size_t offset_group = channel / (d->c.channels / d->offset_groups);
        const size_t pair = (image * d->offset_groups + offset_group) * d->cells + cell;
        double at[2];
        for (size_t axis = 0; axis < 2; axis++) {
            const int64_t width[] = {w->out[1], w->kernel[1]};
            const int64_t to = axis ? (int64_t)place % width[0] : (int64_t)place / width[0];
            const int64_t k = axis ? (int64_t)cell % width[1] : (int64_t)cell / width[1];
            at[axis] = (double)(to * w->stride[axis] + k * w->dilation[axis] - w->pad_begin[axis]) +
                       d->offset[(pair * 2 + axis) * d->places + place];
        }
        const double value = sample(d->x + (image * d->c.channels + channel) * plane, w->in, at[0], at[1]);
        columns[i] = d->mask ? value * d->mask[pair * d->places + place] : value;
    }
}

static oq_status read_shapes(const oq_run_context *context, deform *d, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *offset = oq_in(context, OFFSET);
    const oq_tensor *mask = oq_in(context, MASK);
    const oq_tensor *bias = oq_in(context, BIAS);
    if (x->shape.rank != 4) {
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "DeformConv of rank %d is not supported, only images of rank 4", x->shape.rank);
    }
    OQ_TRY(oq_convolution_plan(context->node, &x->shape, &oq_in(context, W)->shape, &d->c, err));
    const int64_t groups = oq_node_int(context->node, "offset_group", 1);
    if (groups < 1 || x->shape.dim[1] % groups != 0 || !d->c.channels) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "offset_group %lld does not divide the channels",
                       (long long)groups);
    }
    d->offset_groups = (size_t)groups;
    d->cells = (size_t)oq_window_cells(&d->c.window);
    d->places = oq_window_out_plane(&d->c.window);
    const int64_t *out = d->c.window.out;
    const int64_t cells = groups * (int64_t)d->cells;
    const oq_shape offset_shape = OQ_SHAPE(x->shape.dim[0], 2 * cells, out[0], out[1]);
    const oq_shape mask_shape = OQ_SHAPE(x->shape.dim[0], cells, out[0], out[1]);
    if (!oq_shape_equal(&offset->shape, &offset_shape) ||
        (mask && !oq_shape_equal(&mask->shape, &mask_shape)) ||
        (bias && oq_tensor_count(bias) != (int64_t)d->c.filters)) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "offset, mask or bias of DeformConv does not fit the convolution");
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    deform d = {0};
    OQ_TRY(read_shapes(context, &d, err));
    const void *in[5] = {NULL};
    for (size_t i = 0; i < 5; i++) {
        if (oq_in(context, i)) OQ_TRY(oq_array_in(context, oq_in(context, i), OQ_WORK_F64, &in[i], err));
    }
    d.x = in[X];
    d.offset = in[OFFSET];
    d.mask = in[MASK];
    oq_array_target y;
    void *columns = NULL;
    size_t count = 0;
    OQ_TRY(oq_array_out(context, 0, x->dtype, &d.c.out, OQ_WORK_F64, &y, err));
    if (!oq_mul_size(d.c.patch, d.places, &count))
        return oq_fail(err, ONNXQ_NO_MEMORY, "the unrolled image is too large");
    OQ_TRY(oq_scratch_array(context, count, sizeof(double), &columns, err));
    const size_t filters = d.c.filters / d.c.groups;
    oq_product p = {.work = OQ_WORK_F64,
                    .m = filters,
                    .n = d.places,
                    .k = d.c.patch,
                    .a_row = d.c.patch,
                    .a_column = 1,
                    .b = columns,
                    .ldb = d.places,
                    .ldc = d.places};
    for (size_t i = 0; i < d.c.images * d.c.groups; i++) {
        unroll(&d, i / d.c.groups, i % d.c.groups, columns);
        p.a = (const double *)in[W] + i % d.c.groups * filters * d.c.patch;
        p.c = (double *)y.data + i * filters * d.places;
        oq_product_run(&p);
    }
    if (in[BIAS]) oq_columns_add_bias(OQ_WORK_F64, y.data, in[BIAS], d.c.images, d.c.filters, d.places);
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_convolution_infer(context, X, W, oq_infer_dtype(context, X), err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    return oq_convolution_macs(graph, node, W);
}

static const oq_type_set types_19[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"dilations", OQ_ATTR_INTS, false},
                                     {"group", OQ_ATTR_INT, false},
                                     {"kernel_shape", OQ_ATTR_INTS, false},
                                     {"offset_group", OQ_ATTR_INT, false},
                                     {"pads", OQ_ATTR_INTS, false},
                                     {"strides", OQ_ATTR_INTS, false},
                                     {0}};

#define SIGNATURE "X:T, W:T, offset:T, B?:T, mask?:T -> Y:T"
#define RUNS      .signature = SIGNATURE, .attrs = attrs, .infer = infer, .run = run, .macs = macs
static const oq_op_version versions[] = {
    {.since = 19, .types = types_19, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(DeformConv, versions);
