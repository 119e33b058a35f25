// Recognises integer groups: from the graph alone, never from data or observers.
#include "run/fuse_match.h"

#include <math.h>

static int64_t elements(const oq_constant *constant) { return oq_shape_count(&constant->shape); }

static oq_value_id input_of(const oq_node *node, size_t i) {
    return i < node->input_count ? node->inputs[i] : OQ_NONE;
}

static bool is_byte(oq_dtype dtype) { return dtype == ONNXQ_INT8 || dtype == ONNXQ_UINT8; }

// Data type of a value as far as the graph tells it.
static oq_dtype dtype_of(oq_graph *graph, oq_value_id id) {
    const oq_constant *constant = oq_graph_constant(graph, id);
    return constant ? constant->dtype : oq_graph_value(graph, id)->type.dtype;
}

bool oq_parameters_read(oq_dequantized *d, oq_graph *graph, const oq_node *node) {
    d->scale_id = input_of(node, 1);
    d->zero_id = input_of(node, 2);
    if (d->scale_id == OQ_NONE || oq_node_int(node, "block_size", 0) != 0) return false;
    d->scale = oq_graph_constant(graph, d->scale_id);
    if (!d->scale || d->scale->dtype != ONNXQ_FLOAT || d->scale->shape.rank > 1) return false;
    d->axis = elements(d->scale) == 1 ? -1 : (int)oq_node_int(node, "axis", 1);
    if (d->zero_id == OQ_NONE) return true;
    const oq_constant *zero = oq_graph_constant(graph, d->zero_id);
    if (!zero || zero->shape.rank > 1 || elements(zero) != elements(d->scale)) return false;
    d->dtype = zero->dtype;
    return true;
}

// The narrow constant that a Cast makes byte-wide for runtimes without 4- and 2-bit kernels; else the value
// itself.
static oq_value_id uncast(oq_graph *graph, oq_value_id value) {
    const oq_node *cast = oq_graph_producer_is(graph, value, "Cast");
    const oq_constant *constant = cast ? oq_graph_constant(graph, input_of(cast, 0)) : NULL;
    if (!constant || !oq_dtype_is_sub_byte(constant->dtype)) return value;
    return (oq_dtype)oq_node_int(cast, "to", 0) == oq_dtype_byte_wide(constant->dtype) ? cast->inputs[0]
                                                                                       : value;
}

bool oq_dequantized_read(oq_dequantized *d, oq_graph *graph, oq_value_id value) {
    *d = (oq_dequantized){.id = OQ_NONE};
    const oq_node *node = value == OQ_NONE ? NULL : oq_graph_producer_is(graph, value, "DequantizeLinear");
    if (!node || input_of(node, 0) == OQ_NONE || !oq_parameters_read(d, graph, node)) return false;
    d->id = node->inputs[0];
    if (d->zero_id == OQ_NONE) d->dtype = dtype_of(graph, d->id);
    d->id = uncast(graph, d->id);
    d->constant = oq_graph_constant(graph, d->id);
    if (d->constant) d->dtype = oq_dtype_byte_wide(d->dtype);
    // Negative axes count from the end; only the rank of a constant is certain.
    if (d->axis < 0 && elements(d->scale) != 1) {
        if (!d->constant) return false;
        d->axis += d->constant->shape.rank;
    }
    return d->dtype != ONNXQ_UNDEFINED && node->output_count == 1;
}

static bool per_tensor(const oq_dequantized *d) { return elements(d->scale) == 1; }

bool oq_clamp_read(oq_graph *graph, const oq_node *node, float *low, float *high) {
    *low = 0;
    *high = INFINITY;
    if (oq_node_is(node, "Relu")) return true;
    if (!oq_node_is(node, "Clip")) return false;
    *low = oq_node_float(node, "min", -INFINITY);
    *high = oq_node_float(node, "max", INFINITY);
    for (size_t i = 1; i <= 2; i++) {
        if (input_of(node, i) == OQ_NONE) continue;
        const oq_constant *bound = oq_graph_constant(graph, node->inputs[i]);
        oq_tensor tensor;
        if (!bound || bound->dtype != ONNXQ_FLOAT || elements(bound) != 1) return false;
        if (oq_constant_load(graph->model->mem, bound, &tensor, NULL) != ONNXQ_OK) return false;
        *(i == 1 ? low : high) = (float)oq_tensor_get_f64(&tensor, 0);
        oq_tensor_release(&tensor);
    }
    return true;
}

static bool read_one(oq_graph *graph, const oq_constant *constant, int64_t index, double *out) {
    oq_tensor tensor;
    if (oq_constant_load(graph->model->mem, constant, &tensor, NULL) != ONNXQ_OK) return false;
    *out = oq_tensor_get_f64(&tensor, index);
    oq_tensor_release(&tensor);
    return true;
}

// The clamp changes nothing that the range of the quantized output does not cut off anyway.
static bool clamp_is_redundant(oq_graph *graph, const oq_node *clamp, const oq_dequantized *y) {
    float low, high;
    double scale, zero = 0;
    if (!oq_clamp_read(graph, clamp, &low, &high) || !read_one(graph, y->scale, 0, &scale)) return false;
    if (y->zero_id != OQ_NONE && !read_one(graph, oq_graph_constant(graph, y->zero_id), 0, &zero))
        return false;
    const oq_dtype_traits *traits = oq_dtype_info(y->dtype);
    const double least = scale * ((double)traits->min - zero), most = scale * ((double)traits->max - zero);
    return (double)low - least < 1.1920929e-7 && most - (double)high < 1.1920929e-7;
}

// The only reader of what `node` gives, which must be that and no graph output.
static bool only_feeds(const oq_graph *graph, const oq_node *node, const oq_node *reader) {
    return node->output_count == 1 && oq_graph_only_consumer(graph, node->outputs[0]) == reader;
}

