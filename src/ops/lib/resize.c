// Resampling along axes: one axis after the other, since all modes are separable.
#include "ops/lib/resize.h"

#include "ops/lib/axis_map.h"
#include "ops/lib/resize_taps.h"

#include <math.h>
#include <string.h>

static oq_status choose(const oq_node *node, const char *name, const char *otherwise,
                        const char *const *names, int count, int *out, oq_error *err) {
    const char *text = oq_node_string(node, name, otherwise);
    for (*out = 0; *out < count; ++*out)
        if (!strcmp(text, names[*out])) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s '%.64s' of %s is not known", name, text, node->op_type);
}

oq_status oq_resize_read_options(const oq_node *node, oq_resize_options *out, oq_error *err) {
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    int mode, coordinate, round;
    OQ_TRY(choose(node, "mode", "nearest", modes, 3, &mode, err));
    OQ_TRY(choose(node, "coordinate_transformation_mode", "half_pixel", coordinates, 7, &coordinate, err));
    OQ_TRY(choose(node, "nearest_mode", "round_prefer_floor", rounds, 4, &round, err));
    *out = (oq_resize_options){.mode = (oq_resize_mode)mode,
                               .coordinate = (oq_resize_coordinate)coordinate,
                               .round = (oq_resize_round)round,
                               .antialias = oq_node_int(node, "antialias", 0) != 0,
                               .exclude_outside = oq_node_int(node, "exclude_outside", 0) != 0,
                               .cubic_a = oq_node_float(node, "cubic_coeff_a", -0.75F),
                               .extrapolation = oq_node_float(node, "extrapolation_value", 0)};
    return ONNXQ_OK;
}

bool oq_resize_scaled(int64_t size, float scale, int64_t *out) {
    const float scaled = floorf((float)size * scale);
    *out = scaled < 0x1p62F ? (int64_t)scaled : 0;
    return scale > 0 && scaled < 0x1p62F;
}

static oq_status nearest(oq_run_context *context, const oq_tensor *data, const oq_resize_options *options,
                         const oq_resize_axis *axes, const oq_shape *shape, oq_error *err) {
    oq_axis_maps maps;
    for (int d = 0; d < shape->rank; ++d) {
        int64_t *map = oq_scratch(context, (size_t)shape->dim[d] * sizeof *map, err);
        if (!map) return ONNXQ_NO_MEMORY;
        for (int64_t j = 0; j < shape->dim[d]; ++j) {
            const double x = oq_resize_source(options, &axes[d], j);
            map[j] =
                oq_resize_is_outside(options, &axes[d], x) ? -1 : oq_resize_nearest(options, &axes[d], x);
        }
        maps.map[d] = map;
    }
    oq_mover m;
    unsigned char fill[16];
    OQ_TRY(oq_mover_open(&m, context, 0, shape, &data, 1, err));
    memcpy(fill, m.zero, sizeof fill);
    if (options->extrapolation != 0 && oq_work_of(data->dtype) != OQ_WORK_NONE)
        oq_store_f32(data->dtype, &options->extrapolation, fill, 1);
    oq_move_mapped(&m, &maps, &data->shape, m.from[0], fill);
    return oq_mover_close(&m, err);
}

