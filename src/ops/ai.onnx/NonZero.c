// NonZero: the indices of all elements that are not zero, one row per axis.
#include "ops/lib/schema.h"
#include "ops/lib/work.h"

static bool is_set(oq_work_type work, const oq_block *block, size_t i) {
    return work == OQ_WORK_F32   ? block->f32[i] != 0
           : work == OQ_WORK_F64 ? block->f64[i] != 0
                                 : block->u64[i] != 0;
}

// flags[k] = any of the `parts` numbers of element k is not zero.
static void flag_numbers(oq_dtype dtype, const void *numbers, size_t parts, bool *flags, size_t count) {
    const size_t bytes = oq_dtype_bytes(dtype), total = count * parts;
    oq_block block;
    for (size_t k = 0; k < count; ++k) flags[k] = false;
    for (size_t done = 0; done < total; done += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, total - done);
        oq_work_load(dtype, oq_at(numbers, done, bytes), &block, n);
        for (size_t i = 0; i < n; ++i)
            if (is_set(oq_work_of(dtype), &block, i)) flags[(done + i) / parts] = true;
    }
}

// One flag per element. An empty string is zero, as is -0.
static oq_status flags_of(oq_run_context *context, const oq_tensor *data, bool *flags, oq_error *err) {
    const int64_t count = oq_tensor_count(data);
    const oq_work_type work = oq_work_of(data->dtype);
    const oq_dtype_traits *traits = oq_dtype_info(data->dtype);
    size_t length;
    if (data->dtype == ONNXQ_STRING) {
        for (int64_t k = 0; k < count; ++k) flags[k] = (oq_tensor_string(data, k, &length), length > 0);
        return ONNXQ_OK;
    }
    if (work == OQ_WORK_NONE && traits->bytes < 8) return oq_no_loop(context, data->dtype, err);
    if (work != OQ_WORK_NONE) {
        flag_numbers(data->dtype, data->data, 1, flags, (size_t)count);
    } else {
        // A complex number is two floats.
        flag_numbers(traits->bytes == 8 ? ONNXQ_FLOAT : ONNXQ_DOUBLE, data->data, 2, flags, (size_t)count);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    oq_tensor *out;
    OQ_TRY(oq_need(context, 0, &data, err));
    const int64_t count = oq_tensor_count(data);
    bool *flags = oq_scratch(context, (size_t)count * sizeof *flags, err);
    if (!flags) return ONNXQ_NO_MEMORY;
    OQ_TRY(flags_of(context, data, flags, err));
    int64_t found = 0;
    for (int64_t k = 0; k < count; ++k) found += flags[k];
    const int rank = data->shape.rank;
    const oq_shape shape = OQ_SHAPE(rank, found);
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &shape, &out, err));
    int64_t strides[OQ_MAX_RANK], column = 0;
    oq_shape_strides(&data->shape, strides);
    for (int64_t k = 0; k < count; ++k) {
        if (!flags[k]) continue;
        for (int d = 0; d < rank; ++d)
            ((int64_t *)out->data)[d * found + column] = k / strides[d] % data->shape.dim[d];
        ++column;
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    const int rank = oq_infer_rank(context, 0);
    const oq_dim dims[2] = {rank >= 0 ? oq_dim_of(rank) : OQ_DIM_ANONYMOUS, OQ_DIM_ANONYMOUS};
    oq_infer_set(context, 0, ONNXQ_INT64, 2, dims);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "X:T -> Y:int64", .types = OQ_TYPES({"T", SET}), .infer = infer,        \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {VERSION(9, OQ_T_ALL1), VERSION(13, OQ_T_ALL13)};

OQ_ONNX_OP(NonZero, versions);
