// Tensors: one array quantized with the same functions that convert uses.
#include "api/api.h"
#include "base/file.h"
#include "grid/layout.h"
#include "tensor/npy.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define WEIGHT_EXPONENT 2.4 // of the search for weight ranges

struct onnxq_tensor {
    onnxq_session *session;
    char *name;
    onnxq_tensor_options options;
    oq_shape shape, params_shape;
    oq_grid grid;
    oq_layout layout;
    oq_qparam *params;    // [params]
    float *scales;        // [params]
    int32_t *zero_points; // [params]
    int32_t *q;           // [count]
    float *values;        // [count]
    double mse, sqnr;
};

onnxq_tensor_options onnxq_tensor_defaults(void) {
    return (onnxq_tensor_options){.bits = 8, .axis = -1, .method = ONNXQ_METHOD_MINMAX, .percentile = 99.99};
}

// --- options ---

static oq_status check_given(const onnxq_tensor_options *o, const oq_grid *grid, oq_error *err) {
    const double scale = o->scale;
    if (!(scale >= (double)FLT_MIN && scale <= (double)FLT_MAX))
        return oq_fail(err, ONNXQ_USAGE, "a scale must be a positive float32 number, not %g", scale);
    if (o->granularity != ONNXQ_PER_TENSOR || o->method != ONNXQ_METHOD_MINMAX)
        return oq_fail(err, ONNXQ_USAGE,
                       "a given scale is for the whole tensor and leaves no range to find: give it without "
                       "axis, group size and method");
    if (o->zero_point < grid->qmin || o->zero_point > grid->qmax)
        return oq_fail(err, ONNXQ_USAGE, "the zero point %d is not among the integers %d..%d of this grid",
                       o->zero_point, grid->qmin, grid->qmax);
    const int32_t middle = o->is_unsigned ? INT32_C(1) << (o->bits - 1) : 0;
    if (o->symmetric && o->zero_point != middle)
        return oq_fail(err, ONNXQ_USAGE, "the zero point of this symmetric grid is %d, not %d", middle,
                       o->zero_point);
    return ONNXQ_OK;
}

static oq_status check_options(const onnxq_tensor_options *o, oq_grid *grid, oq_error *err) {
    if (o->bits < 2 || o->bits > 16)
        return oq_fail(err, ONNXQ_USAGE, "the width must be 2 to 16 bits, not %d", o->bits);
    if (o->full_range && (!o->symmetric || o->is_unsigned))
        return oq_fail(err, ONNXQ_USAGE,
                       "full range is for symmetric signed grids: all others have all their integers anyway");
    if (o->method == ONNXQ_METHOD_PERCENTILE && !(o->percentile >= 50 && o->percentile <= 100))
        return oq_fail(err, ONNXQ_USAGE, "the percentile must be 50 to 100, not %g", o->percentile);
    *grid = oq_grid_make(o->bits, !o->is_unsigned, o->symmetric && !o->full_range);
    return o->scale != 0 ? check_given(o, grid, err) : ONNXQ_OK;
}

static oq_status make_layout(onnxq_tensor *t, oq_error *err) {
    static const oq_granularity_kind kinds[] = {[ONNXQ_PER_TENSOR] = OQ_PER_TENSOR,
                                                [ONNXQ_PER_CHANNEL] = OQ_PER_CHANNEL,
                                                [ONNXQ_PER_GROUP] = OQ_PER_GROUP};
    const oq_granularity granularity = {kinds[t->options.granularity], t->options.axis,
                                        t->options.group_size};
    return oq_layout_make(&t->shape, &granularity, &t->layout, &t->params_shape, err);
}

// --- parameters ---

static bool uses_histogram(const onnxq_tensor_options *o) {
    return o->as_an_activation || (o->method != ONNXQ_METHOD_MINMAX && o->method != ONNXQ_METHOD_MSE);
}

