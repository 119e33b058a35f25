// StringNormalizer: words without stop words, in lower or upper case.
#include "ops/lib/infer.h"
#include "ops/lib/strings.h"

#include <string.h>

static oq_status read_case(const oq_node *node, oq_letter_case *out, oq_error *err) {
    const char *text = oq_node_string(node, "case_change_action", "NONE");
    *out = strcmp(text, "LOWER") == 0   ? OQ_CASE_LOWER
           : strcmp(text, "UPPER") == 0 ? OQ_CASE_UPPER
                                        : OQ_CASE_SAME;
    if (*out != OQ_CASE_SAME || strcmp(text, "NONE") == 0) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "StringNormalizer: case_change_action is '%s', not LOWER, UPPER or NONE", text);
}

// The stop words, in lower case when case does not count.
static oq_status read_stops(oq_run_context *context, oq_letter_case fold, oq_strings *out, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, "stopwords");
    const size_t count = attr && attr->kind == OQ_ATTR_STRINGS ? attr->count : 0;
    OQ_TRY(oq_strings_new(context, count, out, err));
    for (size_t i = 0; i < count; i++) {
        out->lengths[i] = attr->strings[i].size;
        out->texts[i] =
            oq_strings_change_case(context, fold, (const char *)attr->strings[i].data, &out->lengths[i], err);
        if (!out->texts[i]) return ONNXQ_NO_MEMORY;
    }
    return ONNXQ_OK;
}

static bool contains(const oq_strings *words, const char *text, size_t length) {
    for (size_t i = 0; i < words->count; i++)
        if (words->lengths[i] == length && memcmp(words->texts[i], text, length) == 0) return true;
    return false;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_strings words, stops;
    oq_letter_case action = OQ_CASE_SAME;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(read_case(context->node, &action, err));
    if (x->shape.rank < 1 || x->shape.rank > 2 || (x->shape.rank == 2 && x->shape.dim[0] != 1))
        return oq_fail(err, ONNXQ_BAD_MODEL, "StringNormalizer: the input must have the shape [C] or [1,C]");
    const oq_letter_case fold =
        oq_node_int(context->node, "is_case_sensitive", 0) ? OQ_CASE_SAME : OQ_CASE_LOWER;
    OQ_TRY(oq_strings_of(context, x, &words, err));
    OQ_TRY(read_stops(context, fold, &stops, err));
    size_t kept = 0;
    for (size_t i = 0; i < words.count; i++) {
        size_t length = words.lengths[i], changed = length;
        const char *folded = oq_strings_change_case(context, fold, words.texts[i], &length, err);
        if (!folded) return ONNXQ_NO_MEMORY;
        if (contains(&stops, folded, length)) continue;
        words.texts[kept] = oq_strings_change_case(context, action, words.texts[i], &changed, err);
        if (!words.texts[kept]) return ONNXQ_NO_MEMORY;
        words.lengths[kept++] = changed;
    }
    if (!kept) { // never an empty tensor: one empty word
        OQ_TRY(oq_strings_new(context, 1, &words, err));
        words.texts[kept] = "";
        words.lengths[kept++] = 0;
    }
    oq_shape shape = x->shape;
    shape.dim[shape.rank - 1] = (int64_t)kept;
    return oq_strings_output(context, 0, &shape, &words, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const int rank = oq_infer_rank(context, 0);
    (void)err;
    if (rank == 1 || rank == 2)
        oq_infer_set(context, 0, ONNXQ_STRING, rank,
                     (oq_dim[]){rank == 1 ? OQ_DIM_ANONYMOUS : oq_dim_of(1), OQ_DIM_ANONYMOUS});
    else
        oq_infer_set_dtype(context, 0, ONNXQ_STRING);
    return ONNXQ_OK;
}

static const oq_attr_spec attrs_10[] = {{"stopwords", OQ_ATTR_STRINGS, false},
                                        {"locale", OQ_ATTR_STRING, false},
                                        {"is_case_sensitive", OQ_ATTR_INT, false},
                                        {"case_change_action", OQ_ATTR_STRING, false},
                                        {0}};

static const oq_op_version versions[] = {
    {.since = 10, .signature = "X:string -> Y:string", .attrs = attrs_10, .infer = infer, .run = run},
};

OQ_ONNX_OP(StringNormalizer, versions);
