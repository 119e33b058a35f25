// Lists of strings for operators on text: room for them, output tensors from them, letter case.
#include "ops/lib/strings.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

oq_status oq_strings_new(oq_run_context *context, size_t count, oq_strings *out, oq_error *err) {
    size_t bytes;
    *out = (oq_strings){.count = count};
    if (!oq_mul_size(count, sizeof *out->texts + sizeof *out->lengths, &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "%s: too many strings", context->node->op_type);
    out->texts = oq_scratch(context, bytes, err);
    if (!out->texts) return ONNXQ_NO_MEMORY;
    out->lengths = (size_t *)(out->texts + count);
    return ONNXQ_OK;
}

oq_status oq_strings_of(oq_run_context *context, const oq_tensor *tensor, oq_strings *out, oq_error *err) {
    if (tensor->dtype != ONNXQ_STRING) return oq_no_loop(context, tensor->dtype, err);
    OQ_TRY(oq_strings_new(context, (size_t)oq_tensor_count(tensor), out, err));
    for (size_t i = 0; i < out->count; i++)
        out->texts[i] = oq_tensor_string(tensor, (int64_t)i, &out->lengths[i]);
    return ONNXQ_OK;
}

oq_status oq_strings_output(oq_run_context *context, size_t i, const oq_shape *shape,
                            const oq_strings *strings, oq_error *err) {
    oq_tensor y = {0};
    OQ_TRY(oq_tensor_new_strings(context->mem, shape, strings->texts, strings->lengths, &y, err));
    oq_out_take(context, i, oq_value_of_tensor(y));
    return ONNXQ_OK;
}

// The code point at the start of `text` and how many bytes it takes; a byte that begins no valid sequence
// stands for itself as -1.
static int decode(const unsigned char *text, size_t length, int *bytes) {
    const int lead = text[0];
    const int more = lead >= 0xF0 && lead < 0xF5 ? 3 : lead >= 0xE0 ? 2 : 1;
    *bytes = 1;
    if (lead < 0x80) return lead;
    if (lead < 0xC2 || lead >= 0xF5 || (size_t)more >= length) return -1;
    int code = lead & (0x3F >> more);
    for (int i = 1; i <= more; i++) {
        if ((text[i] & 0xC0) != 0x80) return -1;
        code = code << 6 | (text[i] & 0x3F);
    }
    *bytes = more + 1;
    return code;
}

static size_t encode(int code, unsigned char *into) {
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const int leads[] = {0, 0xC0, 0xE0, 0xF0};
    into[0] = (unsigned char)(leads[more] | code >> 6 * more);
    for (int i = 1; i <= more; i++) into[i] = (unsigned char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    return (size_t)more + 1;
}

const char *oq_strings_change_case(oq_run_context *context, oq_letter_case into, const char *text,
                                   size_t *length, oq_error *err) {
    if (into == OQ_CASE_SAME) return text;
    unsigned char *const out = oq_scratch(context, *length * 4 + 1, err); // a letter may take more bytes
    if (!out) return NULL;
    const locale_t letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); // 0: ASCII letters only
    size_t written = 0;
    for (size_t at = 0; at < *length;) {
        int bytes;
        const int code = decode((const unsigned char *)text + at, *length - at, &bytes);
        int changed = code;
        if (code >= 0 && code < 0x80)
            changed = into == OQ_CASE_LOWER ? (code >= 'A' && code <= 'Z' ? code + 32 : code)
                                            : (code >= 'a' && code <= 'z' ? code - 32 : code);
        else if (code >= 0 && letters)
            changed = (int)(into == OQ_CASE_LOWER ? towlower_l((wint_t)code, letters)
                                                  : towupper_l((wint_t)code, letters));
        if (code < 0)
            out[written++] = (unsigned char)text[at];
        else
            written += encode(changed, out + written);
        at += (size_t)bytes;
    }
    if (letters) freelocale(letters);
    *length = written;
    return (const char *)out;
}
