// StringSplit: strings cut at a delimiter or at white space, and how many pieces each gave.
#include "ops/lib/infer.h"
#include "ops/lib/strings.h"

#include <string.h>

typedef struct splitter {
    const char *delimiter; // "" = runs of white space
    size_t delimiter_length;
    int64_t most; // cuts, or -1
} splitter;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static size_t skip_spaces(const char *text, size_t at, size_t length) {
    while (at < length && is_space(text[at])) at++;
    return at;
}

// Where the piece that begins at `at` ends; *next is where the search goes on, SIZE_MAX behind the last
// piece.
static size_t cut(const splitter *s, const char *text, size_t length, size_t at, bool may_cut, size_t *next) {
    *next = SIZE_MAX;
    if (!may_cut) return length;
    if (!s->delimiter_length) {
        size_t end = at;
        while (end < length && !is_space(text[end])) end++;
        const size_t rest = skip_spaces(text, end, length);
        if (rest < length) *next = rest;
        return end;
    }
    const char *found = memmem(text + at, length - at, s->delimiter, s->delimiter_length);
    if (!found) return length;
    *next = (size_t)(found - text) + s->delimiter_length;
    return (size_t)(found - text);
}

// How many pieces `text` gives; they are written to texts and lengths when those are not NULL.
static size_t split(const splitter *s, const char *text, size_t length, const char **texts, size_t *lengths) {
    size_t count = 0, at = s->delimiter_length ? 0 : skip_spaces(text, 0, length);
    if (!s->delimiter_length && at == length) return 0;
    while (at != SIZE_MAX) {
        size_t next;
        const bool may_cut = s->most < 0 || count < (size_t)s->most;
        const size_t end = cut(s, text, length, at, may_cut, &next);
        if (texts) {
            texts[count] = text + at;
            lengths[count] = end - at;
        }
        count++;
        at = next;
    }
    return count;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *counts;
    oq_strings in, out;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_strings_of(context, x, &in, err));
    const char *delimiter = oq_node_string(context->node, "delimiter", "");
    const splitter s = {.delimiter = delimiter,
                        .delimiter_length = strlen(delimiter),
                        .most = oq_node_int(context->node, "maxsplit", -1)};
    OQ_TRY(oq_out(context, 1, ONNXQ_INT64, &x->shape, &counts, err));
    size_t width = 0, total;
    for (size_t i = 0; i < in.count; i++) {
        const size_t count = split(&s, in.texts[i], in.lengths[i], NULL, NULL);
        ((int64_t *)counts->data)[i] = (int64_t)count;
        if (count > width) width = count;
    }
    oq_shape shape = x->shape;
    if (shape.rank == OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "StringSplit of a tensor of rank %d", OQ_MAX_RANK);
    shape.dim[shape.rank++] = (int64_t)width;
    OQ_TRY(oq_shape_check(&shape, 1, NULL, err));
    if (!oq_mul_size(in.count, width, &total))
        return oq_fail(err, ONNXQ_NO_MEMORY, "StringSplit: too many pieces");
    OQ_TRY(oq_strings_new(context, total, &out, err));
    for (size_t i = 0; i < total; i++) out.texts[i] = "", out.lengths[i] = 0;
    for (size_t i = 0; i < in.count; i++)
        split(&s, in.texts[i], in.lengths[i], out.texts + i * width, out.lengths + i * width);
    return oq_strings_output(context, 0, &shape, &out, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    (void)err;
    oq_infer_set_dtype(context, 0, ONNXQ_STRING);
    if (context->output_count > 1) oq_infer_set_dtype(context, 1, ONNXQ_INT64);
    if (!x || x->rank < 0 || x->rank == OQ_MAX_RANK) return ONNXQ_OK;
    oq_dim dims[OQ_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dims[i] = x->dim[i];
    dims[x->rank] = OQ_DIM_ANONYMOUS;
    oq_infer_set(context, 0, ONNXQ_STRING, x->rank + 1, dims);
    if (context->output_count > 1) oq_infer_set(context, 1, ONNXQ_INT64, x->rank, dims);
    return ONNXQ_OK;
}

static const oq_type_set types_20[] = {{"T1", OQ_T(STRING)}, {"T2", OQ_T(STRING)}, {"T3", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs_20[] = {
    {"maxsplit", OQ_ATTR_INT, false}, {"delimiter", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "X:T1 -> Y:T2, Z:T3",
     .types = types_20,
     .attrs = attrs_20,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(StringSplit, versions);