// The range of one block as calibration finds that of an activation.
static oq_status param_from_histogram(const onnxq_tensor *t, const oq_tensor *elements, oq_qparam *out,
                                      oq_error *err) {
    const onnxq_tensor_options *o = &t->options;
    oq_mem *mem = &t->session->mem;
    oq_stats *stats = NULL;
    oq_tensor_stats *entry;
    oq_range range;
    oq_status status;
    OQ_TRY_DONE(oq_stats_new(mem, &stats, err));
    OQ_TRY_DONE(oq_stats_ensure(stats, t->name, &entry, err));
    OQ_TRY_DONE(oq_stats_add(entry, mem, elements, 0, err));
    OQ_TRY_DONE(
        oq_range_of(entry, oq_api_method(o->method), o->percentile, &t->grid, o->symmetric, &range, err));
    status = o->symmetric
                 ? oq_grid_symmetric(&t->grid, fmax(fabs(range.min), fabs(range.max)), t->name, out, err)
                 : oq_grid_asymmetric(&t->grid, range.min, range.max, t->name, out, err);
done:
    oq_stats_free(stats);
    return status;
}

static oq_status params_from_histograms(onnxq_tensor *t, const float *x, oq_error *err) {
    oq_mem *mem = &t->session->mem;
    float *block = oq_mem_calloc(mem, oq_layout_block_size(&t->layout), sizeof *block, err);
    oq_status status = block ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t p = 0; p < oq_layout_params(&t->layout) && status == ONNXQ_OK; p++) {
        const size_t count = oq_layout_gather(&t->layout, p, x, block);
        const oq_tensor elements = {.dtype = ONNXQ_FLOAT, .shape = OQ_SHAPE((int64_t)count), .data = block};
        status = param_from_histogram(t, &elements, &t->params[p], err);
    }
    oq_mem_free(mem, block);
    return status;
}

static oq_status find_params(onnxq_tensor *t, const float *x, oq_error *err) {
    const onnxq_tensor_options *o = &t->options;
    if (o->scale != 0) {
        t->params[0] = (oq_qparam){.scale = (float)o->scale, .zero_point = o->zero_point};
        return ONNXQ_OK;
    }
    if (uses_histogram(o)) return params_from_histograms(t, x, err);
    const oq_fit fit = {.symmetric = o->symmetric,
                        .exponent = o->method == ONNXQ_METHOD_MSE ? WEIGHT_EXPONENT : 0};
    return oq_layout_fit(&t->session->mem, &t->layout, &t->grid, &fit, x, t->name, t->params, err);
}

// --- objects ---

static oq_status check_elements(const onnxq_tensor *t, const float *x, oq_error *err) {
    size_t index;
    if (!oq_shape_count(&t->shape))
        return oq_fail(err, ONNXQ_BAD_DATA, "'%s' has no elements, so there is nothing to quantize", t->name);
    if (!oq_layout_find_bad(&t->layout, x, &index)) return ONNXQ_OK;
    oq_fail(err, ONNXQ_BAD_DATA,
            "element %zu of '%s' (counted in row-major order from 0) is %s, which has no integer: replace it "
            "first",
            index, t->name, isnan(x[index]) ? "NaN" : "infinite in float32");
    oq_error_at_tensor(err, t->name);
    return ONNXQ_BAD_DATA;
}

static oq_status allocate(onnxq_tensor *t, oq_error *err) {
    oq_mem *mem = &t->session->mem;
    const size_t params = oq_layout_params(&t->layout), count = (size_t)oq_shape_count(&t->shape);
    t->params = oq_mem_calloc(mem, params, sizeof *t->params, err);
    t->scales = oq_mem_calloc(mem, params, sizeof *t->scales, err);
    t->zero_points = oq_mem_calloc(mem, params, sizeof *t->zero_points, err);
    t->q = oq_mem_calloc(mem, count, sizeof *t->q, err);
    t->values = oq_mem_calloc(mem, count, sizeof *t->values, err);
    return t->params && t->scales && t->zero_points && t->q && t->values ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void measure(onnxq_tensor *t, const float *x) {
    const size_t count = (size_t)oq_shape_count(&t->shape);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = (double)x[i], off = value - (double)t->values[i];
        signal += value * value;
        noise += off * off;
    }
    t->mse = noise / (double)count;
    t->sqnr = noise > 0 ? 10 * log10(signal / noise) : (double)INFINITY;
}

