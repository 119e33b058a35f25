// TfIdfVectorizer: how often each n-gram of a pool occurs in a sequence, tokens skipped in between allowed.
#include "ops/lib/infer.h"
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"
#include "ops/lib/strings.h"

#include <stdlib.h>
#include <string.h>

// Tokens are texts: strings as they are, integers as the bytes of an int64.
typedef struct gram {
    const oq_strings *tokens;
    size_t first, size; // of its tokens
    size_t index;       // among all n-grams of the pool
} gram;

typedef struct pool {
    oq_strings tokens;
    gram *grams; // by size, then by their tokens, then by index
    size_t count;
    const int64_t *outputs; // [count] coordinate of n-gram `index`
    size_t width;           // greatest coordinate + 1
} pool;

// Tokens of `a` against those of `b` that are `step` apart.
static int compare_tokens(const gram *a, const gram *b, size_t step) {
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    for (size_t i = 0; i < a->size; i++) {
        const size_t at = a->first + i, other = b->first + i * step;
        const size_t length = a->tokens->lengths[at], other_length = b->tokens->lengths[other];
        if (length != other_length) return length < other_length ? -1 : 1;
        const int order = length ? memcmp(a->tokens->texts[at], b->tokens->texts[other], length) : 0;
        if (order) return order;
    }
    return 0;
}

static int compare_grams(const void *a, const void *b) {
    const gram *x = a, *y = b;
    const int order = compare_tokens(x, y, 1);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

// The last n-gram of the pool that equals `wanted`, whose tokens are `step` apart; NULL when there is none.
static const gram *find(const pool *p, const gram *wanted, size_t step) {
    size_t low = 0, high = p->count; // grams before `low` are not greater, from `high` on they are
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_tokens(&p->grams[middle], wanted, step) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low && compare_tokens(&p->grams[low - 1], wanted, step) == 0 ? &p->grams[low - 1] : NULL;
}

static void refer_to_numbers(const int64_t *numbers, size_t count, oq_strings *out) {
    for (size_t i = 0; i < count; i++) {
        out->texts[i] = (const char *)&numbers[i];
        out->lengths[i] = sizeof numbers[i];
    }
}

static oq_status read_tokens(oq_run_context *context, oq_strings *out, oq_error *err) {
    const oq_attr *texts = oq_node_attr(context->node, "pool_strings");
    size_t count;
    const int64_t *numbers = oq_node_ints(context->node, "pool_int64s", &count);
    const bool strings = oq_in(context, 0)->dtype == ONNXQ_STRING;
    if (strings ? !texts || texts->kind != OQ_ATTR_STRINGS : !numbers)
        return oq_fail(err, ONNXQ_BAD_MODEL, "TfIdfVectorizer of %s has no attribute %s",
                       strings ? "strings" : "integers", strings ? "pool_strings" : "pool_int64s");
    OQ_TRY(oq_strings_new(context, strings ? texts->count : count, out, err));
    if (!strings) refer_to_numbers(numbers, count, out);
    for (size_t i = 0; strings && i < out->count; i++) {
        out->texts[i] = (const char *)texts->strings[i].data;
        out->lengths[i] = texts->strings[i].size;
    }
    return ONNXQ_OK;
}

// ngram_counts[n - 1] is where the n-grams begin among the tokens.
static oq_status read_pool(oq_run_context *context, pool *p, oq_error *err) {
    size_t sizes, outputs;
    const int64_t *starts = oq_node_ints(context->node, "ngram_counts", &sizes);
    p->outputs = oq_node_ints(context->node, "ngram_indexes", &outputs);
    OQ_TRY(read_tokens(context, &p->tokens, err));
    p->grams = oq_scratch(context, (p->tokens.count + 1) * sizeof *p->grams, err);
    if (!p->grams) return ONNXQ_NO_MEMORY;
    for (size_t n = 1; n <= sizes; n++) {
        const int64_t end = n < sizes ? starts[n] : (int64_t)p->tokens.count;
        if (starts[n - 1] < 0 || end < starts[n - 1] || end > (int64_t)p->tokens.count)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "ngram_counts of TfIdfVectorizer do not rise within the pool");
        for (size_t at = (size_t)starts[n - 1]; at + n <= (size_t)end; at += n, p->count++)
            p->grams[p->count] = (gram){.tokens = &p->tokens, .first = at, .size = n, .index = p->count};
    }
    if (outputs < p->count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "TfIdfVectorizer has %zu n-grams, but %zu ngram_indexes",
                       p->count, outputs);
    for (size_t i = 0; i < outputs; i++) {
        if (p->outputs[i] < 0 || p->outputs[i] >= INT32_MAX)
            return oq_fail(err, ONNXQ_BAD_MODEL, "entry %zu of ngram_indexes of TfIdfVectorizer is %lld", i,
                           (long long)p->outputs[i]);
        if ((size_t)p->outputs[i] >= p->width) p->width = (size_t)p->outputs[i] + 1;
    }
    qsort(p->grams, p->count, sizeof *p->grams, compare_grams);
    return ONNXQ_OK;
}

