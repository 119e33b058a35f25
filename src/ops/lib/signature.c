// Signatures of operators taken apart.
#include "ops/lib/signature.h"

#include <ctype.h>
#include <string.h>

static const char *skip_spaces(const char *at) {
    while (*at == ' ') ++at;
    return at;
}

static const char *word_end(const char *at) {
    while (isalnum((unsigned char)*at) || *at == '_' || *at == '.') ++at;
    return at;
}

// The dtype or type variable that the parameter's type names; false when there is none.
static bool resolve_type(const oq_op_version *version, oq_param *param) {
    char text[32];
    if (!param->type_length || param->type_length >= sizeof text) return false;
    memcpy(text, param->type, param->type_length);
    text[param->type_length] = 0;
    param->variable = -1;
    for (int v = 0; version->types && version->types[v].variable; ++v) {
        if (!strcmp(version->types[v].variable, text)) {
            param->variable = v;
            return true;
        }
    }
    param->dtype = oq_dtype_parse(text);
    return param->dtype != ONNXQ_UNDEFINED;
}

// One "name?:type"; returns the place behind it, or NULL.
static const char *parse_param(const oq_op_version *version, const char *at, oq_param *out) {
    *out = (oq_param){.name = at};
    at = word_end(at);
    out->name_length = (size_t)(at - out->name);
    for (; *at && *at != ':'; ++at) {
        if (*at == '?')
            out->optional = true;
        else if (*at == '*' || *at == '+')
            out->variadic = true, out->one_first = *at == '+';
        else if (*at == '~')
            out->mixed = true;
        else
            return NULL;
    }
    if (*at != ':' || !out->name_length) return NULL;
    out->type = ++at;
    at = word_end(at);
    out->type_length = (size_t)(at - out->type);
    return resolve_type(version, out) ? at : NULL;
}

static const char *parse_params(const oq_op_version *version, const char *at, oq_params *out) {
    *out = (oq_params){0};
    at = skip_spaces(at);
    while (*at && *at != '-') {
        if (out->count == OQ_MAX_PARAMS) return NULL;
        oq_param *param = &out->items[out->count];
        at = parse_param(version, at, param);
        if (!at) return NULL;
        ++out->count;
        if (param->variadic) {
            out->least = out->count - (param->one_first ? 0 : 1);
            out->most = SIZE_MAX;
        } else {
            if (!param->optional) out->least = out->count;
            out->most = out->count;
        }
        at = skip_spaces(at);
        if (*at == ',') at = skip_spaces(at + 1);
    }
    return at;
}

oq_status oq_signature_parse(const oq_op_version *version, oq_signature *out, oq_error *err) {
    const char *at = parse_params(version, version->signature, &out->in);
    if (at && at[0] == '-' && at[1] == '>') at = parse_params(version, at + 2, &out->out);
    if (!at || *at)
        return oq_fail(err, ONNXQ_INTERNAL, "operator signature '%s' cannot be read", version->signature);
    return ONNXQ_OK;
}

const oq_param *oq_params_at(const oq_params *params, size_t i) {
    if (i < params->count) return &params->items[i];
    if (!params->count) return NULL;
    const oq_param *last = &params->items[params->count - 1];
    return last->variadic ? last : NULL;
}

uint64_t oq_param_allowed(const oq_op_version *version, const oq_param *param) {
    if (param->variable >= 0) return version->types[param->variable].allowed;
    return UINT64_C(1) << param->dtype;
}

uint64_t oq_type_bits(const oq_type *type) {
    switch (type->kind) {
    case OQ_TYPE_TENSOR:
        return type->dtype > ONNXQ_UNDEFINED && type->dtype < ONNXQ_DTYPE_COUNT ? UINT64_C(1) << type->dtype
                                                                                : 0;
    case OQ_TYPE_SEQUENCE: return OQ_T_SEQUENCE;
    case OQ_TYPE_OPTIONAL: return OQ_T_OPTIONAL;
    case OQ_TYPE_MAP: return OQ_T_MAP;
    default: return 0;
    }
}
