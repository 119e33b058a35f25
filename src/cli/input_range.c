// --input-range: what an input can hold, as several commands take it.
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

// [NAME=]LO:HI; a name may hold `=` and `:`.
static onnxq_status set_one(const char *text, onnxq_model *model, onnxq_error *err) {
    const char *equals = strrchr(text, '='), *numbers = equals ? equals + 1 : text;
    char *colon, *end, name[512];
    const double low = strtod(numbers, &colon);
    const double high = *colon == ':' ? strtod(colon + 1, &end) : 0;
    if (colon == numbers || *colon != ':' || end == colon + 1 || *end) {
        snprintf(err->message, sizeof err->message,
                 "--input-range '%s' is not of the form NAME=LO:HI, as in image=0:255", text);
        return ONNXQ_USAGE;
    }
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - text) : 0, text);
    return onnxq_model_set_input_range(model, equals ? name : NULL, low, high, err);
}

onnxq_status command_input_ranges(const text_list *ranges, onnxq_model *model, onnxq_error *err) {
    for (size_t i = 0; i < ranges->count; i++) {
        const onnxq_status status = set_one(ranges->items[i], model, err);
        if (status != ONNXQ_OK) return status;
    }
    return ONNXQ_OK;
}
