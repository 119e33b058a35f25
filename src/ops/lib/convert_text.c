// Numbers to and from decimal text, for Cast with strings.
#include "ops/lib/convert_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 40 }; // "-1.7976931348623157e+308" and NUL, with room to spare

// A number as text in both readings; `integer` is true when the text is a whole number of 64 bits.
typedef struct number {
    bool integer;
    int64_t i; // low 64 bits
    double f;
} number;

static bool parse(const char *text, number *out) {
    while (*text == ' ' || *text == '\t' || *text == '\n') text++;
    char *end;
    if (strpbrk(text, "xX(")) return false; // neither hexadecimal nor nan(...)
    out->f = strtod(text, &end);
    if (end == text || end[strspn(end, " \t\n")]) return false;
    errno = 0;
    out->i = *text == '-' ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
    out->integer = errno == 0 && end != text && !end[strspn(end, " \t\n")];
    return true;
}

oq_status oq_convert_from_strings(oq_run_context *context, const oq_tensor *x, oq_dtype dtype,
                                  const oq_convert_options *options, oq_error *err) {
    oq_tensor *y;
    if (oq_work_of(dtype) == OQ_WORK_NONE) return oq_no_loop(context, dtype, err);
    OQ_TRY(oq_out(context, 0, dtype, &x->shape, &y, err));
    const int64_t count = oq_tensor_count(x);
    for (int64_t i = 0; i < count; i++) {
        char text[256] = {0};
        size_t length;
        number value;
        const char *from = oq_tensor_string(x, i, &length);
        if (length < sizeof text) memcpy(text, from, length);
        if (length >= sizeof text || strlen(text) != length || !parse(text, &value))
            return oq_fail(err, ONNXQ_BAD_DATA, "%s: element %" PRId64 " is '%.60s', which is not a number",
                           context->node->op_type, i, length < sizeof text ? text : "(a very long text)");
        void *const into = oq_at_mutable(y->data, (size_t)i, oq_dtype_bytes(dtype));
        if (value.integer && oq_dtype_info(dtype)->is_integer)
            oq_convert_block(ONNXQ_INT64, &value.i, dtype, into, 1, options);
        else
            oq_convert_block(ONNXQ_DOUBLE, &value.f, dtype, into, 1, options);
    }
    return ONNXQ_OK;
}

// True when `text` reads back to x in the float type that x came from.
static bool reads_back(oq_dtype dtype, const char *text, double x) {
    const double back = strtod(text, NULL);
    uint64_t a = 0, b = 0;
    if (dtype == ONNXQ_DOUBLE) return back == x;
    const float narrow = strtof(text, NULL), wanted = (float)x;
    if (dtype == ONNXQ_FLOAT) return narrow == wanted;
    oq_store_f32(dtype, &narrow, &a, 1);
    oq_store_f32(dtype, &wanted, &b, 1);
    return a == b;
}

// Shortest digits; plain between 1e-4 and 1e16 (with .0 behind whole numbers), with an exponent elsewhere.
static int format_float(oq_dtype dtype, double x, char text[TEXT_SIZE]) {
    if (isnan(x)) return snprintf(text, TEXT_SIZE, "nan");
    if (isinf(x)) return snprintf(text, TEXT_SIZE, x < 0 ? "-inf" : "inf");
    int digits = 1;
    do {
        snprintf(text, TEXT_SIZE, "%.*e", digits - 1, x);
    } while (digits++ < 17 && !reads_back(dtype, text, x));
    const int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10), used = digits - 1;
    if (x != 0 && (exponent < -4 || exponent >= 16)) return (int)strlen(text);
    const int decimals = used - 1 - exponent;
    return snprintf(text, TEXT_SIZE, "%.*f", decimals < 1 ? 1 : decimals, strtod(text, NULL));
}

static int format(const oq_tensor *x, int64_t index, char text[TEXT_SIZE]) {
    const oq_dtype_traits *info = oq_dtype_info(x->dtype);
    const void *from = oq_at(x->data, (size_t)index, info->bytes);
    if (x->dtype == ONNXQ_BOOL)
        return snprintf(text, TEXT_SIZE, "%s", *(const uint8_t *)from ? "True" : "False");
    if (info->is_float) return format_float(x->dtype, oq_tensor_get_f64(x, index), text);
    oq_block value;
    oq_work_load(x->dtype, from, &value, 1);
    return info->is_signed ? snprintf(text, TEXT_SIZE, "%" PRId64, value.i64[0])
                           : snprintf(text, TEXT_SIZE, "%" PRIu64, value.u64[0]);
}

oq_status oq_convert_to_strings(oq_run_context *context, const oq_tensor *x, oq_error *err) {
    const size_t count = (size_t)oq_tensor_count(x);
    size_t bytes;
    if (!oq_mul_size(count, TEXT_SIZE + sizeof(char *) + sizeof(size_t), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "%s: too many strings", context->node->op_type);
    const char **texts = oq_scratch(context, bytes, err);
    if (!texts) return ONNXQ_NO_MEMORY;
    size_t *const lengths = (size_t *)(texts + count);
    char *const room = (char *)(lengths + count);
    for (size_t i = 0; i < count; i++) {
        texts[i] = room + i * TEXT_SIZE;
        lengths[i] = (size_t)format(x, (int64_t)i, room + i * TEXT_SIZE);
    }
    oq_tensor y = {0};
    OQ_TRY(oq_tensor_new_strings(context->mem, &x->shape, texts, lengths, &y, err));
    oq_out_take(context, 0, oq_value_of_tensor(y));
    return ONNXQ_OK;
}
