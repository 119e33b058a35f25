// Biases of convolutions as int32 in the scale of the sums.
#include "forms/lower.h"

#include <math.h>

// The least and the greatest sum of a filter: inputs reach from x[0] to x[1] around their zero point.
static void reach(const oq_tensor *w, const oq_tensor *zero, int64_t filter, const int64_t x[2],
                  int64_t sums[2]) {
    const int64_t size = oq_tensor_count(w) / w->shape.dim[0];
    const int64_t z = zero->dtype ? oq_tensor_get_i64(zero, oq_tensor_count(zero) == 1 ? 0 : filter) : 0;
    sums[0] = sums[1] = 0;
    for (int64_t i = 0; i < size; i++) {
        const int64_t v = oq_tensor_get_i64(w, filter * size + i) - z;
        sums[0] += v * x[v > 0 ? 0 : 1];
        sums[1] += v * x[v > 0 ? 1 : 0];
    }
}

// Whether each sum with its bias q [M] (NULL: none) stays within int32.
static oq_status fit(oq_graph *graph, const oq_lower_product *p, const int64_t *q, bool *fits,
                     oq_error *err) {
    const oq_dequantized *w = &p->factor[1].d;
    const oq_dtype_traits *type = oq_dtype_info(p->factor[0].d.dtype);
    double zero_point = 0;
    oq_tensor weight, zero = {0};
    if (p->factor[0].d.zero_id != OQ_NONE) oq_form_number(graph, p->factor[0].d.zero_id, &zero_point);
    const int64_t x[2] = {type->min - (int64_t)zero_point, (int64_t)type->max - (int64_t)zero_point};
    OQ_TRY(oq_constant_load(graph->model->mem, w->constant, &weight, err));
    oq_status status = ONNXQ_OK;
    if (w->zero_id != OQ_NONE)
        status = oq_constant_load(graph->model->mem, oq_graph_constant(graph, w->zero_id), &zero, err);
    *fits = true;
    for (int64_t c = 0; status == ONNXQ_OK && *fits && c < weight.shape.dim[0]; c++) {
        int64_t sums[2];
        reach(&weight, &zero, c, x, sums);
        *fits = sums[0] + (q ? q[c] : 0) >= INT32_MIN && sums[1] + (q ? q[c] : 0) <= INT32_MAX;
    }
    oq_tensor_release(&zero);
    oq_tensor_release(&weight);
    return status;
}

// bias [M] in units of s_x s_w [M or 1]; *same: they are the integers that were given. False when one does
// not fit int32.
static bool convert(const oq_tensor *bias, const oq_tensor *own_scale, float sx, const oq_tensor *sw,
                    int64_t *q, bool *same) {
    *same = own_scale != NULL;
    for (int64_t c = 0; c < oq_tensor_count(bias); c++) {
        const float s = sx * ((const float *)sw->data)[oq_tensor_count(sw) == 1 ? 0 : c];
        const double given = oq_tensor_get_f64(bias, c);
        double unit = 1;
        if (own_scale) unit = oq_tensor_get_f64(own_scale, oq_tensor_count(own_scale) == 1 ? 0 : c);
        // Scales that differ by the rounding of their product mean the same integers.
        const bool close = own_scale && fabs(unit - (double)s) <= 1e-6 * (double)s;
        const double units = close ? given : rint(given * unit / (double)s);
        *same = *same && close;
        if (!(fabs(units) < 2147483648.0)) return false; // NaN too
        q[c] = (int64_t)units;
    }
    return true;
}

typedef struct loaded {
    oq_tensor bias, scale, sx, sw;
} loaded;

static void release(loaded *t) {
    oq_tensor_release(&t->bias);
    oq_tensor_release(&t->scale);
    oq_tensor_release(&t->sx);
    oq_tensor_release(&t->sw);
}

static oq_status load(oq_graph *graph, const oq_lower_product *p, const oq_constant *bias,
                      const oq_constant *scale, loaded *t, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    OQ_TRY(oq_constant_load(mem, bias, &t->bias, err));
    if (scale) OQ_TRY(oq_constant_load(mem, scale, &t->scale, err));
    OQ_TRY(oq_constant_load(mem, p->factor[0].d.scale, &t->sx, err));
    return oq_constant_load(mem, p->factor[1].d.scale, &t->sw, err);
}

static oq_status add_integers(oq_graph *graph, oq_value_id like, const int64_t *q, int64_t count,
                              oq_value_id *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(count);
    oq_tensor made;
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_quantized", oq_graph_value(graph, like)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(graph->model->mem, ONNXQ_INT32, &shape, &made, err));
    oq_store_i64(ONNXQ_INT32, q, made.data, (size_t)count);
    return oq_graph_add_initializer(graph, name, made, out, err);
}

// An initializer of the integers, unless they are those that were given.
static oq_status write(oq_graph *graph, const oq_lower_product *p, const loaded *t, oq_value_id given,
                       oq_value_id *out, const char **reason, oq_error *err) {
    const int64_t count = oq_tensor_count(&t->bias);
    bool same, fits;
    int64_t *q = oq_mem_calloc(graph->model->mem, (size_t)count + 1, sizeof *q, err);
    if (!q) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    *out = given;
    fits = convert(&t->bias, t->scale.dtype ? &t->scale : NULL, *(const float *)t->sx.data, &t->sw, q, &same);
    if (fits) status = fit(graph, p, q, &fits, err);
    if (!fits)
        *reason = "a bias and its sums together may not fit int32";
    else if (status == ONNXQ_OK && !same)
        status = add_integers(graph, p->addend, q, count, out, err);
    oq_mem_free(graph->model->mem, q);
    return status;
}

oq_status oq_lower_bias(oq_graph *graph, const oq_lower_product *p, oq_value_id *out, const char **reason,
                        oq_error *err) {
    oq_dequantized d = {.id = OQ_NONE};
    const oq_dequantized *w = &p->factor[1].d;
    bool fits;
    *out = OQ_NONE;
    if (p->addend == OQ_NONE) {
        OQ_TRY(fit(graph, p, NULL, &fits, err));
        if (!fits) *reason = "its sums may not fit int32";
        return ONNXQ_OK;
    }
    const bool dequantized = oq_dequantized_read(&d, graph, p->addend);
    const oq_constant *bias = dequantized ? d.constant : oq_graph_constant(graph, p->addend);
    if (!bias || bias->dtype != (dequantized ? ONNXQ_INT32 : ONNXQ_FLOAT) ||
        oq_shape_count(&bias->shape) != w->constant->shape.dim[0] ||
        (dequantized && oq_lower_has_zero_points(graph, &d))) {
        *reason = "its bias is neither constant nor dequantized from int32";
        return ONNXQ_OK;
    }
    loaded t = {0};
    oq_status status = load(graph, p, bias, dequantized ? d.scale : NULL, &t, err);
    if (status == ONNXQ_OK) status = write(graph, p, &t, dequantized ? d.id : OQ_NONE, out, reason, err);
    release(&t);
    return status;
}