static oq_status quantize(onnxq_tensor *t, const float *x, oq_error *err) {
    OQ_TRY(check_options(&t->options, &t->grid, err));
    OQ_TRY(make_layout(t, err));
    OQ_TRY(check_elements(t, x, err));
    OQ_TRY(allocate(t, err));
    OQ_TRY(find_params(t, x, err));
    for (size_t p = 0; p < oq_layout_params(&t->layout); p++) {
        t->scales[p] = t->params[p].scale;
        t->zero_points[p] = t->params[p].zero_point;
    }
    oq_layout_quantize(&t->layout, &t->grid, t->params, x, ONNXQ_INT32, t->q);
    oq_layout_dequantize(&t->layout, t->params, ONNXQ_INT32, t->q, t->values);
    measure(t, x);
    return ONNXQ_OK;
}

static oq_status new_tensor(onnxq_session *session, const char *name, const oq_shape *shape,
                            const onnxq_tensor_options *options, onnxq_tensor **out, oq_error *err) {
    onnxq_tensor *t = oq_mem_calloc(&session->mem, 1, sizeof *t, err);
    if (!t) return ONNXQ_NO_MEMORY;
    *t = (onnxq_tensor){.session = session, .options = *options, .shape = *shape};
    t->name = oq_mem_alloc(&session->mem, strlen(name) + 1, err);
    if (!t->name) {
        onnxq_tensor_free(t);
        return ONNXQ_NO_MEMORY;
    }
    memcpy(t->name, name, strlen(name) + 1);
    *out = t;
    return ONNXQ_OK;
}

onnxq_status onnxq_tensor_quantize(onnxq_session *session, const char *name, const float *elements,
                                   const int64_t *shape, int rank, const onnxq_tensor_options *options,
                                   onnxq_tensor **out, onnxq_error *err) {
    *out = NULL;
    if (rank < 0 || rank > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_USAGE, "'%s' has rank %d; 0 to %d are possible", name, rank, OQ_MAX_RANK);
    const oq_shape sizes = oq_shape_of(rank, shape);
    OQ_TRY(oq_shape_check(&sizes, sizeof(float), NULL, err));
    onnxq_tensor *t = NULL;
    OQ_TRY(new_tensor(session, name, &sizes, options, &t, err));
    const oq_status status = quantize(t, elements, err);
    if (status == ONNXQ_OK)
        *out = t;
    else
        onnxq_tensor_free(t);
    return status;
}

// The array of a file as float32.
static oq_status load_floats(oq_mem *mem, const char *path, oq_tensor *array, float **x, oq_error *err) {
    uint8_t *bytes = NULL;
    size_t size;
    OQ_TRY(oq_file_read_all(mem, path, &bytes, &size, err));
    const oq_status status = oq_npy_parse(mem, bytes, size, path, array, err);
    oq_mem_free(mem, bytes);
    OQ_TRY(status);
    const oq_dtype_traits *traits = oq_dtype_info(array->dtype);
    if (!traits->is_float && !traits->is_integer) {
        oq_fail(err, ONNXQ_BAD_DATA, "'%s' holds elements of type %s: save it as an array of numbers", path,
                traits->name);
        return ONNXQ_BAD_DATA;
    }
    const size_t count = (size_t)oq_tensor_count(array);
    *x = oq_mem_calloc(mem, count, sizeof **x, err);
    if (!*x) return ONNXQ_NO_MEMORY;
    oq_load_f32(array->dtype, array->data, *x, count);
    return ONNXQ_OK;
}

