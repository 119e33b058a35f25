// RegexFullMatch: true where the whole string matches a pattern.
#include "ops/lib/elementwise.h"
#include "ops/lib/pattern.h"
#include "ops/lib/strings.h"

#include <regex.h>
#include <string.h>

// One string, which regexec wants NUL-terminated; a string that holds NUL matches nothing.
static oq_status match(oq_run_context *context, const regex_t *regex, const char *text, size_t length,
                       uint8_t *out, oq_error *err) {
    char *copy = oq_mem_alloc(context->mem, length + 1, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    memcpy(copy, text, length);
    copy[length] = 0;
    *out = strlen(copy) == length && regexec(regex, copy, 0, NULL, 0) == 0;
    oq_mem_free(context->mem, copy);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    oq_strings in;
    oq_text posix;
    regex_t regex;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_strings_of(context, x, &in, err));
    OQ_TRY(oq_out(context, 0, ONNXQ_BOOL, &x->shape, &y, err));
    const char *pattern = oq_node_string(context->node, "pattern", "");
    oq_text_init(&posix, context->mem);
    oq_status status = oq_pattern_translate(pattern, &posix, err);
    const bool compiled =
        status == ONNXQ_OK && regcomp(&regex, oq_text_get(&posix), REG_EXTENDED | REG_NOSUB) == 0;
    if (status == ONNXQ_OK && !compiled)
        status = oq_fail(err, ONNXQ_BAD_MODEL, "RegexFullMatch: the pattern '%.200s' is not valid", pattern);
    for (size_t i = 0; status == ONNXQ_OK && i < in.count; i++)
        status = match(context, &regex, in.texts[i], in.lengths[i], (uint8_t *)y->data + i, err);
    if (compiled) regfree(&regex);
    oq_text_release(&posix);
    return status;
}

static const oq_type_set types_20[] = {{"T1", OQ_T(STRING)}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_20[] = {{"pattern", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "X:T1 -> Y:T2",
     .types = types_20,
     .attrs = attrs_20,
     .infer = oq_infer_test,
     .run = run},
};

OQ_ONNX_OP(RegexFullMatch, versions);
