// Where each output position of an axis reads, and with what weight: the formulas of the ONNX operator
// Resize.
#include "ops/lib/resize_taps.h"

#include <math.h>

double oq_resize_source(const oq_resize_options *options, const oq_resize_axis *axis, int64_t j) {
    const double x = (double)j, in = (double)axis->in, out = axis->scale * in; // `out` need not be whole
    switch (options->coordinate) {
    case OQ_RESIZE_ALIGN_CORNERS: return out == 1 ? 0 : x * (in - 1) / (out - 1);
    case OQ_RESIZE_TF_HALF_PIXEL: return (x + 0.5) / axis->scale;
    case OQ_RESIZE_ASYMMETRIC: return x / axis->scale;
    case OQ_RESIZE_CROP: {
        const double span = (axis->roi_end - axis->roi_start) * (in - 1);
        return axis->roi_start * (in - 1) + (out == 1 ? span / 2 : x * span / (out - 1));
    }
    case OQ_RESIZE_PYTORCH_HALF_PIXEL: return axis->out > 1 ? (x + 0.5) / axis->scale - 0.5 : 0;
    case OQ_RESIZE_HALF_PIXEL_SYMMETRIC:
        // The centre of the exact output, which the whole one misses by rounding, meets that of the input.
        return in / 2 * (1 - (double)axis->out / out) + (x + 0.5) / axis->scale - 0.5;
    default: return (x + 0.5) / axis->scale - 0.5;
    }
}

bool oq_resize_is_outside(const oq_resize_options *options, const oq_resize_axis *axis, double x) {
    return options->coordinate == OQ_RESIZE_CROP && !(x >= 0 && x <= (double)(axis->in - 1));
}

static int64_t clamp_index(double x, int64_t size) {
    return !(x > 0) ? 0 : x >= (double)(size - 1) ? size - 1 : (int64_t)x;
}

int64_t oq_resize_nearest(const oq_resize_options *options, const oq_resize_axis *axis, double x) {
    const double low = floor(x);
    bool up = false;
    switch (options->round) {
    case OQ_RESIZE_PREFER_FLOOR: up = x - low > 0.5; break;
    case OQ_RESIZE_PREFER_CEIL: up = x - low >= 0.5; break;
    case OQ_RESIZE_FLOOR: break;
    case OQ_RESIZE_CEIL: up = x > low; break;
    case OQ_RESIZE_SIMPLE: up = axis->scale < 1 && x > low; break;
    }
    return clamp_index(up ? low + 1 : low, axis->in);
}

// Keys' cubic kernel with parameter a.
static double cubic(double x, double a) {
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static double linear(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

// Weights of position j; `shrink` widens the kernel when antialiasing a smaller output.
static void fill_position(const oq_resize_options *options, const oq_resize_axis *axis, double shrink,
                          int64_t first, int64_t j, oq_resize_taps *taps) {
    const double x = oq_resize_source(options, axis, j), low = floor(x);
    const double base = x == low ? low - 1 : low, ratio = x - base; // ratio in (0, 1]
    double *weight = taps->weight + j * taps->taps, sum = 0;
    for (int64_t t = 0; t < taps->taps; ++t) {
        const double at = base + (double)(first + t), distance = ((double)(first + t) - ratio) * shrink;
        weight[t] =
            options->mode == OQ_RESIZE_CUBIC ? cubic(distance, (double)options->cubic_a) : linear(distance);
        if (options->exclude_outside && !(at >= 0 && at < (double)axis->in)) weight[t] = 0;
        taps->index[j * taps->taps + t] = clamp_index(at, axis->in);
        sum += weight[t];
    }
    const bool normalise = options->exclude_outside || options->antialias;
    for (int64_t t = 0; normalise && sum != 0 && t < taps->taps; ++t) weight[t] /= sum;
    if (taps->outside) taps->outside[j] = oq_resize_is_outside(options, axis, x);
}

oq_status oq_resize_make_taps(oq_run_context *context, const oq_resize_options *options,
                              const oq_resize_axis *axis, oq_resize_taps *out, oq_error *err) {
    const double radius = options->mode == OQ_RESIZE_CUBIC ? 2 : 1;
    const double shrink = options->antialias && axis->scale < 1 ? axis->scale : 1;
    // Beyond both ends every tap reads the border, so a kernel far wider than the input says nothing more.
    const double reach = floor(-radius / shrink) + 1;
    if (!(reach > -0x1p24))
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s by scale %g is too small", context->node->op_type,
                       axis->scale);
    const int64_t first = (int64_t)reach;
    *out = (oq_resize_taps){.taps = 2 - 2 * first};
    size_t count;
    if (!oq_mul_size((size_t)axis->out, (size_t)out->taps, &count) || count > SIZE_MAX / sizeof(double))
        return oq_fail(err, ONNXQ_NO_MEMORY, "%s is too large", context->node->op_type);
    out->index = oq_scratch(context, count * sizeof *out->index, err);
    out->weight = oq_scratch(context, count * sizeof *out->weight, err);
    if (options->coordinate == OQ_RESIZE_CROP) out->outside = oq_scratch(context, (size_t)axis->out, err);
    if (!out->index || !out->weight || (options->coordinate == OQ_RESIZE_CROP && !out->outside))
        return ONNXQ_NO_MEMORY;
    for (int64_t j = 0; j < axis->out; ++j) fill_position(options, axis, shrink, first, j, out);
    return ONNXQ_OK;
}