onnxq_status onnxq_tensor_quantize_file(onnxq_session *session, const char *path,
                                        const onnxq_tensor_options *options, onnxq_tensor **out,
                                        onnxq_error *err) {
    oq_tensor array = {0};
    float *x = NULL;
    *out = NULL;
    oq_status status = load_floats(&session->mem, path, &array, &x, err);
    if (status == ONNXQ_OK)
        status =
            onnxq_tensor_quantize(session, path, x, array.shape.dim, array.shape.rank, options, out, err);
    oq_mem_free(&session->mem, x);
    oq_tensor_release(&array);
    return status;
}

void onnxq_tensor_free(onnxq_tensor *tensor) {
    if (!tensor) return;
    oq_mem *mem = &tensor->session->mem;
    oq_mem_free(mem, tensor->values);
    oq_mem_free(mem, tensor->q);
    oq_mem_free(mem, tensor->zero_points);
    oq_mem_free(mem, tensor->scales);
    oq_mem_free(mem, tensor->params);
    oq_mem_free(mem, tensor->name);
    oq_mem_free(mem, tensor);
}

// --- results ---

onnxq_tensor_view onnxq_tensor_get(const onnxq_tensor *tensor) {
    return (onnxq_tensor_view){.rank = tensor->shape.rank,
                               .parameter_rank = tensor->params_shape.rank,
                               .shape = tensor->shape.dim,
                               .parameter_shape = tensor->params_shape.dim,
                               .count = (size_t)oq_shape_count(&tensor->shape),
                               .parameters = oq_layout_params(&tensor->layout),
                               .dtype = oq_grid_carrier(&tensor->grid, true),
                               .least = tensor->grid.qmin,
                               .greatest = tensor->grid.qmax,
                               .scale = tensor->scales,
                               .zero_point = tensor->zero_points,
                               .integers = tensor->q,
                               .dequantized = tensor->values,
                               .mse = tensor->mse,
                               .sqnr = tensor->sqnr};
}

// int32 numbers as a new tensor of the carrier.
static oq_status carried(oq_mem *mem, oq_dtype carrier, const oq_shape *shape, const int32_t *numbers,
                         oq_tensor *out, oq_error *err) {
    OQ_TRY(oq_tensor_new(mem, carrier, shape, out, err));
    const size_t count = (size_t)oq_shape_count(shape), bytes = oq_dtype_bytes(carrier);
    for (size_t i = 0; i < count; i++) {
        const int64_t number = numbers[i];
        oq_store_i64(carrier, &number, (char *)out->data + i * bytes, 1);
    }
    return ONNXQ_OK;
}

onnxq_status onnxq_tensor_save(const onnxq_tensor *tensor, const char *path, onnxq_error *err) {
    static const char *const names[] = {"integers", "dequantized", "scale", "zero_point"};
    oq_mem *mem = &tensor->session->mem;
    const oq_dtype carrier = oq_grid_carrier(&tensor->grid, true);
    oq_tensor arrays[4] = {
        [1] = {.dtype = ONNXQ_FLOAT, .shape = tensor->shape, .data = tensor->values},
        [2] = {.dtype = ONNXQ_FLOAT, .shape = tensor->params_shape, .data = tensor->scales}};
    oq_status status = carried(mem, carrier, &tensor->shape, tensor->q, &arrays[0], err);
    if (status == ONNXQ_OK)
        status = carried(mem, carrier, &tensor->params_shape, tensor->zero_points, &arrays[3], err);
    if (status == ONNXQ_OK) status = oq_npz_write(mem, path, names, arrays, 4, err);
    oq_tensor_release(&arrays[0]);
    oq_tensor_release(&arrays[3]);
    return status;
}

onnxq_status onnxq_tensor_report(const onnxq_tensor *tensor, size_t limit, onnxq_report **out,
                                 onnxq_error *err) {
    const oq_tensor_facts facts = {tensor->name, tensor->options, onnxq_tensor_get(tensor), tensor->grid};
    oq_report report;
    *out = NULL;
    OQ_TRY(oq_report_tensor(&tensor->session->mem, &facts, limit, &report, err));
    return oq_report_wrap(tensor->session, report, out, err);
}
