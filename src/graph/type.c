// Static types: making, printing, merging.
#include "graph/storage.h"

#include <string.h>

oq_type oq_type_tensor(oq_dtype dtype, int rank, const oq_dim *dims) {
    oq_type type = {.kind = OQ_TYPE_TENSOR, .dtype = dtype, .rank = rank};
    for (int i = 0; i < rank && i < OQ_MAX_RANK; i++) type.dim[i] = dims ? dims[i] : OQ_DIM_ANONYMOUS;
    return type;
}

bool oq_type_static(const oq_type *type, oq_shape *shape) {
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 0) return false;
    shape->rank = type->rank;
    for (int i = 0; i < type->rank; i++) {
        if (!oq_dim_known(type->dim[i])) return false;
        shape->dim[i] = type->dim[i].size;
    }
    return true;
}

static void format_shape(const oq_type *type, oq_text *into) {
    if (type->rank < 0) {
        oq_text_add(into, "[...]");
        return;
    }
    oq_text_add(into, "[");
    for (int i = 0; i < type->rank; i++) {
        if (i) oq_text_add(into, ",");
        if (oq_dim_known(type->dim[i]))
            oq_text_printf(into, "%lld", (long long)type->dim[i].size);
        else
            oq_text_add(into, type->dim[i].symbol ? type->dim[i].symbol : "?");
    }
    oq_text_add(into, "]");
}

void oq_type_format(const oq_type *type, oq_text *into) {
    static const char *const around[] = {[OQ_TYPE_SEQUENCE] = "seq(",
                                         [OQ_TYPE_OPTIONAL] = "optional(",
                                         [OQ_TYPE_MAP] = "map(",
                                         [OQ_TYPE_SPARSE] = "sparse("};
    size_t open = 0;
    bool ended = false;
    while (type && !ended) {
        ended = true;
        switch (type->kind) {
        case OQ_TYPE_TENSOR:
        case OQ_TYPE_SPARSE:
            if (type->kind == OQ_TYPE_SPARSE) oq_text_add(into, around[type->kind]), open++;
            oq_text_add(into, type->dtype == ONNXQ_UNDEFINED ? "?" : oq_dtype_info(type->dtype)->name);
            format_shape(type, into);
            break;
        case OQ_TYPE_SEQUENCE:
        case OQ_TYPE_OPTIONAL:
        case OQ_TYPE_MAP:
            oq_text_add(into, around[type->kind]);
            if (type->kind == OQ_TYPE_MAP) oq_text_printf(into, "%s,", oq_dtype_info(type->dtype)->name);
            open++;
            if (!type->elem) oq_text_add(into, "?");
            type = type->elem;
            ended = false;
            break;
        default: oq_text_add(into, "?"); break;
        }
    }
    while (open--) oq_text_add(into, ")");
}

static oq_status contradiction(const oq_type *a, const oq_type *b, const char *tensor, oq_error *err) {
    oq_text one = {0};
    oq_text two = {0};
    oq_mem mem = {0};
    oq_text_init(&one, &mem);
    oq_text_init(&two, &mem);
    oq_type_format(a, &one);
    oq_type_format(b, &two);
    oq_fail(err, ONNXQ_BAD_MODEL, "value '%s' cannot be both %.200s and %.200s", tensor, oq_text_get(&one),
            oq_text_get(&two));
    oq_error_at_tensor(err, tensor);
    oq_text_release(&one);
    oq_text_release(&two);
    return ONNXQ_BAD_MODEL;
}

// Merges two tensor types; false at a contradiction.
static bool merge_tensor(oq_type *type, const oq_type *more) {
    if (type->dtype == ONNXQ_UNDEFINED)
        type->dtype = more->dtype;
    else if (more->dtype != ONNXQ_UNDEFINED && more->dtype != type->dtype)
        return false;
    if (more->rank < 0) return true;
    if (type->rank < 0) {
        type->rank = more->rank;
        memcpy(type->dim, more->dim, sizeof type->dim);
        return true;
    }
    if (type->rank != more->rank) return false;
    for (int i = 0; i < type->rank; i++) {
        oq_dim *dim = &type->dim[i];
        const oq_dim other = more->dim[i];
        if (oq_dim_known(*dim) && oq_dim_known(other) && dim->size != other.size) return false;
        if (!oq_dim_known(*dim) && (oq_dim_known(other) || !dim->symbol)) *dim = other;
    }
    return true;
}

// How much a type says: one point for each known part.
static int knowledge(const oq_type *type) {
    int points = 0;
    for (; type; type = type->elem) {
        points += type->kind != OQ_TYPE_UNKNOWN;
        if (type->kind != OQ_TYPE_TENSOR && type->kind != OQ_TYPE_SPARSE) continue;
        points += (type->dtype != ONNXQ_UNDEFINED) + (type->rank >= 0);
        for (int i = 0; i < type->rank; i++)
            points += oq_dim_known(type->dim[i]) ? 2 : type->dim[i].symbol != NULL;
    }
    return points;
}

static bool merge(oq_type *type, const oq_type *more) {
    if (more->kind == OQ_TYPE_UNKNOWN) return true;
    if (type->kind == OQ_TYPE_UNKNOWN) {
        *type = *more;
        return true;
    }
    if (type->kind != more->kind) return false;
    if (type->kind == OQ_TYPE_TENSOR || type->kind == OQ_TYPE_SPARSE) return merge_tensor(type, more);
    if (type->kind == OQ_TYPE_MAP && type->dtype != more->dtype) return false;
    if (!type->elem || !more->elem) {
        if (!type->elem) type->elem = more->elem;
        return true;
    }
    // The contents are shared and stay as they are: the side that says more is taken. The nesting of types
    // is bounded by the reader of the file.
    oq_type both = *type->elem;
    if (!merge(&both, more->elem)) return false;
    if (knowledge(more->elem) > knowledge(type->elem)) type->elem = more->elem;
    return true;
}

oq_status oq_type_merge(oq_type *type, const oq_type *more, const char *tensor, oq_error *err) {
    oq_type merged = *type;
    if (!merge(&merged, more)) return contradiction(type, more, tensor, err);
    *type = merged;
    return ONNXQ_OK;
}

oq_status oq_type_clone(oq_model *model, const oq_type *from, oq_type *into, oq_error *err) {
    *into = *from;
    for (int i = 0; i < from->rank && i < OQ_MAX_RANK; i++) {
        if (!from->dim[i].symbol) continue;
        into->dim[i].symbol = oq_model_intern(model, from->dim[i].symbol, err);
        if (!into->dim[i].symbol) return ONNXQ_NO_MEMORY;
    }
    if (!from->elem) return ONNXQ_OK;
    oq_type *elem = oq_arena_alloc(&model->arena, sizeof *elem, err);
    if (!elem) return ONNXQ_NO_MEMORY;
    into->elem = elem;
    return oq_type_clone(model, from->elem, elem, err);
}
