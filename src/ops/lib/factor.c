// The right-hand factor of a product, packed once.
#include "ops/lib/factor.h"

oq_status oq_factor_pack(oq_run_context *context, const oq_tensor *b, size_t count, size_t k, size_t n,
                         bool transposed, oq_packed **out, oq_error *err) {
    const void *values = NULL;
    OQ_TRY(oq_array_in(context, b, OQ_WORK_F32, &values, err));
    OQ_TRY(oq_packed_new(context, count, oq_gemm_f32_packed_bytes(k, n), out, err));
    for (size_t i = 0; i < count; i++) {
        oq_gemm_f32_pack((const float *)values + i * k * n, transposed ? k : n, transposed, k, n,
                         oq_packed_at(*out, i));
    }
    return ONNXQ_OK;
}

oq_status oq_factor_pack_8(oq_run_context *context, const oq_tensor *b, size_t count, size_t k, size_t n,
                           bool transposed, oq_packed **out, oq_error *err) {
    OQ_TRY(oq_packed_new(context, count, oq_gemm_8_packed_bytes(k, n), out, err));
    for (size_t i = 0; i < count; i++) {
        oq_gemm_8_pack((const uint8_t *)b->data + i * k * n, b->dtype == ONNXQ_INT8, transposed ? k : n,
                       transposed, k, n, oq_packed_at(*out, i));
    }
    return ONNXQ_OK;
}
