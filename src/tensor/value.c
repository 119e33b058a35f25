// Run-time values: tensors and refcounted lists of values.
#include "tensor/tensor.h"

oq_list *oq_list_new(oq_mem *mem, size_t count, oq_error *err) {
    size_t bytes = 0;
    if (!oq_mul_size(count, sizeof(oq_value), &bytes) || !oq_add_size(bytes, sizeof(oq_list), &bytes)) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for a list of %zu values", count);
        return NULL;
    }
    oq_list *list = oq_mem_calloc(mem, 1, bytes, err);
    if (!list) return NULL;
    atomic_init(&list->references, 1);
    list->mem = mem;
    list->count = count;
    return list;
}

oq_value oq_value_of_tensor(oq_tensor tensor) {
    return (oq_value){.kind = OQ_VALUE_TENSOR, .tensor = tensor};
}

oq_value oq_value_retain(const oq_value *value) {
    if (value->list) atomic_fetch_add_explicit(&value->list->references, 1, memory_order_relaxed);
    if (value->kind == OQ_VALUE_TENSOR) oq_tensor_retain(&value->tensor);
    return *value;
}

// Lists nest as deep as the types of a model, which its reader bounds; so recursion is safe here.
static void release_list(oq_list *list) {
    if (!list || atomic_fetch_sub(&list->references, 1) != 1) return;
    for (size_t i = 0; i < list->count; i++) oq_value_release(&list->items[i]);
    oq_mem_free(list->mem, list);
}

void oq_value_release(oq_value *value) {
    if (!value) return;
    if (value->kind == OQ_VALUE_TENSOR) oq_tensor_release(&value->tensor);
    release_list(value->list);
    *value = (oq_value){0};
}
