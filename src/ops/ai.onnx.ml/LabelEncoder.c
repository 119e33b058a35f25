// LabelEncoder: a map from keys to values, applied to every element.
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"
#include "ops/lib/strings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- lists and defaults from attributes ---

static oq_status list_of_numbers(oq_run_context *context, oq_dtype dtype, const void *from, size_t count,
                                 oq_tensor *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE((int64_t)count);
    OQ_TRY(oq_tensor_new(context->mem, dtype, &shape, out, err));
    if (count) memcpy(out->data, from, count * oq_dtype_bytes(dtype));
    return ONNXQ_OK;
}

static oq_status list_of_strings(oq_run_context *context, const oq_bytes *strings, size_t count,
                                 oq_tensor *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE((int64_t)count);
    oq_strings list;
    OQ_TRY(oq_strings_new(context, count, &list, err));
    for (size_t i = 0; i < count; i++) {
        list.texts[i] = (const char *)strings[i].data;
        list.lengths[i] = strings[i].size;
    }
    return oq_tensor_new_strings(context->mem, &shape, list.texts, list.lengths, out, err);
}

static oq_status list_of_attr(oq_run_context *context, const oq_attr *attr, oq_tensor *out, oq_error *err) {
    switch (attr->kind) {
    case OQ_ATTR_TENSOR: return oq_constant_load(context->mem, attr->tensor, out, err);
    case OQ_ATTR_STRINGS: return list_of_strings(context, attr->strings, attr->count, out, err);
    case OQ_ATTR_INTS: return list_of_numbers(context, ONNXQ_INT64, attr->ints, attr->count, out, err);
    default: return list_of_numbers(context, ONNXQ_FLOAT, attr->floats, attr->count, out, err);
    }
}

// The list of "keys" or "values", whichever attribute has it.
static const oq_attr *list_attr(const oq_node *node, const char *what) {
    static const char *const kinds[] = {"tensor", "strings", "int64s", "floats"};
    const oq_attr *found = NULL;
    for (size_t i = 0; !found && i < sizeof kinds / sizeof *kinds; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s_%s", what, kinds[i]);
        found = oq_node_attr(node, name);
    }
    return found;
}

static oq_status default_of(oq_run_context *context, oq_dtype dtype, oq_tensor *out, oq_error *err) {
    const oq_node *node = context->node;
    const oq_attr *tensor = oq_node_attr(node, "default_tensor");
    if (tensor) return list_of_attr(context, tensor, out, err);
    if (dtype == ONNXQ_STRING) {
        const char *text = oq_node_string(node, "default_string", "_Unused");
        const oq_bytes bytes = {.data = (const uint8_t *)text, .size = strlen(text)};
        return list_of_strings(context, &bytes, 1, out, err);
    }
    const oq_shape shape = OQ_SHAPE(1);
    OQ_TRY(oq_tensor_new(context->mem, dtype, &shape, out, err));
    const double fraction = (double)oq_node_float(node, "default_float", -0.0F);
    const int64_t whole = oq_node_int(node, "default_int64", -1);
    if (dtype == ONNXQ_FLOAT || dtype == ONNXQ_DOUBLE)
        oq_store_f64(dtype, &fraction, out->data, 1);
    else
        oq_store_i64(dtype, &whole, out->data, 1);
    return ONNXQ_OK;
}

// --- the map ---

