// Errors as values: filling, annotating and clearing the caller's error.
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

oq_status(oq_fail)(oq_error *err, oq_status code, const char *format, ...) {
    if (!err || err->status != ONNXQ_OK) return code;
    err->status = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return code;
}

// Fills a part that is still empty, cut at its size.
static void set_part(const oq_error *err, char *part, size_t size, const char *text) {
    if (err->status != ONNXQ_OK && text && !part[0]) snprintf(part, size, "%s", text);
}

void oq_error_at_file(oq_error *err, const char *file) {
    if (err) set_part(err, err->file, sizeof err->file, file);
}

void oq_error_at_node(oq_error *err, const char *node, const char *op_type) {
    if (!err) return;
    set_part(err, err->node, sizeof err->node, node);
    set_part(err, err->op_type, sizeof err->op_type, op_type);
}

void oq_error_at_tensor(oq_error *err, const char *tensor) {
    if (err) set_part(err, err->tensor, sizeof err->tensor, tensor);
}

void oq_error_prefix(oq_error *err, const char *format, ...) {
    if (!err || err->status == ONNXQ_OK) return;
    char sentence[sizeof err->message];
    memcpy(sentence, err->message, sizeof sentence);
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    const size_t length = strnlen(err->message, sizeof err->message - 1);
    if (written < 0) err->message[0] = '\0';
    const size_t begin = written < 0 ? 0 : length;
    const size_t room = sizeof err->message - 1 - begin;
    const size_t rest = strnlen(sentence, sizeof sentence - 1);
    const size_t copied = rest < room ? rest : room;
    memcpy(err->message + begin, sentence, copied);
    err->message[begin + copied] = '\0';
}

void oq_error_clear(oq_error *err) {
    if (err) memset(err, 0, sizeof *err);
}