// Counts the n-grams of tokens [from, from + length) per index of the pool; single tokens have no gaps, so
// they count once.
static void count_grams(const oq_node *node, const pool *p, const oq_strings *x, size_t from, size_t length,
                        float *counts) {
    const int64_t least = oq_node_int(node, "min_gram_length", 1),
                  most = oq_node_int(node, "max_gram_length", 1);
    const int64_t skips = oq_node_int(node, "max_skip_count", 0);
    for (size_t step = 1; step <= (size_t)(skips < 0 ? 0 : skips) + 1 && step <= length + 1; step++) {
        for (size_t n = least < 1 ? 1 : (size_t)least; (int64_t)n <= most && (n - 1) * step < length; n++) {
            if (n == 1 && step > 1) continue;
            for (size_t start = 0; start + (n - 1) * step < length; start++) {
                const gram *hit = find(p, &(gram){.tokens = x, .first = from + start, .size = n}, step);
                if (hit) counts[hit->index]++;
            }
        }
    }
}

typedef struct weighting {
    bool once; // IDF: whether, not how often
    const float *weights;
} weighting;

static oq_status read_weighting(const oq_node *node, size_t grams, weighting *out, oq_error *err) {
    const char *mode = oq_node_string(node, "mode", "");
    const oq_attr *weights = oq_node_attr(node, "weights");
    const bool plain = strcmp(mode, "TF") == 0;
    out->once = strcmp(mode, "IDF") == 0;
    if (!plain && !out->once && strcmp(mode, "TFIDF") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "mode of TfIdfVectorizer is '%s', not TF, IDF or TFIDF", mode);
    if (plain || !weights || weights->kind != OQ_ATTR_FLOATS || !weights->count) return ONNXQ_OK;
    if (weights->count < grams)
        return oq_fail(err, ONNXQ_BAD_MODEL, "TfIdfVectorizer has %zu n-grams, but %zu weights", grams,
                       weights->count);
    out->weights = weights->floats;
    return ONNXQ_OK;
}

static oq_status read_input(oq_run_context *context, const oq_tensor *x, oq_strings *out, oq_error *err) {
    if (x->dtype == ONNXQ_STRING) return oq_strings_of(context, x, out, err);
    const int64_t *numbers;
    size_t count;
    OQ_TRY(oq_list_of(context, x, &numbers, &count, err));
    OQ_TRY(oq_strings_new(context, count, out, err));
    refer_to_numbers(numbers, count, out);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    pool p = {0};
    weighting w = {0};
    oq_strings tokens;
    oq_tensor *y;
    if (x->shape.rank > 2)
        return oq_fail(err, ONNXQ_BAD_MODEL, "TfIdfVectorizer: the input must have the shape [C] or [N,C]");
    OQ_TRY(read_pool(context, &p, err));
    OQ_TRY(read_weighting(context->node, p.count, &w, err));
    OQ_TRY(read_input(context, x, &tokens, err));
    const size_t rows = x->shape.rank == 2 ? (size_t)x->shape.dim[0] : 1;
    const size_t length = rows ? tokens.count / rows : 0;
    const int64_t width = (int64_t)p.width;
    const oq_shape shape = x->shape.rank == 2 ? OQ_SHAPE((int64_t)rows, width) : OQ_SHAPE(width);
    float *counts = oq_scratch(context, (p.count + 1) * sizeof *counts, err);
    if (!counts) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_out(context, 0, ONNXQ_FLOAT, &shape, &y, err));
    for (size_t i = 0; i < rows * p.width; i++) ((float *)y->data)[i] = 0;
    for (size_t row = 0; row < rows; row++) {
        float *into = (float *)y->data + row * p.width;
        memset(counts, 0, p.count * sizeof *counts);
        count_grams(context->node, &p, &tokens, row * length, length, counts);
        for (size_t i = 0; i < p.count; i++) {
            const float found = w.once && counts[i] > 1 ? 1 : counts[i];
            into[p.outputs[i]] += w.weights ? found * w.weights[i] : found;
        }
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    size_t count;
    const int64_t *outputs = oq_node_ints(context->node, "ngram_indexes", &count);
    const int rank = oq_infer_rank(context, 0);
    int64_t most = -1;
    (void)err;
    for (size_t i = 0; i < count; i++)
        if (outputs[i] > most) most = outputs[i];
    const oq_dim width = most < INT32_MAX ? oq_dim_of(most + 1) : OQ_DIM_ANONYMOUS;
    const oq_dim rows[] = {oq_infer_dim(context, 0, 0), width};
    if (rank >= 0) oq_infer_set(context, 0, ONNXQ_FLOAT, rank == 2 ? 2 : 1, rank == 2 ? rows : &width);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 9,
     .signature = "X:T -> Y:T1",
     .types = OQ_TYPES({"T", OQ_T_INDEX | OQ_T(STRING)}, {"T1", OQ_T_FLOAT32}),
     .attrs = OQ_ATTRS({"max_gram_length", OQ_ATTR_INT, true}, {"max_skip_count", OQ_ATTR_INT, true},
                       {"min_gram_length", OQ_ATTR_INT, true}, {"mode", OQ_ATTR_STRING, true},
                       {"ngram_counts", OQ_ATTR_INTS, true}, {"ngram_indexes", OQ_ATTR_INTS, true},
                       {"pool_int64s", OQ_ATTR_INTS, false}, {"pool_strings", OQ_ATTR_STRINGS, false},
                       {"weights", OQ_ATTR_FLOATS, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(TfIdfVectorizer, versions);