// Elements of any dtype as texts that are equal when the elements are: NaN is one, 0 and -0 are one.
static oq_status texts_of(oq_run_context *context, const oq_tensor *tensor, oq_strings *out, oq_error *err) {
    if (tensor->dtype == ONNXQ_STRING) return oq_strings_of(context, tensor, out, err);
    const size_t count = (size_t)oq_tensor_count(tensor);
    const bool fractions = tensor->dtype == ONNXQ_FLOAT || tensor->dtype == ONNXQ_DOUBLE;
    int64_t *numbers = oq_scratch(context, (count + 1) * sizeof *numbers, err);
    if (!numbers) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_strings_new(context, count, out, err));
    for (size_t i = 0; i < count; i++) {
        const double value = fractions ? oq_tensor_get_f64(tensor, (int64_t)i) : 0;
        const double one = isnan(value) ? (double)NAN : value + 0.0;
        numbers[i] = fractions ? 0 : oq_tensor_get_i64(tensor, (int64_t)i);
        if (fractions) memcpy(&numbers[i], &one, sizeof one);
        out->texts[i] = (const char *)&numbers[i];
        out->lengths[i] = sizeof *numbers;
    }
    return ONNXQ_OK;
}

typedef struct key {
    const char *text;
    size_t length, index;
} key;

static int compare_texts(const key *a, const key *b) {
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->length ? memcmp(a->text, b->text, a->length) : 0;
}

static int compare_keys(const void *a, const void *b) {
    const key *x = a, *y = b;
    const int order = compare_texts(x, y);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

// Index of the last key that equals `wanted`, `count` when there is none.
static size_t find(const key *keys, size_t count, const key *wanted) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_texts(&keys[middle], wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && compare_texts(&keys[low - 1], wanted) == 0 ? keys[low - 1].index : count;
}

// For each element of x the index of its key, or how many keys there are.
static oq_status look_up(oq_run_context *context, const oq_tensor *x, const oq_tensor *keys, int64_t *picks,
                         oq_error *err) {
    oq_strings wanted, texts;
    OQ_TRY(texts_of(context, x, &wanted, err));
    OQ_TRY(texts_of(context, keys, &texts, err));
    key *sorted = oq_scratch(context, (texts.count + 1) * sizeof *sorted, err);
    if (!sorted) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < texts.count; i++)
        sorted[i] = (key){.text = texts.texts[i], .length = texts.lengths[i], .index = i};
    qsort(sorted, texts.count, sizeof *sorted, compare_keys);
    for (size_t i = 0; i < wanted.count; i++)
        picks[i] =
            (int64_t)find(sorted, texts.count, &(key){.text = wanted.texts[i], .length = wanted.lengths[i]});
    return ONNXQ_OK;
}

static oq_status apply(oq_run_context *context, const oq_tensor *keys, const oq_tensor *values,
                       const oq_tensor *otherwise, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *sources[] = {values, otherwise};
    const size_t count = (size_t)oq_tensor_count(x);
    const int64_t known = oq_tensor_count(values);
    if (keys->dtype != x->dtype || oq_tensor_count(keys) != known || values->dtype != otherwise->dtype ||
        oq_tensor_count(otherwise) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "keys, values and default of LabelEncoder do not fit each other or the input");
    int64_t *picks = oq_scratch(context, (count + 1) * sizeof *picks, err);
    if (!picks) return ONNXQ_NO_MEMORY;
    OQ_TRY(look_up(context, x, keys, picks, err));
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &x->shape, sources, 2, err));
    for (size_t i = 0; i < count; i++)
        memcpy(m.to + i * m.element, picks[i] < known ? m.from[0] + (size_t)picks[i] * m.element : m.from[1],
               m.element);
    return oq_mover_close(&m, err);
}

// Version 1 has one list of strings: the map between them and their positions, in either direction.
static oq_status read_classes(oq_run_context *context, oq_tensor *keys, oq_tensor *values, oq_error *err) {
    const oq_attr *classes = oq_node_attr(context->node, "classes_strings");
    const bool encode = oq_in(context, 0)->dtype == ONNXQ_STRING;
    if (!classes || classes->kind != OQ_ATTR_STRINGS)
        return oq_fail(err, ONNXQ_BAD_MODEL, "LabelEncoder has no attribute classes_strings");
    oq_tensor *positions = encode ? values : keys;
    OQ_TRY(list_of_strings(context, classes->strings, classes->count, encode ? keys : values, err));
    int64_t *numbers = oq_scratch(context, (classes->count + 1) * sizeof *numbers, err);
    if (!numbers) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < classes->count; i++) numbers[i] = (int64_t)i;
    return list_of_numbers(context, ONNXQ_INT64, numbers, classes->count, positions, err);
}