static const oq_node *producer(const oq_graph *graph, oq_value_id value) {
    const oq_node_id id = value == OQ_NONE ? OQ_NONE : oq_graph_value(graph, value)->producer;
    return id == OQ_NONE ? NULL : oq_graph_node(graph, id);
}

bool oq_match_end(oq_match *m, oq_graph *graph, const oq_node *node) {
    if (!oq_node_is(node, "QuantizeLinear")) {
        m->op = node;
        return node->output_count == 1;
    }
    oq_dequantized *y = &m->y;
    if (!oq_parameters_read(y, graph, node) || !per_tensor(y)) return false;
    if (y->zero_id == OQ_NONE) {
        y->dtype = (oq_dtype)oq_node_int(node, "output_dtype", 0);
        if (y->dtype == ONNXQ_UNDEFINED) y->dtype = ONNXQ_UINT8;
    }
    const oq_node *op = producer(graph, input_of(node, 0));
    if (!op || !is_byte(y->dtype) || !only_feeds(graph, op, node)) return false;
    if (oq_node_is(op, "Relu") || oq_node_is(op, "Clip")) {
        const oq_node *clamp = op;
        op = producer(graph, input_of(clamp, 0));
        if (!op || !only_feeds(graph, op, clamp) || !clamp_is_redundant(graph, clamp, y)) return false;
    }
    m->op = op;
    m->quantized = true;
    y->id = node->outputs[0];
    return true;
}

// Both factors are bytes, or narrower constants that become bytes; A has one scale, B one or one for each
// index of `axis`.
static bool read_factors(oq_match *m, oq_graph *graph) {
    m->bias = (oq_dequantized){.id = OQ_NONE};
    return oq_dequantized_read(&m->a, graph, input_of(m->op, 0)) &&
           oq_dequantized_read(&m->b, graph, input_of(m->op, 1)) && is_byte(m->a.dtype) &&
           is_byte(m->b.dtype) && per_tensor(&m->a);
}

// An int32 bias is added to the sums, so its scale must be theirs: the product of both scales, to within what
// rounding of a float16 or float32 product explains.
static bool bias_scale_fits(const oq_match *m, oq_graph *graph) {
    oq_mem *mem = graph->model->mem;
    oq_tensor a = {0}, b = {0}, bias = {0};
    bool fits = oq_constant_load(mem, m->a.scale, &a, NULL) == ONNXQ_OK &&
                oq_constant_load(mem, m->b.scale, &b, NULL) == ONNXQ_OK &&
                oq_constant_load(mem, m->bias.scale, &bias, NULL) == ONNXQ_OK;
    const int64_t count = fits ? oq_tensor_count(&b) : 0, own = fits ? oq_tensor_count(&bias) : 0;
    fits = fits && (own == count || own == 1);
    for (int64_t i = 0; i < count && fits; i++) {
        const double product = oq_tensor_get_f64(&a, 0) * oq_tensor_get_f64(&b, i);
        fits = fabs(oq_tensor_get_f64(&bias, own == 1 ? 0 : i) - product) <= 1e-6 + 1e-2 * fabs(product);
    }
    oq_tensor_release(&a);
    oq_tensor_release(&b);
    oq_tensor_release(&bias);
    return fits;
}

static bool zeros_only(oq_graph *graph, const oq_dequantized *d) {
    if (d->zero_id == OQ_NONE) return true;
    oq_tensor zero;
    if (oq_constant_load(graph->model->mem, oq_graph_constant(graph, d->zero_id), &zero, NULL) != ONNXQ_OK)
        return false;
    bool all = true;
    for (int64_t i = 0; i < oq_tensor_count(&zero); i++) all = all && oq_tensor_get_i64(&zero, i) == 0;
    oq_tensor_release(&zero);
    return all;
}

static bool read_bias(oq_match *m, oq_graph *graph, oq_value_id value) {
    return oq_dequantized_read(&m->bias, graph, value) && m->bias.dtype == ONNXQ_INT32 &&
           zeros_only(graph, &m->bias) && (m->bias.axis <= 0) && bias_scale_fits(m, graph);
}

bool oq_match_conv(oq_match *m, oq_graph *graph) {
    if (!read_factors(m, graph) || (!per_tensor(&m->b) && m->b.axis != 0)) return false;
    const oq_value_id bias = input_of(m->op, 2);
    return bias == OQ_NONE || read_bias(m, graph, bias);
}

bool oq_match_matmul(oq_match *m, oq_graph *graph) {
    if (!read_factors(m, graph)) return false;
    // One scale per column has a form only for matrices: [N].
    return per_tensor(&m->b) || (m->b.constant && m->b.constant->shape.rank == 2 && m->b.axis == 1);
}

bool oq_match_gemm(oq_match *m, oq_graph *graph) {
    const oq_node *op = m->op;
    m->transposed = oq_node_int(op, "transB", 0) != 0;
    if (oq_node_int(op, "transA", 0) != 0 || oq_node_float(op, "alpha", 1.0F) != 1.0F ||
        !read_factors(m, graph))
        return false;
    const oq_constant *b = m->b.constant;
    if (!b || b->shape.rank != 2 || (!per_tensor(&m->b) && m->b.axis != (m->transposed ? 0 : 1)))
        return false;
    const oq_value_id bias = input_of(op, 2);
    if (bias == OQ_NONE) return true;
    const int64_t columns = b->shape.dim[m->transposed ? 0 : 1];
    return oq_node_float(op, "beta", 1.0F) == 1.0F && read_bias(m, graph, bias) && m->bias.constant &&
           m->bias.constant->shape.rank == 1 && elements(m->bias.constant) == columns;
}
