// What a kernel may rely on about its inputs: presence and types as its signature says, checked in each run.
#include "run/guard.h"

#include "ops/lib/signature.h"

oq_status oq_guards_new(oq_arena *arena, const oq_op_version *version, const oq_node *node,
                        const oq_guard **out, oq_error *err) {
    oq_signature signature;
    OQ_TRY(oq_signature_parse(version, &signature, err));
    if (node->input_count < signature.in.least || node->input_count > signature.in.most)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %zu inputs, but needs at least %zu%s", node->op_type,
                       node->input_count, signature.in.least,
                       node->input_count > signature.in.most ? " and not so many" : "");
    if (node->output_count > signature.out.most)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %zu outputs, but gives %zu at most", node->op_type,
                       node->output_count, signature.out.most);
    oq_guard *guards = oq_arena_calloc(arena, node->input_count + 1, sizeof *guards, err);
    if (!guards) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < node->input_count; i++) {
        const oq_param *param = oq_params_at(&signature.in, i);
        guards[i] = (oq_guard){.allowed = oq_param_allowed(version, param),
                               .variable = param->mixed ? -1 : param->variable,
                               .required = !param->optional,
                               .name = param->name,
                               .name_length = (int)param->name_length};
    }
    *out = guards;
    return ONNXQ_OK;
}

static uint64_t bits_of(const oq_value *value) {
    switch (value->kind) {
    case OQ_VALUE_TENSOR: return UINT64_C(1) << value->tensor.dtype;
    case OQ_VALUE_SEQUENCE: return OQ_T_SEQUENCE;
    case OQ_VALUE_OPTIONAL: return OQ_T_OPTIONAL;
    case OQ_VALUE_MAP: return OQ_T_MAP;
    default: return 0;
    }
}

static const char *type_name(const oq_value *value) {
    switch (value->kind) {
    case OQ_VALUE_SEQUENCE: return "a sequence";
    case OQ_VALUE_OPTIONAL: return "an optional";
    case OQ_VALUE_MAP: return "a map";
    default: return onnxq_dtype_name(value->tensor.dtype);
    }
}

oq_status oq_guards_check(const oq_guard *guards, const oq_value *const *inputs, size_t count,
                          oq_error *err) {
    for (size_t i = 0; i < count; i++) {
        const oq_guard *g = &guards[i];
        if (!inputs[i]) {
            if (!g->required) continue;
            return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu (%.*s) is missing", i, g->name_length, g->name);
        }
        const uint64_t bits = bits_of(inputs[i]);
        // Where an optional may come, its content may, as from a loop that sets what was empty before.
        if (!(bits & g->allowed) && !(g->allowed & OQ_T_OPTIONAL))
            return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu (%.*s) may not be %s", i, g->name_length, g->name,
                           type_name(inputs[i]));
        for (size_t j = 0; j < i && g->variable >= 0; j++)
            if (inputs[j] && guards[j].variable == g->variable && bits_of(inputs[j]) != bits)
                return oq_fail(err, ONNXQ_BAD_MODEL,
                               "inputs %zu and %zu must have one type, but are %s and %s", j, i,
                               type_name(inputs[j]), type_name(inputs[i]));
    }
    return ONNXQ_OK;
}