static oq_status read_lists(oq_run_context *context, oq_tensor *keys, oq_tensor *values, oq_error *err) {
    if (context->version->since == 1) return read_classes(context, keys, values, err);
    const oq_attr *from = list_attr(context->node, "keys"), *to = list_attr(context->node, "values");
    if (!from || !to)
        return oq_fail(err, ONNXQ_BAD_MODEL, "LabelEncoder needs an attribute keys_* and one values_*");
    OQ_TRY(list_of_attr(context, from, keys, err));
    return list_of_attr(context, to, values, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_tensor keys = {0}, values = {0}, otherwise = {0};
    oq_status status = read_lists(context, &keys, &values, err);
    if (status == ONNXQ_OK) status = default_of(context, values.dtype, &otherwise, err);
    if (status == ONNXQ_OK) status = apply(context, &keys, &values, &otherwise, err);
    oq_tensor_release(&keys);
    oq_tensor_release(&values);
    oq_tensor_release(&otherwise);
    return status;
}

// --- inference ---

static oq_dtype dtype_of_list(const oq_attr *attr) {
    return !attr                           ? ONNXQ_UNDEFINED
           : attr->kind == OQ_ATTR_TENSOR  ? attr->tensor->dtype
           : attr->kind == OQ_ATTR_STRINGS ? ONNXQ_STRING
           : attr->kind == OQ_ATTR_INTS    ? ONNXQ_INT64
                                           : ONNXQ_FLOAT;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    const bool classes = oq_node_attr(context->node, "classes_strings") != NULL;
    (void)err;
    if (!in) return ONNXQ_OK;
    oq_type out = *in;
    out.dtype = dtype_of_list(list_attr(context->node, "values"));
    if (classes) out.dtype = in->dtype == ONNXQ_STRING ? ONNXQ_INT64 : ONNXQ_STRING;
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

#define LABELS_1 (OQ_T(STRING) | OQ_T(INT64))
#define LABELS_2 (LABELS_1 | OQ_T_FLOAT32)
#define LABELS_4 (LABELS_2 | OQ_T(DOUBLE) | OQ_T(INT16) | OQ_T(INT32))
#define DEFAULTS                                                                                             \
    {"default_int64", OQ_ATTR_INT, false}, { "default_string", OQ_ATTR_STRING, false }
#define LISTS                                                                                                \
    {"default_float", OQ_ATTR_FLOAT, false}, {"keys_floats", OQ_ATTR_FLOATS, false},                         \
        {"keys_int64s", OQ_ATTR_INTS, false}, {"keys_strings", OQ_ATTR_STRINGS, false},                      \
        {"values_floats", OQ_ATTR_FLOATS, false}, {"values_int64s", OQ_ATTR_INTS, false}, {                  \
        "values_strings", OQ_ATTR_STRINGS, false                                                             \
    }
#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "X:T1 -> Y:T2", .types = OQ_TYPES({"T1", SET}, {"T2", SET}),            \
        .attrs = OQ_ATTRS(DEFAULTS, __VA_ARGS__), .infer = infer, .run = run                                 \
    }

static const oq_op_version versions[] = {
    VERSION(1, LABELS_1, {"classes_strings", OQ_ATTR_STRINGS, false}),
    VERSION(2, LABELS_2, LISTS),
    VERSION(4, LABELS_4, LISTS, {"default_tensor", OQ_ATTR_TENSOR, false},
            {"keys_tensor", OQ_ATTR_TENSOR, false}, {"values_tensor", OQ_ATTR_TENSOR, false}),
};

OQ_OP(ai_onnx_ml, LabelEncoder, "ai.onnx.ml", versions, OQ_OP_PLAIN);
