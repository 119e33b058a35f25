// Comparison of one tensor of both models on one sample, in double over blocks.
#include "verify/compare.h"
#include "base/math.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

double oq_difference_sqnr(const oq_difference *d) {
    if (!(d->noise > 0)) return isnan(d->noise) ? -(double)INFINITY : (double)INFINITY;
    return 10 * log10(d->signal / d->noise);
}

void oq_difference_add(oq_difference *into, const oq_difference *more) {
    into->signal += more->signal;
    into->noise += more->noise;
    if (!(more->largest <= into->largest)) into->largest = more->largest;
    into->resized += more->resized;
}

// Elements that count, after the repetitions that fill a fixed batch are left out.
static size_t real_count(const oq_tensor *y, size_t real, size_t rows) {
    const size_t count = (size_t)oq_tensor_count(y);
    return y->shape.rank && rows > real && (size_t)y->shape.dim[0] == rows ? count / rows * real : count;
}

typedef struct sums {
    oq_difference d;
    double model, dot; // sum of z^2, of y z
} sums;

// Equal values (also equal infinities) and two NaN are no difference; a number against NaN is an infinite
// one.
static void add_block(sums *s, const double *y, const double *z, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const bool same = y[i] == z[i] || (isnan(y[i]) && isnan(z[i]));
        double difference = same ? 0 : fabs(y[i] - z[i]);
        if (isnan(difference)) difference = (double)INFINITY;
        if (isfinite(y[i])) s->d.signal += y[i] * y[i];
        s->d.noise += difference * difference;
        if (difference > s->d.largest) s->d.largest = difference;
        if (isfinite(z[i])) s->model += z[i] * z[i];
        if (isfinite(y[i]) && isfinite(z[i])) s->dot += y[i] * z[i];
    }
}

static bool is_number(const oq_tensor *tensor) {
    return tensor->dtype != ONNXQ_STRING && oq_dtype_info(tensor->dtype)->work != OQ_WORK_NONE;
}

static bool same_element(const oq_tensor *y, const oq_tensor *z, size_t i) {
    if (y->dtype != z->dtype) return false;
    const size_t bytes = oq_dtype_bytes(y->dtype);
    if (y->dtype != ONNXQ_STRING)
        return memcmp((const char *)y->data + i * bytes, (const char *)z->data + i * bytes, bytes) == 0;
    size_t a_length, b_length;
    const char *a = oq_tensor_string(y, (int64_t)i, &a_length),
               *b = oq_tensor_string(z, (int64_t)i, &b_length);
    return a_length == b_length && (!a_length || memcmp(a, b, a_length) == 0);
}

// What is no number (text, truth, complex) counts as 1 against 1 where it is the same, against 0 where not.
static void compare(const oq_tensor *y, const oq_tensor *z, size_t first, size_t count, sums *s) {
    double a[BLOCK], b[BLOCK];
    const size_t y_bytes = oq_dtype_bytes(y->dtype), z_bytes = oq_dtype_bytes(z->dtype);
    const bool numbers = is_number(y) && is_number(z);
    const bool resized = !oq_shape_equal(&y->shape, &z->shape);
    s->d.resized = resized;
    for (size_t i = first; i < first + count; i += BLOCK) {
        const size_t left = first + count - i, n = left < BLOCK ? left : BLOCK;
        memset(b, 0, sizeof b);
        if (numbers) oq_load_f64(y->dtype, (const char *)y->data + i * y_bytes, a, n);
        if (numbers && !resized) oq_load_f64(z->dtype, (const char *)z->data + i * z_bytes, b, n);
        for (size_t k = 0; !numbers && k < n; k++) {
            a[k] = 1;
            b[k] = !resized && same_element(y, z, i + k);
        }
        add_block(s, a, b, n);
    }
}

static double cosine_of(const sums *s) {
    const double product = sqrt(s->d.signal) * sqrt(s->model);
    return product > 0 ? s->dot / product : (s->d.signal > 0 || s->model > 0 ? 0. : 1.);
}

void oq_compare_tensors(const oq_tensor *y, const oq_tensor *z, size_t real, size_t rows,
                        oq_difference *out) {
    sums s = {0};
    compare(y, z, 0, real_count(y, real, rows), &s);
    *out = s.d;
}

void oq_compare_elements(const oq_tensor *y, const oq_tensor *z, size_t first, size_t count,
                         oq_difference *out) {
    sums s = {0};
    compare(y, z, first, count, &s);
    *out = s.d;
}

