// Prints the operator table as JSON, one operator a line, for the comparison with the official schemas.
#include "ops/lib/signature.h"

#include <stdio.h>

static void print_types(uint64_t bits) {
    const char *separator = "";
    printf("[");
    for (int dtype = 1; dtype < ONNXQ_DTYPE_COUNT; ++dtype) {
        if (!(bits & UINT64_C(1) << dtype)) continue;
        printf("%s\"%s\"", separator, onnxq_dtype_name((onnxq_dtype)dtype));
        separator = ",";
    }
    static const struct {
        uint64_t bit;
        const char *name;
    } kinds[] = {{OQ_T_SEQUENCE, "seq"}, {OQ_T_OPTIONAL, "optional"}, {OQ_T_MAP, "map"}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
        if (!(bits & kinds[k].bit)) continue;
        printf("%s\"%s\"", separator, kinds[k].name);
        separator = ",";
    }
    printf("]");
}

static void print_params(const char *key, const oq_op_version *version, const oq_params *params) {
    printf("\"%s\":[", key);
    for (size_t i = 0; i < params->count; ++i) {
        const oq_param *p = &params->items[i];
        printf("%s{\"name\":\"%.*s\",\"type\":\"%.*s\",\"option\":\"%s\",\"mixed\":%s,\"types\":",
               i ? "," : "", (int)p->name_length, p->name, (int)p->type_length, p->type,
               p->optional   ? "optional"
               : p->variadic ? (p->one_first ? "variadic1" : "variadic0")
                             : "single",
               p->mixed ? "true" : "false");
        print_types(oq_param_allowed(version, p));
        printf("}");
    }
    printf("]");
}

static int print_version(const oq_op_version *version) {
    oq_signature signature;
    oq_error err = {0};
    if (oq_signature_parse(version, &signature, &err) != ONNXQ_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("{\"since\":%d,\"run\":%s,\"infer\":%s,", version->since, version->run ? "true" : "false",
           version->infer ? "true" : "false");
    print_params("inputs", version, &signature.in);
    printf(",");
    print_params("outputs", version, &signature.out);
    printf(",\"attributes\":[");
    for (const oq_attr_spec *a = version->attrs; a && a->name; ++a)
        printf("%s{\"name\":\"%s\",\"kind\":%d,\"required\":%s}", a == version->attrs ? "" : ",", a->name,
               a->kind, a->required ? "true" : "false");
    printf("]}");
    return 0;
}

int main(void) {
    int failures = 0;
    for (const oq_op *const *op = oq_op_table; *op; ++op) {
        printf("{\"domain\":\"%s\",\"name\":\"%s\",\"versions\":[", (*op)->domain, (*op)->name);
        for (size_t v = 0; v < (*op)->version_count; ++v) {
            if (v) printf(",");
            failures += print_version(&(*op)->versions[v]);
        }
        printf("]}\n");
    }
    return failures ? 1 : 0;
}
