// One quantized array: parameters, integers, errors, and how often which integers occur.
#include "report/json.h"

#include <math.h>
#include <string.h>

enum { MOST_BINS = 16, MOST_PARAMS = 16, MOST_ELEMENTS = 64, BAR = 40 }; // shown as text

static json_t *floats(const float *numbers, size_t count) {
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(out, oq_json_real((double)numbers[i]));
    return out;
}

static json_t *integers(const int32_t *numbers, size_t count) {
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(out, json_integer(numbers[i]));
    return out;
}

static json_t *sizes(const int64_t *numbers, int count) {
    json_t *out = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(out, json_integer(numbers[i]));
    return out;
}

// The grid in at most 16 stretches of like length.
static json_t *histogram(const oq_tensor_facts *facts) {
    const int32_t least = facts->grid.qmin, levels = facts->grid.qmax - least + 1;
    const int32_t bins = levels < MOST_BINS ? levels : MOST_BINS;
    json_int_t count[MOST_BINS] = {0};
    for (size_t i = 0; i < facts->view.count; i++)
        count[(int64_t)(facts->view.integers[i] - least) * bins / levels]++;
    json_t *out = json_array();
    for (int32_t b = 0; b < bins; b++) {
        // The integers q with b <= (q - least) * bins / levels < b + 1.
        const int32_t from = (b * levels + bins - 1) / bins, to = ((b + 1) * levels + bins - 1) / bins - 1;
        json_t *bin = json_object();
        json_object_set_new(bin, "from", json_integer(least + from));
        json_object_set_new(bin, "to", json_integer(least + to));
        json_object_set_new(bin, "count", json_integer(count[b]));
        json_array_append_new(out, bin);
    }
    return out;
}

static json_t *grid_json(const oq_tensor_facts *facts) {
    json_t *out = json_object();
    json_object_set_new(out, "bits", json_integer(facts->grid.bits));
    json_object_set_new(out, "type", json_string(onnxq_dtype_name(facts->view.dtype)));
    json_object_set_new(out, "least", json_integer(facts->grid.qmin));
    json_object_set_new(out, "greatest", json_integer(facts->grid.qmax));
    json_object_set_new(out, "symmetric", json_boolean(facts->options.symmetric));
    return out;
}

static json_t *granularity_json(const oq_tensor_facts *facts) {
    static const char *const names[] = {[ONNXQ_PER_TENSOR] = "per tensor",
                                        [ONNXQ_PER_CHANNEL] = "per channel",
                                        [ONNXQ_PER_GROUP] = "per group"};
    const onnxq_tensor_options *o = &facts->options;
    json_t *out = json_object();
    json_object_set_new(out, "kind", json_string(names[o->granularity]));
    if (o->granularity != ONNXQ_PER_TENSOR)
        json_object_set_new(out, "axis", json_integer(o->axis < 0 ? o->axis + facts->view.rank : o->axis));
    if (o->granularity == ONNXQ_PER_GROUP)
        json_object_set_new(out, "group_size", json_integer(o->group_size));
    return out;
}

static const char *range_of(const onnxq_tensor_options *o) {
    static const char *const methods[] = {[ONNXQ_METHOD_AUTO] = "auto",
                                          [ONNXQ_METHOD_MINMAX] = "minmax",
                                          [ONNXQ_METHOD_PERCENTILE] = "percentile",
                                          [ONNXQ_METHOD_ENTROPY] = "entropy",
                                          [ONNXQ_METHOD_MSE] = "mse"};
    return o->scale != 0 ? "given" : methods[o->method];
}

// --- text ---

static void print_shape(const json_t *shape, oq_text *into) {
    size_t i;
    json_t *size;
    oq_text_add(into, "[");
    json_array_foreach(shape, i, size)
        oq_text_printf(into, i ? ",%lld" : "%lld", (long long)json_integer_value(size));
    oq_text_add(into, "]");
}

static void print_grid(const json_t *root, oq_text *into) {
    const json_t *grid = json_object_get(root, "grid"), *how = json_object_get(root, "granularity");
    const json_t *axis = json_object_get(how, "axis"), *group = json_object_get(how, "group_size");
    oq_text_printf(into, "%s ", oq_json_text(root, "tensor"));
    print_shape(json_object_get(root, "shape"), into);
    oq_text_printf(into, ": %lld bits in %s, %lld..%lld, %s, %s",
                   (long long)json_integer_value(json_object_get(grid, "bits")), oq_json_text(grid, "type"),
                   (long long)json_integer_value(json_object_get(grid, "least")),
                   (long long)json_integer_value(json_object_get(grid, "greatest")),
                   json_is_true(json_object_get(grid, "symmetric")) ? "symmetric" : "asymmetric",
                   oq_json_text(how, "kind"));
    if (group) oq_text_printf(into, " of %lld", (long long)json_integer_value(group));
    if (axis) oq_text_printf(into, " along axis %lld", (long long)json_integer_value(axis));
    oq_text_printf(into, ", range %s\n", oq_json_text(root, "range"));
}