// [outer, in, inner] to [outer, out, inner]; products and sums in TYPE, in the order of the taps.
#define APPLY(NAME, TYPE)                                                                                    \
    static void apply_##NAME(const oq_resize_taps *taps, const oq_resize_axis *axis, int64_t outer,          \
                             int64_t inner, TYPE fill, const TYPE *from, TYPE *to) {                         \
        for (int64_t o = 0; o < outer; ++o, from += axis->in * inner) {                                      \
            for (int64_t j = 0; j < axis->out; ++j, to += inner) {                                           \
                const int64_t *index = taps->index + j * taps->taps;                                         \
                const double *weight = taps->weight + j * taps->taps;                                        \
                const bool outside = taps->outside && taps->outside[j];                                      \
                for (int64_t i = 0; i < inner; ++i) to[i] = outside ? fill : 0;                              \
                for (int64_t t = 0; !outside && t < taps->taps; ++t) {                                       \
                    const TYPE *line = from + index[t] * inner, w = (TYPE)weight[t];                         \
                    for (int64_t i = 0; i < inner; ++i) to[i] += w * line[i];                                \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
APPLY(f32, float)
APPLY(f64, double)

static bool is_same(const oq_resize_options *options, const oq_resize_axis *axis) {
    if (axis->in != axis->out || axis->scale != 1) return false;
    return options->coordinate != OQ_RESIZE_CROP || (axis->roi_start == 0 && axis->roi_end == 1);
}

// float32 holds values of up to 24 bits; integers of more go through float64.
static bool needs_double(oq_dtype dtype) {
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    return traits->work == OQ_WORK_F64 || (traits->is_integer && traits->bits > 24);
}

static void load(bool wide, oq_dtype dtype, const void *from, void *to, size_t count) {
    if (wide)
        oq_load_f64(dtype, from, to, count);
    else
        oq_load_f32(dtype, from, to, count);
}

// Integers round to the nearest (even) and saturate, as the standard's reference does.
static void store(bool wide, oq_dtype dtype, void *from, void *to, size_t count) {
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    float *narrow = from;
    double *doubles = from;
    for (size_t i = 0; traits->is_integer && i < count; ++i) {
        const double value = nearbyint(wide ? doubles[i] : (double)narrow[i]);
        const double low = (double)traits->min, high = (double)traits->max;
        const double clamped = !(value > low) ? low : value > high ? high : value;
        if (wide)
            doubles[i] = clamped;
        else
            narrow[i] = (float)clamped;
    }
    if (wide)
        oq_store_f64(dtype, from, to, count);
    else
        oq_store_f32(dtype, from, to, count);
}

static oq_status interpolate(oq_run_context *context, const oq_tensor *data, const oq_resize_options *options,
                             const oq_resize_axis *axes, const oq_shape *shape, oq_error *err) {
    const bool wide = needs_double(data->dtype);
    const size_t element = wide ? sizeof(double) : sizeof(float);
    if (oq_work_of(data->dtype) == OQ_WORK_NONE) return oq_no_loop(context, data->dtype, err);
    oq_tensor *out;
    OQ_TRY(oq_out(context, 0, data->dtype, shape, &out, err));
    oq_shape now = data->shape;
    size_t bytes;
    OQ_TRY(oq_shape_check(&now, element, &bytes, err));
    void *values = data->data;
    if (!oq_work_is_native(data->dtype) || data->dtype == ONNXQ_INT64 || data->dtype == ONNXQ_UINT64) {
        values = oq_scratch(context, bytes, err);
        if (!values) return ONNXQ_NO_MEMORY;
        load(wide, data->dtype, data->data, values, (size_t)oq_tensor_count(data));
    }
    for (int d = 0; d < now.rank; ++d) {
        if (is_same(options, &axes[d])) continue;
        oq_resize_taps taps;
        const int64_t outer = oq_shape_range_count(&now, 0, d),
                      inner = oq_shape_range_count(&now, d + 1, now.rank);
        now.dim[d] = axes[d].out;
        OQ_TRY(oq_shape_check(&now, element, &bytes, err));
        void *next = oq_scratch(context, bytes, err);
        if (!next) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_resize_make_taps(context, options, &axes[d], &taps, err));
        if (wide)
            apply_f64(&taps, &axes[d], outer, inner, (double)options->extrapolation, values, next);
        else
            apply_f32(&taps, &axes[d], outer, inner, options->extrapolation, values, next);
        values = next;
    }
    if (values == data->data)
        memcpy(out->data, values, oq_tensor_bytes(out));
    else
        store(wide, data->dtype, values, out->data, (size_t)oq_shape_count(shape));
    return ONNXQ_OK;
}

oq_status oq_resize(oq_run_context *context, const oq_tensor *data, const oq_resize_options *options,
                    const oq_resize_axis axes[OQ_MAX_RANK], oq_error *err) {
    oq_shape shape = {.rank = data->shape.rank};
    bool same = true;
    for (int d = 0; d < shape.rank; ++d) {
        shape.dim[d] = axes[d].out;
        same = same && is_same(options, &axes[d]);
    }
    OQ_TRY(oq_shape_check(&shape, sizeof(double), NULL, err));
    if (same) return oq_out_view(context, 0, data, &shape, err);
    if (oq_shape_count(&shape) && !oq_tensor_count(data))
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s of an empty tensor to one that is not",
                       context->node->op_type);
    if (options->mode == OQ_RESIZE_NEAREST || !oq_shape_count(&shape))
        return nearest(context, data, options, axes, &shape, err);
    return interpolate(context, data, options, axes, &shape, err);
}