// Index of the largest of `n` elements from `at`, the first among equals; NaN never wins.
static int64_t top(const oq_tensor *tensor, size_t at, size_t n) {
    int64_t best = 0;
    double most = -(double)INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double value = oq_tensor_get_f64(tensor, (int64_t)(at + i));
        if (value > most) {
            most = value;
            best = (int64_t)i;
        }
    }
    return best;
}

// Whether `n` elements from `at` are a distribution, as far as float16 can tell.
static bool is_distribution(const oq_tensor *y, size_t at, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double p = oq_tensor_get_f64(y, (int64_t)(at + i));
        if (!(p >= 0)) return false;
        sum += p;
    }
    return fabs(sum - 1) < 1e-3;
}

// Kullback-Leibler divergence of one row in nats. The second row is brought to a sum of 1, and what it holds
// for impossible counts as 2^-24, so that the divergence stays finite.
static double row_divergence(const oq_tensor *y, const oq_tensor *z, size_t at, size_t n) {
    const double least = 0x1p-24;
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) total += fmax(oq_tensor_get_f64(z, (int64_t)(at + i)), least);
    for (size_t i = 0; i < n; i++) {
        const double p = oq_tensor_get_f64(y, (int64_t)(at + i)),
                     q = fmax(oq_tensor_get_f64(z, (int64_t)(at + i)), least) / total;
        if (p > 0) sum += p * (double)oq_logf((float)(p / q));
    }
    return fmax(sum, 0);
}

static void compare_distributions(const oq_tensor *y, const oq_tensor *z, size_t n, oq_output_sample *out) {
    out->probabilities = out->rows > 0;
    for (size_t row = 0; row < out->rows && out->probabilities; row++)
        out->probabilities = is_distribution(y, row * n, n);
    for (size_t row = 0; row < out->rows && out->probabilities; row++)
        out->divergence += row_divergence(y, z, row * n, n);
}

void oq_compare_output(const oq_tensor *y, const oq_tensor *z, size_t real, size_t rows,
                       const int64_t *labels, oq_output_sample *out) {
    const size_t count = real_count(y, real, rows);
    sums s = {0};
    compare(y, z, 0, count, &s);
    *out = (oq_output_sample){.difference = s.d, .cosine = cosine_of(&s)};
    const int rank = y->shape.rank;
    const size_t classes = rank ? (size_t)y->shape.dim[rank - 1] : 0;
    out->classifies = oq_dtype_info(y->dtype)->is_float && classes >= 2 && !s.d.resized;
    if (!out->classifies) return;
    out->rows = count / classes;
    const bool judged = labels && out->rows == real;
    if (judged) out->judged = real;
    for (size_t row = 0; row < out->rows; row++) {
        const int64_t first = top(y, row * classes, classes), second = top(z, row * classes, classes);
        out->same += first == second;
        if (!judged) continue;
        out->right_reference += first == labels[row];
        out->right_model += second == labels[row];
    }
    compare_distributions(y, z, classes, out);
}

static oq_status add_value(const oq_value *y, const oq_value *z, const char *name, sums *s, oq_error *err) {
    if (y->kind != z->kind)
        return oq_fail(err, ONNXQ_BAD_MODEL, "'%s' holds values of another kind in the second model", name);
    if (y->kind == OQ_VALUE_NONE) return ONNXQ_OK;
    if (y->kind == OQ_VALUE_TENSOR) {
        compare(&y->tensor, &z->tensor, 0, (size_t)oq_tensor_count(&y->tensor), s);
        return ONNXQ_OK;
    }
    if (y->list->count != z->list->count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "'%s' has %zu elements in one model and %zu in the other", name,
                       y->list->count, z->list->count);
    for (size_t i = 0; i < y->list->count; i++)
        OQ_TRY(add_value(&y->list->items[i], &z->list->items[i], name, s, err));
    return ONNXQ_OK;
}

oq_status oq_compare_values(const oq_value *y, const oq_value *z, size_t real, size_t rows,
                            const int64_t *labels, const char *name, oq_output_sample *out, oq_error *err) {
    if (y->kind == OQ_VALUE_TENSOR && z->kind == OQ_VALUE_TENSOR) {
        oq_compare_output(&y->tensor, &z->tensor, real, rows, labels, out);
        return ONNXQ_OK;
    }
    sums s = {0};
    OQ_TRY(add_value(y, z, name, &s, err));
    *out = (oq_output_sample){.difference = s.d, .cosine = cosine_of(&s)};
    return ONNXQ_OK;
}
