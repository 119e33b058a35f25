// Arithmetic on symbolic dimensions and on the elements of shape-like tensors.
#include "ops/lib/infer.h"

// Marks a negative number: its address differs from every interned symbol.
static const char literal[] = "(negative number)";

oq_dim oq_dim_number(int64_t value) { return (oq_dim){.size = value, .symbol = value < 0 ? literal : NULL}; }

bool oq_dim_is_number(oq_dim dim, int64_t *value) {
    if (dim.size < 0 && dim.symbol != literal) return false;
    *value = dim.size;
    return true;
}

oq_dim oq_dim_as_size(oq_dim dim) { return dim.size < 0 && dim.symbol == literal ? OQ_DIM_ANONYMOUS : dim; }

oq_dim oq_dim_add(oq_dim a, int64_t b) {
    int64_t value, sum;
    if (b == 0) return a;
    return oq_dim_is_number(a, &value) && oq_add_i64(value, b, &sum) ? oq_dim_number(sum) : OQ_DIM_ANONYMOUS;
}

oq_dim oq_dim_multiply(oq_dim a, oq_dim b) {
    int64_t x, y, product;
    const bool known_a = oq_dim_is_number(a, &x), known_b = oq_dim_is_number(b, &y);
    if (known_a && known_b) return oq_mul_i64(x, y, &product) ? oq_dim_number(product) : OQ_DIM_ANONYMOUS;
    if (known_a && (x == 0 || x == 1)) return x ? b : a;
    if (known_b && (y == 0 || y == 1)) return y ? a : b;
    return OQ_DIM_ANONYMOUS;
}

oq_dim oq_dim_divide(oq_dim a, int64_t b) {
    int64_t value;
    if (b == 1) return a;
    if (b <= 0 || !oq_dim_is_number(a, &value) || value % b) return OQ_DIM_ANONYMOUS;
    return oq_dim_number(value / b);
}

oq_dim oq_dims_product(const oq_dim *dims, size_t n) {
    oq_dim product = oq_dim_of(1);
    for (size_t i = 0; i < n; ++i) product = oq_dim_multiply(product, dims[i]);
    return product;
}
