// Float convolution of input 0 by the weight at input 1.
#include "ops/lib/convolution_float.h"

#include "ops/lib/columns.h"
#include "ops/lib/product.h"

oq_status oq_convolution_float_prepare(oq_run_context *context, void **state, oq_error *err) {
    const oq_tensor *w = oq_in(context, 1);
    if (!w || oq_dtype_info(w->dtype)->work != OQ_WORK_F32) return ONNXQ_OK;
    oq_conv_shape shape;
    bool fits = false;
    OQ_TRY(oq_convolution_of_weight(context->node, &w->shape, &shape, &fits, err));
    if (!fits) return ONNXQ_OK;
    const void *values = NULL;
    oq_packed *packed = NULL;
    OQ_TRY(oq_array_in(context, w, OQ_WORK_F32, &values, err));
    OQ_TRY(oq_packed_new(context, 1, oq_conv_f32_packed_bytes(&shape), &packed, err));
    oq_conv_f32_pack(&shape, values, packed->panels);
    *state = packed;
    return ONNXQ_OK;
}

// float32 of one to three spatial axes: the packed kernel.
static oq_status run_packed(oq_run_context *context, const oq_convolution *c, const oq_conv_shape *shape,
                            const float *x, const float *bias, float *y, oq_error *err) {
    const oq_packed *state = context->state;
    const void *packed = state ? state->panels : NULL;
    if (!packed) {
        const void *w = NULL;
        void *space = NULL;
        OQ_TRY(oq_array_in(context, oq_in(context, 1), OQ_WORK_F32, &w, err));
        OQ_TRY(oq_scratch_array(context, 1, oq_conv_f32_packed_bytes(shape), &space, err));
        oq_conv_f32_pack(shape, w, space);
        packed = space;
    }
    for (size_t i = 0; i < c->images; i++) {
        oq_conv_f32_run(shape, x + i * c->in_image, packed, bias, OQ_EPILOGUE_NONE, 0, 0,
                        y + i * c->out_image, context->pool);
    }
    return ONNXQ_OK;
}

// Everything else: each group as a product of its filters with the unrolled image.
static oq_status run_columns(oq_run_context *context, const oq_convolution *c, oq_work_type work,
                             const char *x, const void *bias, char *y, oq_error *err) {
    const size_t size = oq_work_bytes(work);
    const size_t filters = c->filters / c->groups;
    const size_t places = c->filters ? c->out_image / c->filters : 0;
    const void *w = NULL;
    void *columns = NULL;
    size_t column_count = 0;
    if (!oq_mul_size(c->patch, places, &column_count)) {
        return oq_fail(err, ONNXQ_NO_MEMORY, "the unrolled image does not fit in memory");
    }
    oq_product p = {.work = work,
                    .m = filters,
                    .n = places,
                    .k = c->patch,
                    .a_row = c->patch,
                    .a_column = 1,
                    .ldb = places,
                    .ldc = places};
    OQ_TRY(oq_array_in(context, oq_in(context, 1), work, &w, err));
    OQ_TRY(oq_scratch_array(context, column_count, size, &columns, err));
    OQ_TRY(oq_product_space(context, work, c->patch, places, &p.space, err));
    p.b = columns;
    for (size_t i = 0; i < c->images * c->groups && places; i++) {
        const size_t group = i % c->groups;
        oq_columns_from_image(&c->window, work, c->channels / c->groups,
                              x + i * (c->in_image / c->groups) * size, columns);
        p.a = (const char *)w + group * filters * c->patch * size;
        p.c = y + i * filters * places * size;
        oq_product_run(&p);
    }
    if (bias) oq_columns_add_bias(work, y, bias, c->images, c->filters, places);
    return ONNXQ_OK;
}

oq_status oq_convolution_float_run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *w = oq_in(context, 1);
    const oq_tensor *b = oq_in(context, 2);
    const oq_work_type work = oq_dtype_info(x->dtype)->work;
    oq_convolution c;
    OQ_TRY(oq_convolution_plan(context->node, &x->shape, &w->shape, &c, err));
    if (b && oq_tensor_count(b) != (int64_t)c.filters) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the bias has %lld values for %zu filters",
                       (long long)oq_tensor_count(b), c.filters);
    }
    oq_array_target y;
    const void *image = NULL;
    const void *bias = NULL;
    OQ_TRY(oq_array_out(context, 0, x->dtype, &c.out, work, &y, err));
    if (!c.out_image) { // nothing to compute, and the weight may be no more than a shape
        oq_array_finish(&y);
        return ONNXQ_OK;
    }
    OQ_TRY(oq_array_in(context, x, work, &image, err));
    if (b) OQ_TRY(oq_array_in(context, b, work, &bias, err));
    oq_conv_shape shape;
    const bool packed = work == OQ_WORK_F32 && c.patch && oq_convolution_shape(&c, &shape);
    OQ_TRY(packed ? run_packed(context, &c, &shape, image, bias, y.data, err)
                  : run_columns(context, &c, work, image, bias, y.data, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}
