// Version, and the names of statuses and data types.
#include "onnxq/onnxq.h"

#define TEXT_OF(x)   #x
#define TEXT(x)      TEXT_OF(x)
#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

static const struct {
    const char *name, *meaning;
    int exit;
} statuses[] = {
#define ENTRY(name, exit, meaning) {#name, meaning, exit},
    ONNXQ_STATUS_LIST(ENTRY)
#undef ENTRY
};

const char *onnxq_version(void) {
    return TEXT(ONNXQ_VERSION_MAJOR) "." TEXT(ONNXQ_VERSION_MINOR) "." TEXT(ONNXQ_VERSION_PATCH);
}

const char *onnxq_status_name(onnxq_status status) {
    return (size_t)status < STATUS_COUNT ? statuses[status].name : "UNKNOWN";
}

const char *onnxq_status_meaning(onnxq_status status) {
    return (size_t)status < STATUS_COUNT ? statuses[status].meaning : "unknown status";
}

int onnxq_status_exit(onnxq_status status) {
    return (size_t)status < STATUS_COUNT ? statuses[status].exit : 1;
}

const char *onnxq_dtype_name(onnxq_dtype dtype) {
    switch (dtype) {
#define NAME(name, number, bits, text)                                                                       \
    case ONNXQ_##name: return text;
        ONNXQ_DTYPE_LIST(NAME)
#undef NAME
    default: return "undefined";
    }
}
