// Recognises products that integer operators can take over.
#include "forms/lower.h"

#include <math.h>

static bool is_byte(oq_dtype dtype) { return dtype == ONNXQ_INT8 || dtype == ONNXQ_UINT8; }

static bool several(const oq_dequantized *d) { return oq_shape_count(&d->scale->shape) != 1; }

// --- operands ---

static bool read_factor(oq_graph *graph, oq_value_id value, oq_lower_factor *out) {
    *out = (oq_lower_factor){.transpose = NULL};
    if (value == OQ_NONE) return false;
    const oq_node *transpose = oq_graph_producer_is(graph, value, "Transpose");
    if (transpose && oq_dequantized_read(&out->d, graph, transpose->inputs[0]))
        out->transpose = transpose;
    else if (!oq_dequantized_read(&out->d, graph, value))
        return false;
    return is_byte(out->d.dtype);
}

// Where axis `from` of a tensor of `rank` goes.
static int transposed_axis(const oq_node *transpose, int from, int rank) {
    size_t count;
    const int64_t *perm = oq_node_ints(transpose, "perm", &count);
    if (!count) return rank - 1 - from;
    for (size_t i = 0; i < count; i++)
        if (perm[i] == from) return (int)i;
    return from;
}

int oq_lower_axis(const oq_lower_factor *f) {
    if (!several(&f->d)) return 0;
    const int rank = f->d.constant->shape.rank;
    int axis = f->transpose ? transposed_axis(f->transpose, f->d.axis, rank) : f->d.axis;
    if (f->swapped && axis >= rank - 2) axis = 2 * rank - 3 - axis;
    return axis - rank;
}

// --- what stands behind ---

static void read_end(oq_graph *graph, oq_lower_product *p) {
    oq_node *next = oq_graph_only_consumer(graph, p->op->outputs[0]), *clip = NULL;
    float low = -INFINITY, high = INFINITY;
    if (next && oq_clamp_read(graph, next, &low, &high) && low <= high) {
        clip = next;
        next = oq_graph_only_consumer(graph, clip->outputs[0]);
    }
    if (!next || !oq_node_is(next, "QuantizeLinear") || !oq_parameters_read(&p->y, graph, next) ||
        several(&p->y))
        return;
    if (p->y.zero_id == OQ_NONE) p->y.dtype = oq_form_dtype(graph, next->outputs[0]);
    // 8-bit kernels give the type that they take.
    if (!is_byte(p->y.dtype) || p->y.dtype != p->factor[0].d.dtype) return;
    p->clip = clip;
    p->quantize = next;
    p->low = low;
    p->high = high;
}

// --- products ---

static const char *conv_reason(const oq_lower_product *p) {
    const oq_lower_factor *w = &p->factor[1];
    if (!w->d.constant) return "its weights are computed at run time";
    if (several(&w->d) && oq_lower_axis(w) != -w->d.constant->shape.rank)
        return "its weight scales do not lie along the output channels";
    return p->quantize ? NULL : "its result is not quantized, or to another type than its input";
}

bool oq_lower_has_zero_points(oq_graph *graph, const oq_dequantized *d) {
    oq_tensor zero;
    oq_error ignored = {0};
    if (d->zero_id == OQ_NONE) return false;
    if (oq_constant_load(graph->model->mem, oq_graph_constant(graph, d->zero_id), &zero, &ignored) !=
        ONNXQ_OK)
        return true;
    bool any = false;
    for (int64_t i = 0; i < oq_tensor_count(&zero); i++) any |= oq_tensor_get_i64(&zero, i) != 0;
    oq_tensor_release(&zero);
    return any;
}

// Elements that one sum runs over, 0 when unknown.
static int64_t inner_dimension(oq_graph *graph, const oq_lower_factor *b) {
    const oq_constant *constant = b->d.constant;
    const oq_type *type = &oq_graph_value(graph, b->d.id)->type;
    if (!constant && (type->kind != OQ_TYPE_TENSOR || type->rank < 2)) return 0;
    const int rank = constant ? constant->shape.rank : type->rank;
    const int axis = rank < 2 ? 0 : b->swapped || b->transpose ? rank - 1 : rank - 2;
    return constant ? constant->shape.dim[axis] : type->dim[axis].size;
}

static const char *matrix_reason(oq_graph *graph, oq_lower_product *p) {
    const oq_lower_factor *b = &p->factor[1];
    if (oq_node_float(p->op, "alpha", 1) != 1.0F || oq_node_float(p->op, "beta", 1) != 1.0F)
        return "its alpha or beta is not 1";
    const bool symmetric = b->d.dtype == ONNXQ_INT8 && !oq_lower_has_zero_points(graph, &b->d);
    if ((double)inner_dimension(graph, b) * 255 * (symmetric ? 128 : 255) >= 2147483648.0)
        return "its sums may not fit int32";
    if (!several(&b->d)) return NULL;
    if (!b->d.constant) return "its second factor is an activation with more than one scale";
    if (oq_lower_axis(b) != -1) return "its scales do not lie along the columns";
    if (b->d.constant->shape.rank == 2) return NULL;
    p->clip = p->quantize = NULL; // QLinearMatMul has no form for one vector of a stack of matrices
    return oq_lower_has_zero_points(graph, &b->d) ? "a stack of matrices has zero points per column" : NULL;
}

void oq_lower_match(oq_graph *graph, oq_node *op, oq_lower_product *out, const char **reason) {
    oq_lower_product *p = out;
    *p = (oq_lower_product){.op = op, .addend = oq_form_input(op, 2)};
    for (int i = 0; i < 2; i++)
        if (!read_factor(graph, oq_form_input(op, (size_t)i), &p->factor[i])) {
            *reason = "it does not work on 8-bit integers with constant scales";
            return;
        }
    if (several(&p->factor[0].d)) *reason = "its first factor has more than one scale";
    if (p->factor[0].d.dtype == ONNXQ_INT8 && p->factor[1].d.dtype == ONNXQ_UINT8)
        *reason = "int8 times uint8 has no kernel in runtimes";
    if (*reason) return;
    p->factor[0].swapped = oq_node_int(op, "transA", 0) != 0;
    p->factor[1].swapped = oq_node_int(op, "transB", 0) != 0;
    read_end(graph, p);
    if (oq_node_is(op, "Conv"))
        *reason = conv_reason(p);
    else
        *reason = matrix_reason(graph, p);
    if (oq_node_is(op, "Gemm") && p->addend != OQ_NONE) p->clip = p->quantize = NULL;
}
