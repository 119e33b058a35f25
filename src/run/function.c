// Model-local functions: the attributes that a call hands to the body's nodes.
#include "run/program.h"

#include <string.h>

// What the call says for `name`, else the function's default, else NULL: then the attribute is not there.
static const oq_attr *bound_attr(const oq_binding *binding, const char *name) {
    const oq_attr *attr = oq_node_attr(binding->call, name);
    for (size_t i = 0; !attr && i < binding->function->default_count; i++)
        if (strcmp(binding->function->defaults[i].name, name) == 0) attr = &binding->function->defaults[i];
    return attr;
}

oq_status oq_node_bind(oq_arena *arena, const oq_node *node, const oq_binding *binding, const oq_node **out,
                       oq_error *err) {
    *out = node;
    bool refers = false;
    for (size_t i = 0; i < node->attr_count; i++) refers |= node->attrs[i].reference != NULL;
    if (!binding || !refers) return ONNXQ_OK;
    oq_node *copy = oq_arena_memdup(arena, node, sizeof *node, err);
    oq_attr *attrs = oq_arena_calloc(arena, node->attr_count, sizeof *attrs, err);
    if (!copy || !attrs) return ONNXQ_NO_MEMORY;
    copy->attrs = attrs;
    copy->attr_count = 0;
    for (size_t i = 0; i < node->attr_count; i++) {
        const char *reference = node->attrs[i].reference;
        const oq_attr *from = reference ? bound_attr(binding, reference) : &node->attrs[i];
        if (!from) continue;
        attrs[copy->attr_count] = *from;
        attrs[copy->attr_count++].name = node->attrs[i].name;
    }
    *out = copy;
    return ONNXQ_OK;
}