static void print_more(size_t shown, size_t all, oq_text *into) {
    if (shown < all) oq_text_printf(into, "  ... %zu more (--json or -o has them all)\n", all - shown);
}

static void print_params(const json_t *root, oq_text *into) {
    const json_t *scales = json_object_get(root, "scale"), *zeros = json_object_get(root, "zero_point");
    const size_t all = oq_json_count(root, "parameters");
    size_t i;
    json_t *scale;
    if (all > 1) oq_text_printf(into, "%zu scales and zero points:\n", all);
    json_array_foreach(scales, i, scale) {
        const long long zero = (long long)json_integer_value(json_array_get(zeros, i));
        if (i == MOST_PARAMS) break;
        if (all > 1)
            oq_text_printf(into, "  %-6zu %-14.9g %lld\n", i, json_number_value(scale), zero);
        else
            oq_text_printf(into, "scale %.9g, zero point %lld\n", json_number_value(scale), zero);
    }
    print_more(i, all, into);
}

// Numbers in rows of the last axis, or of eight when that is long.
static void print_elements(const json_t *root, const char *key, const char *title, oq_text *into) {
    const json_t *list = json_object_get(root, key), *shape = json_object_get(root, "shape");
    const size_t rank = json_array_size(shape), all = oq_json_count(root, "elements");
    const size_t last = rank ? (size_t)json_integer_value(json_array_get(shape, rank - 1)) : 1;
    const size_t row = last <= MOST_BINS ? last : 8;
    size_t i;
    json_t *item;
    oq_text_printf(into, "%s:\n", title);
    json_array_foreach(list, i, item) {
        if (i == MOST_ELEMENTS) break;
        if (i && i % row == 0) oq_text_add(into, "\n");
        if (json_is_integer(item))
            oq_text_printf(into, " %6lld", (long long)json_integer_value(item));
        else
            oq_text_printf(into, " %12.6g", json_number_value(item));
    }
    oq_text_add(into, "\n");
    print_more(i, all, into);
}

static void print_histogram(const json_t *bins, oq_text *into) {
    size_t i;
    json_t *bin;
    double most = 1;
    json_array_foreach(bins, i, bin) most = fmax(most, oq_json_number(bin, "count"));
    oq_text_add(into, "how often the integers occur:\n");
    json_array_foreach(bins, i, bin) {
        char bar[BAR + 1];
        const double count = oq_json_number(bin, "count");
        const size_t length = (size_t)ceil(count / most * BAR); // one mark at least where there is anything
        memset(bar, '#', length);
        bar[length] = '\0';
        const long long from = (long long)json_integer_value(json_object_get(bin, "from")),
                        to = (long long)json_integer_value(json_object_get(bin, "to"));
        if (from == to)
            oq_text_printf(into, "  %14lld %-*s %.0f\n", from, BAR, bar, count);
        else
            oq_text_printf(into, "  %6lld..%-6lld %-*s %.0f\n", from, to, BAR, bar, count);
    }
}

static void print(const json_t *root, oq_text *into) {
    print_grid(root, into);
    print_params(root, into);
    if (json_is_null(json_object_get(root, "sqnr_db")))
        oq_text_add(into, "no error\n");
    else
        oq_text_printf(into, "mean squared error %.6g, SQNR %.2f dB\n", oq_json_number(root, "mse"),
                       oq_json_number(root, "sqnr_db"));
    print_elements(root, "integers", "integers", into);
    print_elements(root, "dequantized", "dequantized", into);
    print_histogram(json_object_get(root, "histogram"), into);
}

oq_status oq_report_tensor(oq_mem *mem, const oq_tensor_facts *facts, size_t limit, oq_report *out,
                           oq_error *err) {
    const onnxq_tensor_view *v = &facts->view;
    const size_t elements = limit && limit < v->count ? limit : v->count;
    const size_t params = limit && limit < v->parameters ? limit : v->parameters;
    json_t *root = json_object();
    json_object_set_new(root, "tensor", json_string(facts->name));
    json_object_set_new(root, "shape", sizes(v->shape, v->rank));
    json_object_set_new(root, "elements", json_integer((json_int_t)v->count));
    json_object_set_new(root, "grid", grid_json(facts));
    json_object_set_new(root, "granularity", granularity_json(facts));
    json_object_set_new(root, "range", json_string(range_of(&facts->options)));
    json_object_set_new(root, "parameters", json_integer((json_int_t)v->parameters));
    json_object_set_new(root, "parameter_shape", sizes(v->parameter_shape, v->parameter_rank));
    json_object_set_new(root, "scale", floats(v->scale, params));
    json_object_set_new(root, "zero_point", integers(v->zero_point, params));
    json_object_set_new(root, "mse", oq_json_real(v->mse));
    json_object_set_new(root, "sqnr_db", oq_json_real(v->sqnr));
    json_object_set_new(root, "integers", integers(v->integers, elements));
    json_object_set_new(root, "dequantized", floats(v->dequantized, elements));
    json_object_set_new(root, "histogram", histogram(facts));
    return oq_report_finish(mem, root, print, out, err);
}
